"""Files without a digest in their names, replaced in storages that are not S3."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.local.test_static_bucket import CHECK, FILES, ONSITE, SEND, Site, unlisted

FOLDERS = '''
import os
import time
from pathlib import Path

from django.conf import settings
from django.core.files.storage import FileSystemStorage


def told(word):
    return (settings.BASE / word).exists()


class Elsewhere(FileSystemStorage):
    """A folder in which a name that is taken is never used again, as in most storages."""

    def __init__(self, **options):
        super().__init__(location=settings.BASE / "elsewhere", base_url="/static/", **options)


class InPlace(Elsewhere):
    """As Azure's with overwrite_files; it takes what it is given, and may not delete."""

    def get_available_name(self, name, max_length=None):
        return name

    def _save(self, name, content):
        path = Path(self.path(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.file.read())
        return name

    def delete(self, name):
        raise PermissionError("may not delete")


class Full(Elsewhere):
    def _save(self, name, content):
        if told("full") and name.startswith("robots"):
            raise OSError("No space left on device")
        return super()._save(name, content)


class Killed(Elsewhere):
    def _save(self, name, content):
        if told("kill") and name.startswith("robots"):
            os._exit(9)
        return super()._save(name, content)


class KilledUnlisted(Killed):
    def listdir(self, path):
        raise NotImplementedError


class Slow(Elsewhere):
    def _save(self, name, content):
        while told("slow") and not self.exists(name) and name == "robots.txt":
            (settings.BASE / "saving").touch()
            time.sleep(0.01)
        return super()._save(name, content)
'''
FIRST = {"pages/static/pages/site.css": "b{top:1}", "pages/static/robots.txt": "User-agent: *"}
SECOND = {"pages/static/pages/site.css": "b{top:2}", "pages/static/robots.txt": "User-agent: me"}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(tmp_path, {"PATH": os.environ["PATH"], "S3": "http://127.0.0.1:9"})
    made.write(FILES | FIRST | {"pages/storage.py": FOLDERS})
    return made


def stored(site: Site, kind: str, options: str = "{}") -> Path:
    """The folder of a storage that puts no digests into names, with the first release in it."""
    backend = {"storages.backends.s3.S3ManifestStaticStorage": f"pages.storage.{kind}"}
    site.settings(backend | {'"OPTIONS": OPTIONS': f'"OPTIONS": {options}'})
    site.collect()
    site.send()
    return site.path / "elsewhere"


def release(site: Site, files: dict[str, str]) -> None:
    """Collect a release with these files."""
    site.write(files)
    site.collect()


def assert_has(folder: Path, files: dict[str, str]) -> None:
    """Visitors get these files, and no copy that was made on the way."""
    for name, text in files.items():
        assert (folder / name.removeprefix("pages/static/")).read_text() == text
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert names == {"pages/dot.svg", "pages/site.css", "robots.txt", "fab-deploy-index.json"}


@pytest.mark.parametrize(
    ("kind", "options"), [("InPlace", "{}"), ("Elsewhere", '{"allow_overwrite": True}')]
)
def test_what_a_storage_can_overwrite_is_replaced_in_place_so_that_nobody_misses_it(
    site: Site, kind: str, options: str
) -> None:
    folder = stored(site, kind, options)
    (site.path / "same").hardlink_to(folder / "robots.txt")
    release(site, SECOND)
    assert ", 2 of 2 files and " in site.send()
    assert (site.path / "same").read_text() == "User-agent: me", "it was never another file"
    assert_has(folder, SECOND)


def test_what_a_storage_cannot_save_stays_as_it_was_and_nobody_says_that_all_is_well(
    site: Site,
) -> None:
    folder = stored(site, "Full")
    release(site, SECOND)
    (site.path / "full").touch()
    assert site.refusal(*SEND) == (
        "the storage Full failed: OSError: No space left on device; 1 of 2 files were sent;"
        " files without a digest in their names were being replaced, so what is live may have new"
        " ones, or miss some until they are sent again\n"
    )
    assert_has(folder, {**SECOND, "pages/static/robots.txt": "User-agent: *"})
    (site.path / "full").unlink()
    assert ", 2 of 2 files and " in site.send()
    assert_has(folder, SECOND)


@pytest.mark.parametrize("kind", ["Killed", "KilledUnlisted"])
def test_a_run_that_was_killed_is_found_out_when_the_release_before_is_sent_again(
    site: Site, kind: str
) -> None:
    folder = stored(site, kind)
    release(site, SECOND)
    (site.path / "kill").touch()
    assert site.run(*SEND).returncode == 9
    (site.path / "kill").unlink()
    release(site, FIRST)
    assert "1 of 3 files of this release with other content, such as pages/site.css" in (
        site.refusal(*CHECK)
    )
    assert ", 2 of 2 files and " in site.send(str(site.path / "changed"))
    [listed] = site.path.glob("changed.*")
    assert listed.read_text() == "/static/pages/site.css\n/static/robots.txt\n"
    assert "has all 3 files" in site.check()
    assert_has(folder, FIRST)
    assert ", 0 of 0 files and " in site.send()


def test_a_run_that_is_stopped_finishes_the_file_that_it_is_replacing(site: Site) -> None:
    folder = stored(site, "Slow")
    release(site, SECOND)
    (site.path / "slow").touch()
    argv = [sys.executable, "-B", str(ONSITE / SEND[0]), *SEND[1:]]
    with subprocess.Popen(argv, cwd=site.path, env=site.environ) as process:
        while process.poll() is None and not (site.path / "saving").exists():
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        (site.path / "slow").unlink()
        assert process.wait() == 128 + signal.SIGTERM
    assert_has(folder, SECOND)


def test_a_file_with_a_digest_in_its_name_is_not_overwritten_though_the_storage_would(
    site: Site,
) -> None:
    folder = unlisted(site)
    options = '{"manifest_storage": OPTIONS["manifest_storage"], "allow_overwrite": True}'
    site.settings(
        {
            "storages.backends.s3.S3ManifestStaticStorage": "pages.storage.Unlisted",
            '"OPTIONS": OPTIONS': f'"OPTIONS": {options}',
        }
    )
    damaged = folder / site.collect()["pages/dot.svg"]
    damaged.parent.mkdir(parents=True)
    damaged.write_text("<svh/>")
    assert site.refusal(*SEND).startswith(
        f"the storage Unlisted has another {damaged.relative_to(folder)} already; "
    )
    assert damaged.read_text() == "<svh/>"
