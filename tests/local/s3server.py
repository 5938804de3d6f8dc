"""A bucket on the loopback interface: moto's S3 over HTTP, and what was asked of it."""

import json
import threading
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

KEYS = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLEEXAMPLE00", "AWS_SECRET_ACCESS_KEY": "not-so-secret-value"}

LISTS = "/fab-deploy-files/"


@dataclass
class S3Server:
    """`asked` has method and path of every request that had to do with the bucket."""

    port: int
    asked: list[tuple[str, str]] = field(default_factory=list)
    held: threading.Event = field(default_factory=threading.Event)
    _hold_at: int = -1
    _go_on: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def client(self) -> Any:
        """boto3's own client, to look and to do harm with."""
        return boto3.client("s3", **self._login)

    def sent(self) -> list[str]:
        """The keys that were written, in alphabetical order, without the toolkit's own lists."""
        keys = [path.partition("/assets/")[2] for verb, path in self.asked if verb == "PUT"]
        return sorted(key for key in keys if LISTS not in key)

    def keys(self) -> dict[str, str]:
        """Each key in the bucket with its ETag, without the toolkit's own lists."""
        return {key: tag for key, tag in self.everything().items() if LISTS not in key}

    def has(self, key: str) -> bool:
        """Whether there is something of this name."""
        return key in self.everything()

    def everything(self) -> dict[str, str]:
        """The same with these lists."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket="assets")
        return {one["Key"]: one["ETag"] for page in pages for one in page.get("Contents", ())}

    @contextmanager
    def holding(self, number: int) -> Iterator[None]:
        """While the block lasts, the request of this number, counted from now, gets no answer.

        `held` is set once it has come.
        """
        self.held.clear()
        self._go_on.clear()
        self._hold_at = len(self.asked) + number
        try:
            yield
        finally:
            self._hold_at = -1
            self._go_on.set()

    def take(self, verb: str, path: str) -> None:
        """Note a request that has come, and hold it if that was asked for."""
        number = len(self.asked)
        self.asked.append((verb, path))
        if number == self._hold_at:
            self.held.set()
            self._go_on.wait(60)

    def check_rights(self) -> None:
        """From now on credentials count, as they do anywhere else."""
        _post(f"{self.url}/moto-api/reset-auth", b"0")

    def count_no_rights(self) -> None:
        """From now on anybody may do anything again."""
        _post(f"{self.url}/moto-api/reset-auth", b"inf")

    def reader(self) -> dict[str, str]:
        """Credentials of somebody who may list and read the bucket, and change nothing."""
        iam = boto3.client("iam", **self._login)
        iam.create_user(UserName="reader")
        allowed = {"Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetObject"], "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": allowed})
        iam.put_user_policy(UserName="reader", PolicyName="read", PolicyDocument=policy)
        key = iam.create_access_key(UserName="reader")["AccessKey"]
        return {
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        }

    @property
    def _login(self) -> dict[str, str]:
        keys = {name.lower(): value for name, value in KEYS.items()}
        return keys | {"endpoint_url": self.url, "region_name": "us-east-1"}


def _post(url: str, data: bytes) -> None:
    plain = {"Content-Type": "text/plain"}
    with urllib.request.urlopen(urllib.request.Request(url, data, plain, method="POST")):
        pass


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """A server with one empty bucket, `assets`."""
    moto = DomainDispatcherApplication(create_backend_app)

    def counted(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        server.take(environ["REQUEST_METHOD"], environ["PATH_INFO"])
        answer: Iterable[bytes] = moto(environ, start)
        return answer

    http = make_server("127.0.0.1", 0, counted, threaded=True)
    server = S3Server(http.server_port)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    try:
        _post(f"{server.url}/moto-api/reset", b"")
        server.client.create_bucket(Bucket="assets")
        server.asked.clear()
        yield server
    finally:
        server.count_no_rights()
        http.shutdown()
        http.server_close()
