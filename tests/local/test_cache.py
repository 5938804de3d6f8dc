"""The cache of whoever deploys: what is in use stays, and what is not does not pile up."""

import os
import subprocess
import time
from pathlib import Path

import deploy
from deploy.workshop import there

BUILD = Path(deploy.__file__).parent / "local/build.sh"
MONTH = 31 * 86400


def made(cache: Path, name: str, seconds_ago: float) -> Path:
    entry = cache / name
    entry.mkdir(parents=True)
    (entry / "file").write_text(name)
    (cache / f"{name}.sums").write_text("")
    then = time.time() - seconds_ago
    for path in (entry, cache / f"{name}.sums"):
        os.utime(path, (then, then))
    return entry


def make_another(cache: Path) -> None:
    """As a deploy of a revision that nobody has released does."""
    venv = ("sh", BUILD, "make_builder", cache / "another", "true")
    fake = cache.parent / "python"
    fake.write_text('#!/bin/sh\nmkdir "$3"\n')
    fake.chmod(0o755)
    subprocess.run([str(word) for word in (*venv[:-1], fake)], check=True)


def test_what_was_not_asked_for_in_a_month_goes_when_something_else_is_made(tmp_path: Path) -> None:
    cache = tmp_path / "exports"
    made(cache, "0ld", MONTH)
    used, young = made(cache, "0fu5e", MONTH), made(cache, "y0ung", MONTH / 2)
    list_of_files = made(tmp_path / "changed", "c0ffee", MONTH)
    assert there(used)
    make_another(cache)
    assert sorted(path.name for path in cache.iterdir()) == [
        "0fu5e",
        "0fu5e.sums",
        "another",
        "y0ung",
        "y0ung.sums",
    ]
    assert (young / "file").exists()
    assert list_of_files.exists(), "it cannot be made again"


def test_what_is_not_there_is_not_made_by_asking(tmp_path: Path) -> None:
    assert not there(tmp_path / "nothing")
    assert not list(tmp_path.iterdir())
