"""Files taken out of a bucket while another stage, which has a lock of its own, releases there."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.local.s3server import S3Server
from tests.local.test_static_bucket import ONSITE, OWNER, Site, site_with
from tests.local.test_static_kept import SECOND, release

STAGING = "shop.staging"
MANY = {f"pages/static/many/{number:02}.js": f"let number = {number};" for number in range(60)}
"""With a digest and without, more names than are deleted at once."""
AT_ONCE = 100


@pytest.fixture
def site(tmp_path: Path, s3: S3Server) -> Site:
    return site_with(s3, tmp_path)


def older(site: Site, owner: str = OWNER) -> str:
    """A release of whose files the next one lacks many."""
    site.write(MANY)
    return release(site, "<svg>1</svg>", owner)


def newer(site: Site) -> str:
    shutil.rmtree(site.path / "pages" / "static" / "many")
    return release(site, "<svg>2</svg>")


def pruning(site: Site, second: str) -> subprocess.Popen[str]:
    """Take away what only the older release needs."""
    words = ("kept.py", "prune", "pages.settings", OWNER, f"{second}={SECOND}")
    argv = [sys.executable, "-B", str(ONSITE / words[0]), *words[1:]]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        argv, cwd=site.path, env=site.environ, stdout=pipe, stderr=pipe, text=True
    )


def test_what_a_list_names_that_another_stage_writes_meanwhile_stays(
    site: Site, s3: S3Server
) -> None:
    older(site)
    before = s3.keys()
    second = newer(site)
    with s3.holding(1):
        process = pruning(site, second)
        assert s3.held.wait(60), "the bucket was listed, and the lists are to be read"
        older(site, STAGING)
    said = process.communicate()
    assert said == ("0 files of releases that are gone were taken out of the bucket assets\n", "")
    assert before.keys() <= s3.keys().keys()


def test_a_release_that_comes_while_its_files_are_deleted_loses_no_more_and_is_named(
    site: Site, s3: S3Server
) -> None:
    older(site)
    sent = s3.keys()
    many = sorted(key for key in sent if "/many/" in key)
    second = newer(site)
    s3.asked.clear()
    assert pruning(site, second).communicate()[1] == ""
    number = [verb for verb, _ in s3.asked].index("DELETE")
    older(site)
    second = newer(site)
    with s3.holding(number):
        process = pruning(site, second)
        assert s3.held.wait(60), "the first file is to be deleted"
        older(site, STAGING)
    out, error = process.communicate()
    assert (process.returncode, out) == (1, "")
    assert re.fullmatch(
        r"\d+ files were taken out of the bucket assets while a release of shop\.staging was sent"
        r" that needs them, such as many/\S+: fab deploy-static of that stage sends them again\n",
        error,
    )
    assert set(many[AT_ONCE:]) <= s3.keys().keys()
    older(site, STAGING)
    assert set(many) <= s3.keys().keys()
