"""Backups on a host, with SQLite: whole or not there, kept, compared, and put back."""

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

ONSITE = Path(__file__).parents[2] / "deploy" / "onsite"
RELEASE = "000001-aaaaaaa"
SETTINGS = """
import os
SECRET_KEY = "not a secret"
INSTALLED_APPS = []
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["DB_NAME"]}}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A host with one release, whose database holds two rows."""
    root = tmp_path / "pages"
    code = root / "releases" / RELEASE
    (code / "pages").mkdir(parents=True)
    (code / "pages" / "__init__.py").touch()
    (code / "pages" / "settings.py").write_text(SETTINGS)
    (code / "venv").symlink_to(sys.prefix)
    shutil.copytree(ONSITE, root / "entry", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "entry" / "site.json").write_text(json.dumps({"settings": "pages.settings"}))
    (root / ".deploy").mkdir()
    (root / "shared").mkdir()
    (root / "shared" / "env").write_text(f"DB_NAME={root}/db.sqlite3\nTOKEN=hunter2hunter2\n")
    sql(root, "CREATE TABLE page (title text)", "INSERT INTO page VALUES ('one'), ('two')")
    return root


def sql(root: Path, *statements: str, name: str = "db.sqlite3") -> list[tuple[object, ...]]:
    """What the last statement gives."""
    with closing(sqlite3.connect(root / name, isolation_level=None)) as database:
        return [database.execute(statement).fetchall() for statement in statements][-1]


def titles(root: Path, name: str = "db.sqlite3") -> list[str]:
    """What the database holds."""
    return [str(title) for (title,) in sql(root, "SELECT title FROM page", name=name)]


def run(root: Path, program: str, *words: str, code: int = 0) -> str:
    """What the program says; it has to end with that exit code."""
    argv = [sys.executable, f"{root}/entry/{program}", *words]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=root)
    assert done.returncode == code, done.stdout + done.stderr
    assert "hunter2" not in done.stdout + done.stderr
    return done.stdout + done.stderr


def saved(root: Path, *options: str) -> str:
    """The name of a new backup; a name tells the second, so no two are made in one."""
    now = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{RELEASE}"
    if (root / "shared" / "backups" / now).exists():
        time.sleep(1)
    said = run(root, "backup.py", *options, str(root), RELEASE)
    fact = next(line for line in said.splitlines() if line.startswith("fact: "))
    name: str = json.loads(fact.removeprefix("fact: "))["backup"]
    return name


def restored(root: Path, name: str, *options: str, code: int = 0) -> str:
    """What is said when the backup is put back."""
    return run(root, "restore.py", *options, str(root), RELEASE, name, code=code)


def listed(root: Path) -> list[str]:
    """The names of the backups, newest first."""
    return [json.loads(line)["name"] for line in run(root, "backups.py", str(root)).splitlines()]


def test_a_backup_takes_the_place_of_what_was_written_and_made_since(root: Path) -> None:
    name = saved(root)
    sql(root, "INSERT INTO page VALUES ('three')", "CREATE TABLE later (id integer)")
    said = restored(root, name, "--run", "20260101-120000-abc123")
    assert titles(root) == ["one", "two"]
    assert not sql(root, "SELECT name FROM sqlite_master WHERE name = 'later'")
    assert f"holds {name}" in said
    note = (root / ".deploy" / "migrations").read_text()
    assert note == f"restore 20260101-120000-abc123 {RELEASE} {name}\n"


def test_a_backup_becomes_a_database_beside_the_site_s_own_and_never_one_that_is_there(
    root: Path,
) -> None:
    name = saved(root)
    sql(root, "INSERT INTO page VALUES ('three')")
    restored(root, name, "--into", "scratch.sqlite3")
    assert titles(root, "scratch.sqlite3") == ["one", "two"]
    assert titles(root) == ["one", "two", "three"]
    said = restored(root, name, "--into", "scratch.sqlite3", code=1)
    assert "is there already" in said
    assert "is as it was" in said


