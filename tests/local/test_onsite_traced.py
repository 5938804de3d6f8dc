"""Django is not even started to gather what it would gather from the very same files again."""

import os
import time
from pathlib import Path

import pytest

from tests.local.test_onsite_entry import NEW, OLD
from tests.local.test_onsite_gather import FILES, SETTINGS, collected, gather, pushed, root

__all__ = ["root"]

STARTS = "starts"
COUNTED = f"""{SETTINGS}
from pages import names
TOP = Path(__file__).resolve().parents[3]
with open(TOP / "{STARTS}", "a") as starts:
    starts.write("again ")
try:
    MORE = (TOP / "shared" / "more").read_text()
except OSError:
    MORE = ""
"""
OF_THE_CODE = {
    "settings": {"pages/settings.py": f"{COUNTED}\nA = 1\n"},
    "a module that they import": {"pages/names.py": "A = 1\n"},
    "a static file": {"pages/static/pages/dot.svg": "<svg></svg>"},
    "a file more": {"pages/local.py": ""},
}
OUTSIDE = {
    "a file that was read": ("shared/more", "B"),
    "the site's variables": ("shared/env", "SECRET_KEY='another horse'\n"),
    "the toolkit": ("entry/enter.py", None),
}
NOT_TO_BE_COMPARED = {
    "a program is asked": "import subprocess; subprocess.run(['true'])",
    "a host is asked": "import socket; socket.getaddrinfo('127.0.0.1', 80)",
    "a database is asked": "import sqlite3; sqlite3.connect(':memory:')",
}


@pytest.fixture
def counted(root: Path) -> Path:
    """A site that counts how often its settings are read."""
    code = root / "releases" / OLD / "pages"
    (code / "settings.py").write_text(COUNTED)
    (code / "names.py").touch()
    (root / "shared" / "more").write_text("A")
    return root


def starts(root: Path) -> int:
    return len((root / STARTS).read_text().split())


def test_a_change_of_what_was_not_read_starts_nothing(counted: Path) -> None:
    gather(counted, OLD)
    pushed(counted, {})
    gather(counted, NEW, OLD)
    assert starts(counted) == 1
    assert collected(counted, NEW) == collected(counted, OLD)
    assert len(collected(counted, NEW)) > len(FILES) - 2


def test_the_third_release_knows_it_from_the_second_that_started_nothing(counted: Path) -> None:
    gather(counted, OLD)
    gather(counted, pushed(counted, {}).name, OLD)
    (counted / "releases" / OLD).rename(counted / "releases" / "kept")
    (counted / "releases" / NEW).rename(counted / "releases" / OLD)
    gather(counted, pushed(counted, {}).name, OLD)
    assert starts(counted) == 1


@pytest.mark.parametrize("what", OF_THE_CODE)
def test_django_is_started_when_the_code_has_changed_in(counted: Path, what: str) -> None:
    gather(counted, OLD)
    pushed(counted, OF_THE_CODE[what])
    gather(counted, NEW, OLD)
    assert starts(counted) == 2


def test_django_is_started_when_a_file_of_the_code_is_gone(counted: Path) -> None:
    gather(counted, OLD)
    (pushed(counted, {}) / "pages" / "late.py").unlink()
    gather(counted, NEW, OLD)
    assert starts(counted) == 2


@pytest.mark.parametrize("what", OUTSIDE)
def test_django_is_started_when_outside_of_the_release_something_else_is(
    counted: Path, what: str
) -> None:
    name, text = OUTSIDE[what]
    gather(counted, OLD)
    pushed(counted, {})
    file = counted / name
    file.write_text(file.read_text() if text is None else text)
    os.utime(file, ns=(time.time_ns(), time.time_ns() + 1))
    gather(counted, NEW, OLD)
    assert starts(counted) == 2


def test_django_is_started_when_a_file_that_it_looked_for_has_come(counted: Path) -> None:
    (counted / "shared" / "more").unlink()
    gather(counted, OLD)
    pushed(counted, {})
    (counted / "shared" / "more").write_text("A")
    gather(counted, NEW, OLD)
    assert starts(counted) == 2


def test_django_is_started_when_the_login_has_another_variable(counted: Path) -> None:
    gather(counted, OLD)
    pushed(counted, {})
    gather(counted, NEW, OLD, path="/nowhere")
    assert starts(counted) == 2


def test_django_is_started_when_there_are_other_packages(counted: Path) -> None:
    gather(counted, OLD)
    made = pushed(counted, {})
    venv = counted / "venvs" / "key"
    venv.rename(counted / "venvs" / "other")
    (made / "venv").unlink()
    (made / "venv").symlink_to("../../venvs/other")
    gather(counted, NEW, OLD)
    assert starts(counted) == 2


@pytest.mark.parametrize("what", NOT_TO_BE_COMPARED)
def test_django_is_started_each_time_when(counted: Path, what: str) -> None:
    code = counted / "releases" / OLD / "pages"
    (code / "settings.py").write_text(f"{COUNTED}\n{NOT_TO_BE_COMPARED[what]}\n")
    gather(counted, OLD)
    pushed(counted, {})
    gather(counted, NEW, OLD)
    assert starts(counted) == 2


def test_a_log_that_grows_is_nothing_that_was_read(counted: Path) -> None:
    code = counted / "releases" / OLD / "pages"
    log = counted / "shared" / "site.log"
    (code / "settings.py").write_text(f"{COUNTED}\nopen({str(log)!r}, 'a').write('line')\n")
    gather(counted, OLD)
    pushed(counted, {})
    log.write_text("more lines")
    gather(counted, NEW, OLD)
    assert starts(counted) == 1
