"""Static files in a bucket: collected here, sent through the site's own storage, and compared."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.local.s3server import KEYS, S3Server, s3_server

ONSITE = Path(__file__).parents[2] / "deploy" / "onsite"
SETTINGS = """
import os
from pathlib import Path
from django.core.files.storage import FileSystemStorage
SECRET_KEY = "any"
BASE = Path(__file__).parent.parent
INSTALLED_APPS = ["django.contrib.staticfiles", "pages"]
STATIC_URL = "https://cdn.example.com/site/"
STATIC_ROOT = BASE / "staticfiles"
BACKEND = "storages.backends.s3.S3ManifestStaticStorage"
OPTIONS = {
    "bucket_name": "assets",
    "endpoint_url": os.environ["S3"],
    "region_name": "us-east-1",
    "location": "site",
    "custom_domain": "cdn.example.com",
    "object_parameters": {"CacheControl": "max-age=77"},
    "manifest_storage": FileSystemStorage(location=STATIC_ROOT),
}
STORAGES = {"staticfiles": {"BACKEND": BACKEND, "OPTIONS": OPTIONS}}
"""
FILES = {
    "pages/__init__.py": "",
    "pages/settings.py": SETTINGS,
    "pages/static/pages/dot.svg": "<svg/>",
    "pages/static/pages/site.css": "b{background:url(dot.svg)}",
    "pages/static/robots.txt": "User-agent: *",
}
PLAIN = {
    "S3ManifestStaticStorage": "S3StaticStorage",
    '    "manifest_storage": FileSystemStorage(location=STATIC_ROOT),\n': "",
}


@dataclass(frozen=True)
class Site:
    """A project, of which each release is a copy with collected files."""

    path: Path
    environ: dict[str, str]

    def write(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.path / name).write_text(text)

    def settings(self, changes: dict[str, str]) -> None:
        text = SETTINGS
        for old, new in changes.items():
            assert old in text
            text = text.replace(old, new)
        self.write({"pages/settings.py": text})

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-B", str(ONSITE / words[0]), *words[1:]]
        return subprocess.run(
            argv, cwd=self.path, env=self.environ, capture_output=True, text=True, check=False
        )

    def collect(self) -> dict[str, str]:
        """Collect anew; the names of the manifest."""
        subprocess.run(["rm", "-rf", str(self.path / "staticfiles")], check=True)
        done = self.run("collect.py", "pages.settings", "storage")
        assert done.returncode == 0, done.stderr
        manifest = self.path / "staticfiles" / "staticfiles.json"
        if not manifest.exists():
            return {}
        paths: dict[str, str] = json.loads(manifest.read_text())["paths"]
        return paths

    def send(self, *changed: str) -> str:
        """The last line of sending."""
        done = self.run(*SEND, *changed)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.splitlines()[-1]

    def check(self) -> str:
        done = self.run("send.py", "check", "pages.settings")
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    def refusal(self, *words: str) -> str:
        """The one line with which something is refused."""
        done = self.run(*words)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done.stderr
        assert KEYS["AWS_SECRET_ACCESS_KEY"] not in done.stderr
        return done.stderr


def site_with(s3: S3Server, path: Path) -> Site:
    """A site below that path whose static files go into the bucket."""
    environ = {"PATH": os.environ["PATH"], "S3": s3.url, "AWS_EC2_METADATA_DISABLED": "true"}
    made = Site(path, environ | KEYS)
    made.write(FILES)
    return made


@pytest.fixture
def site(tmp_path: Path, s3: S3Server) -> Site:
    return site_with(s3, tmp_path)


CHECK = ("send.py", "check", "pages.settings")
OWNER = "shop.live"
SEND = ("send.py", "send", "pages.settings", OWNER)
COLLECT = ("collect.py", "pages.settings", "storage")


def test_names_and_manifest_are_those_that_the_storage_itself_gives(
    site: Site, s3: S3Server
) -> None:
    paths = site.collect()
    assert s3.asked == []
    site.send()
    ours = s3.keys()
    (site.path / "staticfiles" / "staticfiles.json").unlink()
    with s3_server() as other:
        argv = [sys.executable, "-m", "django", "collectstatic", "--noinput"]
        environ = site.environ | {"S3": other.url, "DJANGO_SETTINGS_MODULE": "pages.settings"}
        subprocess.run(argv, cwd=site.path, env=environ, capture_output=True, check=True)
        assert other.keys() == ours
    text = (site.path / "staticfiles" / "staticfiles.json").read_text()
    assert json.loads(text)["paths"] == paths


def test_the_first_send_takes_everything_the_way_the_storage_is_set_up(
    site: Site, s3: S3Server
) -> None:
    paths = site.collect()
    total = sum(
        (site.path / "staticfiles" / name).stat().st_size for name in (*paths, *paths.values())
    )
    assert site.send() == f"0 files were there, 6 of 6 files and {total} bytes sent"
    assert set(s3.keys()) == {f"site/{name}" for name in (*paths, *paths.values())}
    head = s3.client.head_object(Bucket="assets", Key=f"site/{paths['pages/site.css']}")
    assert (head["ContentType"], head["CacheControl"]) == ("text/css", "max-age=77")
    assert site.check() == "the bucket assets has all 3 files that the pages name\n"


def test_nothing_changed_sends_nothing_and_asks_once(site: Site, s3: S3Server) -> None:
    site.collect()
    site.send()
    s3.asked.clear()
    assert site.send() == "6 files were there, 0 of 0 files and 0 bytes sent"
    assert s3.asked == [("GET", "/assets")]
    s3.asked.clear()
    site.check()
    assert s3.asked == [("GET", "/assets")]


def test_of_1500_files_only_the_10_that_changed_are_sent(site: Site, s3: S3Server) -> None:
    site.settings(PLAIN)
    many = {f"pages/static/many/{n:04}.js": f"let number = {n};" for n in range(1497)}
    site.write(many)
    site.collect()
    *progress, last = site.run(*SEND).stdout.splitlines()
    assert last.startswith("0 files were there, 1500 of 1500 files and ")
    assert progress, "people see how far it is"
    for line in progress:
        assert re.fullmatch(r"\d+ of 1500 files and \d+ bytes sent", line)
    counts = [int(line.split()[0]) for line in progress]
    assert counts == sorted(set(counts))
    changed = {name: f"{text} // changed" for name, text in list(many.items())[100:110]}
    site.write(changed)
    site.collect()
    s3.asked.clear()
    size = sum(map(len, changed.values()))
    assert site.send() == f"1490 files were there, 10 of 10 files and {size} bytes sent"
    assert s3.sent() == [f"site/many/{n:04}.js" for n in range(100, 110)]
    assert "has all 1500 files" in site.check()


def test_files_of_releases_before_are_never_touched(site: Site, s3: S3Server) -> None:
    before = site.collect()
    site.send()
    kept = s3.keys()
    site.write({"pages/static/pages/dot.svg": "<svg></svg>"})
    after = site.collect()
    changed = {"pages/dot.svg", "pages/site.css"}
    assert {name for name in before if before[name] != after[name]} == changed
    s3.asked.clear()
    assert ", 3 of 3 files and " in site.send()
    names = ["pages/dot.svg", after["pages/dot.svg"], after["pages/site.css"]]
    assert s3.sent() == sorted(f"site/{name}" for name in names)
    assert not [verb for verb, _ in s3.asked if verb == "DELETE"]
    now = s3.keys()
    assert all(now[f"site/{name}"] == kept[f"site/{name}"] for name in before.values())


def test_a_file_that_was_deleted_stops_the_release(site: Site, s3: S3Server) -> None:
    gone = site.collect()["pages/dot.svg"]
    site.send()
    s3.client.delete_object(Bucket="assets", Key=f"site/{gone}")
    assert site.refusal(*CHECK) == (
        f"the bucket assets lacks 1 of 3 files of this release, such as {gone}:"
        " fab deploy-static sends them\n"
    )
    assert ", 1 of 1 files and " in site.send()
    site.check()


@pytest.mark.parametrize("content", [b"<svh/>", b"", b"\x1f\x8b broken"])
def test_a_file_that_was_damaged_stops_the_release_and_is_not_overwritten(
    site: Site, s3: S3Server, content: bytes
) -> None:
    damaged = site.collect()["pages/dot.svg"]
    site.send()
    s3.client.put_object(Bucket="assets", Key=f"site/{damaged}", Body=content)
    s3.asked.clear()
    assert ", 0 of 0 files and " in site.send()
    assert s3.sent() == []
    assert f"1 of 3 files of this release with other content, such as {damaged};" in site.refusal(
        *CHECK
    )


def test_a_file_that_the_storage_compresses_is_compared_by_what_is_in_it(
    site: Site, s3: S3Server
) -> None:
    site.settings({'"location"': '"gzip": True, "location"'})
    css = site.collect()["pages/site.css"]
    site.send()
    head = s3.client.head_object(Bucket="assets", Key=f"site/{css}")
    assert head["ContentEncoding"] == "gzip"
    s3.asked.clear()
    assert ", 0 of 0 files and " in site.send()
    assert s3.sent() == []
    site.check()
    s3.client.delete_object(Bucket="assets", Key="site/fab-deploy-index.json")
    site.check()
    broken = b"\x1f\x8b\x08broken"
    s3.client.put_object(Bucket="assets", Key=f"site/{css}", Body=broken, ContentEncoding="gzip")
    assert "other content" in site.refusal(*CHECK)


def test_a_file_that_is_sent_in_pieces_is_sent_once(site: Site, s3: S3Server) -> None:
    site.write({"pages/static/pages/large.bin": "0123456789abcdef" * 600_000})
    large = site.collect()["pages/large.bin"]
    assert ", 8 of 8 files and " in site.send()
    assert s3.keys()[f"site/{large}"].endswith('-2"')
    assert ", 0 of 0 files and " in site.send()
    site.check()


def test_any_name_that_git_can_hold_gets_into_the_bucket(site: Site, s3: S3Server) -> None:
    name = "a b/+é%20&~.svg"
    site.write({f"pages/static/{name}": "<svg/>"})
    hashed = site.collect()[name]
    site.send()
    assert {f"site/{name}", f"site/{hashed}"} <= set(s3.keys())
    assert ", 0 of 0 files and " in site.send()
    site.check()


def test_what_a_cdn_has_to_be_told_is_what_was_replaced(site: Site, tmp_path: Path) -> None:
    site.collect()
    changed = tmp_path / "changed"
    site.send(str(changed))
    assert list(tmp_path.glob("changed*")) == []
    site.write({"pages/static/robots.txt": "User-agent: nobody"})
    site.collect()
    site.send(str(changed))
    [listed] = tmp_path.glob("changed.*")
    assert listed.read_text() == "/site/robots.txt\n"


UNLISTED = '''
from django.conf import settings
from django.contrib.staticfiles.storage import ManifestFilesMixin
from django.core.files.storage import FileSystemStorage


class Elsewhere(FileSystemStorage):
    """A folder that can be written and read, and not listed."""

    def __init__(self, **options):
        super().__init__(location=settings.BASE / "elsewhere", base_url="/static/", **options)

    def listdir(self, path):
        raise NotImplementedError


class Unlisted(ManifestFilesMixin, Elsewhere):
    pass
'''


def unlisted(site: Site) -> Path:
    """The folder of a storage that cannot list."""
    site.write({"pages/storage.py": UNLISTED})
    options = '"OPTIONS": {"manifest_storage": OPTIONS["manifest_storage"]}'
    site.settings(
        {
            "storages.backends.s3.S3ManifestStaticStorage": "pages.storage.Unlisted",
            '"OPTIONS": OPTIONS': options,
        }
    )
    return site.path / "elsewhere"


def test_a_storage_that_cannot_list_keeps_an_index_of_what_it_was_sent(site: Site) -> None:
    folder = unlisted(site)
    paths = site.collect()
    assert not folder.exists()
    assert ", 6 of 6 files and " in site.send()
    assert (folder / paths["pages/site.css"]).is_file()
    assert ", 0 of 0 files and " in site.send()
    assert "cannot be listed" in site.check()
    site.write({"pages/static/robots.txt": "User-agent: nobody"})
    site.collect()
    assert ", 2 of 2 files and " in site.send()
    assert (folder / "robots.txt").read_text() == "User-agent: nobody"
    site.check()
    (folder / "fab-deploy-index.json").write_text("{")
    assert "lacks 3 of 3 files" in site.refusal(*CHECK)
    site.write({"pages/static/robots.txt": "User-agent: somebody"})
    site.collect()
    site.send()
    site.check()
    assert (folder / "robots.txt").read_text() == "User-agent: somebody"
    names = {path.name.split(".")[0] for path in folder.rglob("*.*")}
    assert names == {"dot", "site", "robots", "fab-deploy-index"}


def test_a_storage_that_cannot_list_never_has_a_hashed_file_replaced(site: Site) -> None:
    folder = unlisted(site)
    damaged = folder / site.collect()["pages/dot.svg"]
    damaged.parent.mkdir(parents=True)
    damaged.write_text("<svh/>")
    done = site.run(*SEND)
    assert done.returncode == 1
    assert done.stderr.startswith(
        f"the storage Unlisted has another {damaged.relative_to(folder)} a"
    )
    assert damaged.read_text() == "<svh/>"
    assert len(list(damaged.parent.glob("dot.*"))) == 1


def test_a_storage_that_lists_names_alone_misses_what_was_deleted(site: Site) -> None:
    folder = unlisted(site)
    text = UNLISTED.partition("    def listdir")[0] + UNLISTED.partition("Error\n")[2]
    site.write({"pages/storage.py": text})
    paths = site.collect()
    site.send()
    assert ", 0 of 0 files and " in site.send()
    (folder / paths["pages/dot.svg"]).unlink()
    assert "lacks 1 of 3 files" in site.refusal(*CHECK)
    assert ", 1 of 1 files and " in site.send()


def test_credentials_that_are_refused_are_one_line_without_them(site: Site, s3: S3Server) -> None:
    site.collect()
    s3.check_rights()
    line = site.refusal(*SEND)
    assert line.startswith("the bucket assets refuses these credentials: InvalidAccessKeyId: ")
    assert s3.sent() == []
    assert KEYS["AWS_ACCESS_KEY_ID"] not in line


def test_a_bucket_that_may_be_read_and_not_written_is_one_line(site: Site, s3: S3Server) -> None:
    reader = Site(site.path, site.environ | s3.reader())
    reader.collect()
    s3.check_rights()
    line = reader.refusal(*SEND)
    assert line.startswith("the bucket assets refuses these credentials: AccessDenied: ")
    assert line.endswith("; 0 of 6 files were sent; what is live has all its files\n")


def test_a_bucket_that_is_not_there_is_one_line(site: Site) -> None:
    site.settings({'"assets"': '"gone"'})
    site.collect()
    assert site.refusal(*SEND) == "the bucket gone does not exist\n"
    assert site.refusal(*CHECK) == "the bucket gone does not exist\n"


def test_no_credentials_are_one_line_that_says_where_they_belong(site: Site) -> None:
    environ = {name: value for name, value in site.environ.items() if name not in KEYS}
    without = Site(site.path, environ | {"HOME": str(site.path)})
    without.collect()
    line = without.refusal(*SEND)
    assert line.startswith("the bucket assets wants credentials, and there are none: put AWS_")
    assert "static.env" in line


def test_a_network_without_the_bucket_is_one_line(site: Site) -> None:
    cut_off = Site(site.path, site.environ | {"S3": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"})
    cut_off.collect()
    assert cut_off.refusal(*SEND).startswith("the bucket assets cannot be reached: ")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (
            '    "manifest_storage": FileSystemStorage(location=STATIC_ROOT),\n',
            "",
            "S3ManifestStaticStorage would read its manifest from the bucket, which all releases",
        ),
        ("(location=STATIC_ROOT)", "(location=BASE)", "would read its manifest from /"),
        (
            "storages.backends.s3.S3ManifestStaticStorage",
            "django.contrib.staticfiles.storage.ManifestStaticFilesStorage",
            "keeps files on the host: name a storage for a bucket",
        ),
        ("s3.S3ManifestStaticStorage", "s3.Gone", 'STORAGES["staticfiles"] cannot be used'),
        (
            '"staticfiles": {"B',
            '"other": {"B',
            'STORAGES["staticfiles"] of the settings names no BACKEND',
        ),
        ('"location": "site"', '"where": "site"', "'where'"),
        ('"location": "site"', '"location": "/site"', "location"),
    ],
)
def test_settings_that_no_release_can_live_with_are_refused(
    site: Site, s3: S3Server, old: str, new: str, reason: str
) -> None:
    site.settings({old: new})
    assert reason in site.refusal(*COLLECT)
    assert s3.asked == []


def test_names_without_digests_are_allowed_with_a_warning(site: Site) -> None:
    site.settings(PLAIN)
    done = site.run(*COLLECT)
    assert done.returncode == 0
    assert "S3StaticStorage puts no digest into names" in done.stderr


def test_nothing_to_collect_sends_nothing(site: Site, s3: S3Server) -> None:
    subprocess.run(["rm", "-r", str(site.path / "pages" / "static")], check=True)
    assert site.refusal(*COLLECT).startswith("nothing was collected")
    assert s3.asked == []


def test_a_style_sheet_that_names_a_missing_file_is_named(site: Site, s3: S3Server) -> None:
    site.write({"pages/static/pages/site.css": "b{background:url(gone.svg)}"})
    assert re.search(r"'pages/site.css'.*'pages/gone.svg'", site.refusal(*COLLECT))
    assert s3.asked == []