def test_what_is_not_yet_in_the_file_of_a_database_in_wal_mode_is_in_the_backup(root: Path) -> None:
    with closing(sqlite3.connect(root / "db.sqlite3", isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("INSERT INTO page VALUES ('three')")
        name = saved(root)
        writer.execute("DELETE FROM page")
        restored(root, name)
        assert titles(root) == ["one", "two", "three"]


def test_only_the_newest_stay_and_the_one_that_is_being_restored(root: Path) -> None:
    first, *others = [saved(root, "--keep", "2") for _ in range(3)]
    assert listed(root) == others[::-1]
    last = saved(root, "--keep", "1", "--spare", others[0])
    assert listed(root) == [last, others[0]]
    assert first not in listed(root)


def test_what_was_just_made_stays_though_the_host_s_clock_was_set_back_since_the_others(
    root: Path,
) -> None:
    earlier = saved(root)
    about = root / "shared" / "backups" / earlier / "about.json"
    about.write_text(json.dumps({**json.loads(about.read_text()), "made": "2999-01-01T00:00:00Z"}))
    made = saved(root, "--keep", "1")
    assert listed(root) == [earlier, made]


def test_what_was_saved_before_a_restore_that_failed_half_way_stays_until_one_succeeds(
    root: Path,
) -> None:
    """Else doing it again would save the half, and in the end take away the only whole data."""
    whole = saved(root, "--why", "before restoring 20260101-120000-000000-aa", "--before-restore")
    (root / ".deploy" / "restoring").write_text("20260101-120000-000000-aa")
    last = saved(root, "--keep", "1")
    assert listed(root) == [last, whole]
    said = run(root, "backup.py", "--before-restore", str(root), RELEASE)
    assert "not saved again" in said
    assert listed(root) == [last, whole]


def test_what_is_half_written_is_never_listed_and_is_gone_after_the_next_one(root: Path) -> None:
    name = saved(root)
    half = root / "shared" / "backups" / f".part-{name[:-1]}b"
    shutil.copytree(root / "shared" / "backups" / name, half)
    assert listed(root) == [name]
    saved(root)
    assert not half.exists()


def test_a_backup_that_was_damaged_is_not_restored(root: Path) -> None:
    name = saved(root)
    with (root / "shared" / "backups" / name / "sqlite.db").open("ab") as file:
        file.write(b"x")
    sql(root, "INSERT INTO page VALUES ('three')")
    assert "is damaged" in restored(root, name, code=1)
    assert titles(root) == ["one", "two", "three"]
    assert "there is no backup '1'" in restored(root, "1", code=1)


def test_a_database_that_somebody_writes_to_is_left_alone_and_told_as_such(root: Path) -> None:
    name = saved(root)
    with closing(sqlite3.connect(root / "db.sqlite3", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        said = restored(root, name, "--lock-timeout", "1", code=1)
    assert "database is locked" in said
    assert "is as it was" in said


@pytest.fixture
def large(root: Path) -> Iterator[Path]:
    """The same, with enough in the database that saving it can be met half way."""
    sql(root, "CREATE TABLE noise (data blob)")
    filler = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)"
    sql(root, f"{filler} INSERT INTO noise SELECT randomblob(1000000) FROM n")  # noqa: S608
    yield root
    (root / "db.sqlite3").unlink()


def test_who_is_told_to_end_leaves_nothing_of_the_backup(large: Path) -> None:
    argv = [sys.executable, f"{large}/entry/backup.py", str(large), RELEASE]
    folder = large / "shared" / "backups"
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, cwd=large) as process:
        while not list(folder.glob(".part-*/sqlite.db")):
            assert process.poll() is None, "it was over too soon"
        process.send_signal(signal.SIGTERM)
    assert process.returncode == 143
    assert not list(folder.iterdir())


def test_a_backup_without_a_migration_to_come_is_not_made_if_only_that_asks_for_it(
    root: Path,
) -> None:
    said = run(root, "backup.py", "--if-pending", str(root), RELEASE)
    assert "no migration is pending: no backup" in said
    assert not listed(root)
    (root / "db.sqlite3").unlink()
    sql(root, "SELECT 1")
    said = run(root, "backup.py", "--if-pending", str(root), RELEASE)
    assert "the database is empty: no backup" in said
