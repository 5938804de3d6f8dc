"""Static files in a bucket, and pages on web hosts that name them: released, gone back, pruned."""

import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.docker.checkout import Checkout
from tests.docker.hosts import ROOT, WEB, Hosts, ask
from tests.docker.readers import Readers
from tests.docker.told import Told
from tests.local.s3server import KEYS, S3Server, s3_server
from tests.sandbox.docker import docker

pytestmark = pytest.mark.docker

CSS = "guestbook/static/guestbook/site.css"
HASHED = '{"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"}'
BUCKET = """{{
        "BACKEND": "storages.backends.s3.S3ManifestStaticStorage",
        "OPTIONS": {{
            "bucket_name": "assets",
            "location": "static",
            "endpoint_url": "{url}",
            "region_name": "us-east-1",
            "url_protocol": "http:",
            "custom_domain": "127.0.0.1:{port}/assets",
            "default_acl": "public-read",
            "manifest_storage": FileSystemStorage(location=STATIC_ROOT),
        }},
    }}"""
PACKAGES = ("django-storages", "boto3", "botocore", "s3transfer", "jmespath", "urllib3")
INDIRECT = ("python-dateutil", "six")


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    """A bucket that is empty."""
    with s3_server() as server:
        yield server


@pytest.fixture(scope="module")
def shop(
    first: Told,
    s3: S3Server,
    clone: Callable[[Path], Checkout],
    tmp_path_factory: pytest.TempPathFactory,
) -> Checkout:
    """A project that moves from a static host, which served it until now, to a bucket."""
    assert first.code == 0
    made = clone(tmp_path_factory.mktemp("bucket") / "project")
    made = replace(made, secrets=[*made.secrets, KEYS["AWS_SECRET_ACCESS_KEY"]])
    production = "config/settings/production.py"
    made.edit(production, HASHED, BUCKET.format(url=s3.url, port=s3.port))
    where = "from email.utils import getaddresses\n"
    made.edit(
        production, where, f"{where}from django.core.files.storage import FileSystemStorage\n"
    )
    made.edit(production, "base import env\n", "base import STATIC_ROOT, env\n")
    pins = "".join(f"{name}=={version(name)}\n" for name in (*PACKAGES, *INDIRECT))
    made.write("requirements.txt", (made.top / "site/requirements.txt").read_text() + pins)
    inventory = made.top / "inventories" / "sandbox.toml"
    text = inventory.read_text().replace('static.mode = "server"', 'static.mode = "storage"')
    keys = "".join(f', {name} = "{value}"' for name, value in KEYS.items())
    inventory.write_text(text.replace(" }\n", f"{keys} }}\n"))
    made.commit("Static files go to a bucket")
    return made


@pytest.fixture
def ink(shop: Checkout) -> Callable[[str], str]:
    """Commits another colour; the revision."""

    def change(colour: str) -> str:
        text = (shop.top / "site" / CSS).read_text()
        shop.write(CSS, f"/* {colour} */\n{text}")
        return shop.commit(f"Ink is {colour}")

    return change


def pages(hosts: Hosts) -> dict[str, str]:
    """The release from which each web host answers."""
    return {name: hosts.released(name) for name in WEB}


