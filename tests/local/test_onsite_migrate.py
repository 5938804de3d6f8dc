"""Migrating on a host, with SQLite: what is said before, after, and when it fails half way."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

ONSITE = Path(__file__).parents[2] / "deploy" / "onsite"
RELEASE = "000001-aaaaaaa"
SETTINGS = """
import os
SECRET_KEY = "not a secret"
INSTALLED_APPS = ["pages"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["DB_NAME"]}}
"""
MIGRATION = """
from django.db import migrations
def act(apps, editor):
    {action}
class Migration(migrations.Migration):
    atomic = {atomic}
    dependencies = [{after}]
    operations = [migrations.RunPython(act)]
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A host with one release, whose app has no migrations yet."""
    root = tmp_path / "pages"
    code = root / "releases" / RELEASE
    (code / "pages" / "migrations").mkdir(parents=True)
    (code / "pages" / "__init__.py").touch()
    (code / "pages" / "migrations" / "__init__.py").touch()
    (code / "pages" / "settings.py").write_text(SETTINGS)
    (code / "venv").symlink_to(sys.prefix)
    shutil.copytree(ONSITE, root / "entry", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "entry" / "site.json").write_text(json.dumps({"settings": "pages.settings"}))
    (root / "shared").mkdir()
    (root / "shared" / "env").write_text(f"DB_NAME={root}/db.sqlite3\nTOKEN=hunter2hunter2\n")
    return root


def add(
    root: Path, name: str, after: Iterable[str], action: str = "pass", atomic: str = ""
) -> None:
    """A migration of the app that does `action`."""
    text = MIGRATION.format(
        action=action, atomic=atomic or "True", after=", ".join(f"('pages', {a!r})" for a in after)
    )
    code = root / "releases" / RELEASE / "pages" / "migrations"
    (code / f"{name}.py").write_text(text)


def migrate(root: Path, *options: str, release: str = RELEASE) -> subprocess.CompletedProcess[str]:
    """Run migrate.py as the toolkit does."""
    script = str(root / "entry" / "migrate.py")
    argv = [sys.executable, script, *options, str(root), release, "5"]
    return subprocess.run(
        argv, capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"]}
    )


def test_what_is_pending_is_told_then_applied_and_counted(root: Path) -> None:
    add(root, "0001_first", ())
    add(root, "0002_second", ["0001_first"])
    done = migrate(root)
    assert done.stdout == "applying: pages.0001_first, pages.0002_second\napplied 2\n"
    assert (done.returncode, done.stderr) == (0, "")


def test_a_second_time_there_is_nothing_to_do(root: Path) -> None:
    add(root, "0001_first", ())
    migrate(root)
    assert migrate(root).stdout == "applying: nothing\napplied 0\n"


def test_a_plan_changes_nothing(root: Path) -> None:
    add(root, "0001_first", ())
    for _ in range(2):
        assert migrate(root, "--plan").stdout == "pages.0001_first\npending 1\n"


def test_a_failure_tells_what_failed_what_stays_and_what_is_pending(root: Path) -> None:
    add(root, "0001_first", ())
    add(root, "0002_second", ["0001_first"], "raise ValueError('no such colour')")
    add(root, "0003_third", ["0002_second"])
    done = migrate(root)
    assert done.returncode == 1
    assert done.stderr == (
        "pages.0002_second failed: ValueError: no such colour\n"
        "applied before it, and staying: pages.0001_first\n"
        "still pending: pages.0002_second, pages.0003_third\n"
    )
    assert "applied" not in done.stdout


def test_a_failed_migration_without_a_transaction_may_have_left_parts(root: Path) -> None:
    add(root, "0001_first", (), "raise ValueError('no such colour')", atomic="False")
    assert "not one transaction: part of it may have stayed" in migrate(root).stderr


def test_a_failure_shows_no_value_of_the_environment(root: Path) -> None:
    add(root, "0001_first", (), "import os; raise ValueError(os.environ['TOKEN'])")
    assert "ValueError: <TOKEN>" in migrate(root).stderr


def test_two_last_migrations_are_refused_before_anything_is_applied(root: Path) -> None:
    add(root, "0001_first", ())
    add(root, "0002_mine", ["0001_first"])
    add(root, "0002_yours", ["0001_first"])
    done = migrate(root)
    assert (done.returncode, done.stdout) == (1, "")
    assert "conflict" in done.stderr
    assert "0002_mine, 0002_yours" in done.stderr


def test_a_missing_parent_is_told_in_one_line(root: Path) -> None:
    add(root, "0002_second", ["0001_first"])
    done = migrate(root)
    assert done.returncode == 1
    assert done.stderr.startswith("the migrations cannot be planned: NodeNotFoundError: ")
    assert done.stderr.count("\n") == 1


def test_a_database_that_cannot_be_opened_is_told_in_one_line(root: Path) -> None:
    (root / "shared" / "env").write_text(f"DB_NAME={root}/nowhere/db.sqlite3\n")
    done = migrate(root)
    assert done.returncode == 1
    assert done.stderr == (
        f"cannot reach sqlite database {root}/nowhere/db.sqlite3 on this host:"
        " OperationalError: unable to open database file\n"
    )


def test_settings_that_do_not_load_stop_it_before_it_starts(root: Path) -> None:
    (root / "shared" / "env").write_text("TOKEN=hunter2hunter2\n")
    done = migrate(root)
    assert done.returncode == 2
    assert done.stderr == "the site does not start: KeyError: 'DB_NAME'\n"


def test_an_unknown_database_is_refused(root: Path) -> None:
    assert migrate(root, "--database", "other").stderr == "DATABASES has no 'other'\n"


def test_an_unknown_release_is_refused(root: Path) -> None:
    assert migrate(root, release="000009-0000000").returncode == 2
