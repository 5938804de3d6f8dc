"""What went wrong with a bucket, in one sentence without a secret."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

from envfile import mask

SECRET = re.compile(r"KEY|SECRET|TOKEN|PASSWORD|CREDENTIAL|CONNECTION_STRING", re.IGNORECASE)
HELD = ("access_key", "secret_key", "security_token", "account_key", "sas_token", "password")
SAYS = {
    "NoCredentialsError": "wants credentials, and there are none",
    "PartialCredentialsError": "wants credentials, and only a part of them is there",
    "EndpointConnectionError": "cannot be reached",
    "ConnectTimeoutError": "cannot be reached",
    "ReadTimeoutError": "does not answer",
    "ConnectionClosedError": "does not answer",
    "ProxyConnectionError": "cannot be reached",
    "SSLError": "cannot be reached",
}
WHERE = "put AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY into your environment, or into static.env"


def refusal(error: BaseException, bucket: str, storage: Any) -> str:
    """The sentence for `error`, which the storage raised."""
    said = mask(_sentence(error, bucket), _secrets(storage))
    return " ".join(said.split())


def _sentence(error: BaseException, bucket: str) -> str:
    for one in _causes(error):
        kind = type(one).__name__
        if kind.endswith("CredentialsError"):
            return f"{bucket} {SAYS.get(kind, 'cannot use its credentials')}: {WHERE}"
        if kind in SAYS:
            return f"{bucket} {SAYS[kind]}: {one}"
        answer = getattr(one, "response", None)
        if isinstance(answer, dict) and "Error" in answer:
            return _answered(answer, bucket)
    return f"{bucket} failed: {type(error).__name__}: {error}"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _answered(answer: dict[str, Any], bucket: str) -> str:
    code = str(answer["Error"].get("Code", ""))
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
    text = answer["Error"].get("Message", "")
    if code == "NoSuchBucket" or (status == 404 and code in ("404", "")):
        return f"{bucket} does not exist"
    if status in (401, 403):
        return f"{bucket} refuses these credentials: {code}: {text}"
    return f"{bucket} answers {status} {code}: {text}"


def _secrets(storage: Any) -> dict[str, str]:
    """What must not be shown: by the name that the environment or the storage has for it."""
    found = {name: value for name, value in os.environ.items() if SECRET.search(name)}
    for name in HELD:
        value = getattr(storage, name, None)
        if isinstance(value, str):
            found[name] = value
    return found
