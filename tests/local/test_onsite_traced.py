"""Django is not even started to gather what it would gather from the very same files again."""

import os
import sys
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
BESIDE = (TOP / "releases" / ".env").read_text()
STATICFILES_DIRS = [TOP / "shared" / "branding"]
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
    "what lies beside the releases": ("releases/.env", "A=2"),
    "a folder that comes to be where files are looked for": ("shared/branding/new.css", ""),
    "a package of the virtualenv": ("venvs/key/lib/{python}/site-packages/new.py", ""),
}
NOT_TO_BE_COMPARED = {
    "a program is asked": "import subprocess; subprocess.run(['true'])",
    "a host is asked": "import socket; socket.getaddrinfo('127.0.0.1', 80)",
    "a database is asked": "import sqlite3; sqlite3.connect(':memory:')",
    "another process is made": "import os\nif not os.fork(): os._exit(0)",
    "it goes elsewhere": "import os; os.chdir('/')",
}
NOT_TO_BE_TOLD = """
import os, sys
from io import FileIO
from pathlib import Path
class Lazy:
    def __getattr__(self, name):
        return os.environ[name]
sys.modules["lazy"] = Lazy()
FileIO(Path(__file__)).close()
os.listdir(os.open("/", os.O_RDONLY))
"""
ODD = "\udcff\n.css"


@pytest.fixture
def counted(root: Path) -> Path:
    """A site that counts how often its settings are read."""
    code = root / "releases" / OLD / "pages"
    (code / "settings.py").write_text(COUNTED)
    (code / "names.py").touch()
    (root / "shared" / "more").write_text("A")
    (root / "releases" / ".env").write_text("A=1")
    return root


def both(root: Path, files: dict[str, str] | None = None) -> None:
    """Gather for a release, and for the next one, which has these files anew."""
    gather(root, OLD)
    pushed(root, files or {})
    gather(root, NEW, OLD)


def starts(root: Path) -> int:
    return len((root / STARTS).read_text().split())


def test_a_change_of_what_was_not_read_starts_nothing(counted: Path) -> None:
    both(counted)
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
    both(counted, OF_THE_CODE[what])
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
    python = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    file = counted / name.format(python=python)
    file.parent.mkdir(exist_ok=True)
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
    both(counted)
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


def test_an_app_that_asks_the_database_as_it_starts_is_asked_each_time(
    counted: Path,
) -> None:
    code = counted / "releases" / OLD / "pages"
    database = "DATABASES = {'default': {'ENGINE': 'pages.quiet', 'NAME': ':memory:'}}"
    (code / "quiet").mkdir()
    (code / "quiet" / "__init__.py").touch()
    # As drivers in C do it, this one connects without any word of it to Python.
    (code / "quiet" / "base.py").write_text(
        "from unittest.mock import MagicMock\n"
        "from django.db.backends.sqlite3.base import DatabaseWrapper as Real\n"
        "class DatabaseWrapper(Real):\n"
        "    def get_new_connection(self, params): return MagicMock()\n"
    )
    (code / "settings.py").write_text(f"{COUNTED}\n{database}\n")
    asks = "from django.db import connection; connection.ensure_connection()"
    (code / "apps.py").write_text(
        "from django.apps import AppConfig\n"
        "class Pages(AppConfig):\n"
        "    name = 'pages'\n"
        f"    def ready(self): {asks}\n"
    )
    both(counted)
    assert starts(counted) == 2


def test_settings_that_use_the_release_s_name_are_read_each_time(counted: Path) -> None:
    code = counted / "releases" / OLD / "pages"
    dirs = "STATICFILES_DIRS = [(Path(__file__).resolve().parents[1].name, TOP / 'shared')]"
    (code / "settings.py").write_text(f"{COUNTED}\n{dirs}\n")
    both(counted)
    assert starts(counted) == 2
    assert any(name.startswith(NEW) for name in collected(counted, NEW))


def test_what_cannot_be_told_is_no_reason_to_fail(counted: Path) -> None:
    code = counted / "releases" / OLD / "pages"
    (code / "settings.py").write_text(f"{COUNTED}\n{NOT_TO_BE_TOLD}\n")
    (code / ODD).touch()
    both(counted)
    assert starts(counted) == 1


def test_a_database_that_the_host_has_no_driver_for_is_no_reason_to_fail(counted: Path) -> None:
    code = counted / "releases" / OLD / "pages"
    databases = "DATABASES = {'default': {}, 'old': {'ENGINE': 'nobody.has.this'}}"
    (code / "settings.py").write_text(f"{COUNTED}\n{databases}\n")
    gather(counted, OLD)
    assert collected(counted, OLD)


def test_all_apps_that_have_a_file_of_the_same_name_are_looked_at(counted: Path) -> None:
    code = counted / "releases" / OLD
    settings = COUNTED.replace('"pages"]', '"pages", "zebra"]')
    (code / "pages" / "settings.py").write_text(settings)
    (code / "zebra" / "static" / "pages").mkdir(parents=True)
    (code / "zebra" / "__init__.py").touch()
    (code / "zebra" / "static" / "pages" / "dot.svg").write_text("<svg>hidden</svg>")
    both(counted, {"pages/static/pages/dot.svg": "<svg>taken</svg>"})
    assert starts(counted) == 2
    assert collected(counted, NEW)["pages/dot.svg"][0] == b"<svg>taken</svg>"