def test_every_page_has_its_assets_while_a_site_moves_to_a_bucket_and_goes_back_and_forth(
    hosts: Hosts,
    shop: Checkout,
    s3: S3Server,
    ink: Callable[[str], str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    old = hosts.stylesheet()
    readers = Readers(hosts)
    with readers.reading():
        shop.fab("deploy")
        one, sheet = pages(hosts), hosts.stylesheet()
        assert sheet.startswith(f"{s3.url}/assets/static/guestbook/site.")
        ink("red")
        s3.asked.clear()
        steps = shop.fab("deploy", "--json").of("step")
        [sent] = [
            step["sent"] for step in steps if step["step"] == "static.sync" and "sent" in step
        ]
        new = s3.sent()
        assert len(new) == 2, "one name with a digest, and one without"
        sizes = [s3.client.head_object(Bucket="assets", Key=key)["ContentLength"] for key in new]
        assert sent == sum(sizes)
        assert "/* red */" in ask(hosts.stylesheet()).text
        told = shop.fab("static.check")
        assert "files were asked for over HTTP, and came as they are" in told.text + told.log
        s3.asked.clear()
        shop.fab("rollback")
        assert (pages(hosts), hosts.stylesheet()) == (one, sheet)
        shop.fab("rollback")
        assert hosts.stylesheet() == old, "from before the bucket, and still on the static host"
        assert {verb for verb, _ in s3.asked} <= {"GET", "HEAD"}, "nothing was sent"
    assert readers.failures == []
    with capsys.disabled():
        print(f"\n{readers.pages} pages and {readers.assets} of their assets, none of them failed")
        print(f"{len(new)} files and {sent} bytes sent")


def test_wherever_a_run_is_killed_the_old_files_are_served_and_the_next_release_goes_through(
    hosts: Hosts, shop: Checkout, s3: S3Server, ink: Callable[[str], str]
) -> None:
    s3.asked.clear()
    ink("yellow")
    shop.fab("deploy")
    requests = len(s3.asked)
    assert requests >= 5
    live, sheet, text = pages(hosts), hosts.stylesheet(), ask(hosts.stylesheet()).text
    for number in range(requests):
        ink(f"blue {number}")
        with s3.holding(number):
            run = shop.start("deploy")
            assert s3.held.wait(120)
            run.signal(signal.SIGKILL)
            run.process.wait()
        assert (pages(hosts), hosts.stylesheet(), ask(sheet).text) == (live, sheet, text)
        shop.fab("recover")
        hosts.at_rest()
    shop.fab("deploy")
    assert f"/* blue {requests - 1} */" in ask(hosts.stylesheet()).text
    shop.fab("static.check")
    shop.fab("rollback")
    assert (pages(hosts), ask(hosts.stylesheet()).text) == (live, text)


def test_pruning_takes_what_no_release_that_is_kept_names_and_never_what_others_put_there(
    hosts: Hosts,
    shop: Checkout,
    s3: S3Server,
    ink: Callable[[str], str],
    mend: Callable[[], None],
) -> None:
    ink("white")
    shop.fab("deploy")
    theirs = "static/guestbook/theirs.0123456789ab.css"
    s3.client.put_object(Bucket="assets", Key=theirs, Body=b"theirs")
    gone = hosts.stylesheet().rpartition("/assets/")[2]
    for colour in ("cyan", "pink", "grey"):
        ink(colour)
        shop.fab("--set", "keep=1", "deploy")
    assert s3.has(gone)
    docker("kill", hosts.fleet.container("web2"))
    try:
        assert "web2" in shop.fab("static.prune", code=2).err
    finally:
        mend()
    assert s3.has(gone)
    shop.fab("static.prune")
    assert not s3.has(gone)
    assert s3.has(theirs)
    shop.fab("static.check")
    readers = Readers(hosts)
    shop.fab("rollback")
    with readers.reading():
        shop.fab("static.prune")
    assert readers.failures == []
    assert readers.assets > 0


def test_a_file_that_is_deleted_in_the_bucket_is_found_and_put_back(
    hosts: Hosts, shop: Checkout, s3: S3Server
) -> None:
    key = hosts.stylesheet().rpartition("/assets/")[2]
    s3.client.delete_object(Bucket="assets", Key=key)
    told = shop.fab("static.check", code=3)
    assert f"such as {key.removeprefix('static/')}: fab deploy-static --revision " in told.err
    again = told.err.partition(": fab deploy-static --revision ")[2].split()[0]
    shop.fab("deploy-static", "--revision", again)
    shop.fab("static.check")
    assert ask(hosts.stylesheet()).status == 200


def test_a_rollback_asks_the_bucket_first_and_is_refused_if_a_file_is_gone(
    hosts: Hosts, shop: Checkout, s3: S3Server, ink: Callable[[str], str]
) -> None:
    shop.fab("deploy")
    key = hosts.stylesheet().rpartition("/assets/")[2]
    ink("gold")
    shop.fab("deploy")
    live = pages(hosts)
    gone = s3.client.get_object(Bucket="assets", Key=key)
    s3.client.delete_object(Bucket="assets", Key=key)
    told = shop.fab("rollback", code=3)
    assert "static.check failed on here: the bucket assets lacks 1 of " in told.err
    again = told.err.partition(": fab deploy-static --revision ")[2].split()[0]
    assert pages(hosts) == live
    s3.client.put_object(
        Bucket="assets", Key=key, Body=gone["Body"].read(), ContentType=gone["ContentType"]
    )
    assert "has all" in shop.fab("rollback").log
    assert all(release.endswith(again) for release in pages(hosts).values())


def test_a_rollback_goes_through_when_the_bucket_cannot_be_asked_and_says_so(
    hosts: Hosts, shop: Checkout, s3: S3Server, ink: Callable[[str], str]
) -> None:
    shop.fab("deploy")
    old = pages(hosts)
    ink("silver")
    shop.fab("deploy")
    s3.check_rights()
    try:
        told = shop.fab("rollback")
    finally:
        s3.count_no_rights()
    assert "warning: the bucket was not asked for" in told.text
    assert pages(hosts) == old


def test_a_bucket_that_refuses_stops_the_release_and_the_pages_stay(
    hosts: Hosts, shop: Checkout, s3: S3Server, ink: Callable[[str], str]
) -> None:
    live = pages(hosts)
    ink("brown")
    s3.check_rights()
    try:
        told = shop.fab("deploy", code=3)
    finally:
        s3.count_no_rights()
    assert "static.sync failed on here: the bucket assets refuses these credentials" in told.err
    assert "nothing was switched" in told.err
    assert pages(hosts) == live
    assert ask(hosts.stylesheet()).status == 200
    hosts.at_rest()
    assert not hosts.tried("web1", f"ls {ROOT}/.deploy/lock*")[0]
