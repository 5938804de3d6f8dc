"""What a CDN is told of, where several runs of one machine replace files at once."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.local.s3server import S3Server
from tests.local.test_static_bucket import ONSITE, SEND, Site, site_with

BUILD = ONSITE.parent / "local" / "build.sh"
ROBOTS = "/site/robots.txt\n"
NOTHING = "no file without a digest in its name has changed\n"


@pytest.fixture
def site(tmp_path: Path, s3: S3Server) -> Site:
    """A site whose first release is in the bucket."""
    made = site_with(s3, tmp_path)
    made.collect()
    made.send(changed(made))
    return made


def changed(site: Site) -> str:
    """What the lists of changed paths are called."""
    return str(site.path / "cache folder" / "changed")


def release(site: Site, number: int) -> None:
    """Collect a release in which one file without a digest in its name is another one."""
    site.write({"pages/static/robots.txt": f"User-agent: {number}"})
    site.collect()


def sending(site: Site) -> list[str]:
    """The program that sends what was collected."""
    return [sys.executable, "-B", str(ONSITE / SEND[0]), *SEND[1:], changed(site)]


def told(site: Site, *command: str, code: int = 0) -> str:
    """What is said where the CDN is told by this command, which repeats what it gets."""
    argv = ["sh", str(BUILD), "invalidate", changed(site), *(command or ("cat",))]
    done = subprocess.run(
        argv, cwd=site.path, env=site.environ, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (code, "")
    return done.stdout


def requests_before_the_file(site: Site, s3: S3Server) -> int:
    """After how many requests a release replaces the file; one such release is sent and told."""
    release(site, 1)
    s3.asked.clear()
    site.send(changed(site))
    assert told(site) == ROBOTS
    return s3.asked.index(("PUT", "/assets/site/robots.txt"))


@contextmanager
def replacing(site: Site, s3: S3Server) -> Iterator["subprocess.Popen[bytes]"]:
    """A run that has listed the file, and waits for the bucket to take it while the block lasts."""
    number = requests_before_the_file(site, s3)
    release(site, 2)
    with s3.holding(number):
        process = subprocess.Popen(sending(site), cwd=site.path, env=site.environ)
        assert s3.held.wait(60)
        yield process


def test_what_another_run_replaces_while_a_cdn_is_told_is_told_afterwards(site: Site) -> None:
    release(site, 1)
    site.send(changed(site))
    release(site, 2)
    meanwhile = told(site, "sh", "-c", 'cat; exec "$@"', "sh", *sending(site))
    assert meanwhile.startswith(ROBOTS)
    assert ", 2 of 2 files and " in meanwhile
    assert told(site) == ROBOTS
    assert told(site) == NOTHING


def test_paths_stay_listed_until_the_command_accepts_them(site: Site) -> None:
    for number in (1, 2):
        release(site, number)
        site.send(changed(site))
        assert "false exited with 1; the next run repeats it" in told(site, "false", code=1)
    assert told(site) == ROBOTS
    assert told(site) == NOTHING


def test_a_cdn_is_not_told_of_a_file_that_another_run_has_yet_to_replace(
    site: Site, s3: S3Server
) -> None:
    with replacing(site, s3) as process:
        assert told(site) == NOTHING
    assert process.wait() == 0
    assert told(site) == ROBOTS


def test_what_a_run_that_was_killed_had_begun_to_replace_is_told_by_the_next(
    site: Site, s3: S3Server
) -> None:
    with replacing(site, s3) as process:
        process.kill()
        process.wait()
    assert told(site) == NOTHING
    site.send(changed(site))
    assert told(site) == ROBOTS
