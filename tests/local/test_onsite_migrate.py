"""Migrating on a host, with SQLite: what is said before, after, and when it fails half way."""

import fcntl
import json
import os
import shutil
import sqlite3
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
from django.db import migrations, models
def act(apps, editor):
    {action}
class Migration(migrations.Migration):
    atomic = {atomic}
    dependencies = [{after}]
    operations = [{operations}]
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
    write(root, name, after, "migrations.RunPython(act)", action, atomic or "True")


def write(
    root: Path,
    name: str,
    after: Iterable[str],
    operations: str,
    action: str = "pass",
    atomic: str = "True",
    release: str = RELEASE,
) -> None:
    """A migration of the app with these operations."""
    parents = ", ".join(f"('pages', {a!r})" for a in after)
    text = MIGRATION.format(action=action, atomic=atomic, after=parents, operations=operations)
    code = root / "releases" / release / "pages" / "migrations"
    (code / f"{name}.py").write_text(text)


def migrate(root: Path, *options: str, release: str = RELEASE) -> subprocess.CompletedProcess[str]:
    """Run migrate.py as the toolkit does."""
    return run(root, "migrate.py", *options, str(root), release, "5")


def plan(root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Ask what is pending, as the toolkit does."""
    return run(root, "planned.py", *options, str(root), RELEASE)


def run(root: Path, program: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run one of our programs in the release's Python, with nothing of our own environment."""
    argv = [sys.executable, str(root / "entry" / program), *words]
    return subprocess.run(
        argv, capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"]}
    )


def test_what_is_pending_is_told_then_applied_and_counted(root: Path) -> None:
    add(root, "0001_first", ())
    add(root, "0002_second", ["0001_first"])
    done = migrate(root)
    names = "pages.0001_first, pages.0002_second"
    assert done.stdout == f"applying: {names}\ntell: applied: {names}\n"
    assert (done.returncode, done.stderr) == (0, "")


def test_a_second_time_there_is_nothing_to_do(root: Path) -> None:
    add(root, "0001_first", ())
    migrate(root)
    assert migrate(root).stdout == "applying: nothing\napplied 0\n"


def test_a_plan_changes_nothing(root: Path) -> None:
    add(root, "0001_first", ())
    for _ in range(2):
        assert "tell: 1 additive: pages.0001_first\n" in plan(root).stdout


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


def test_a_failed_migration_without_a_transaction_tells_which_operations_stand(root: Path) -> None:
    operations = """
        migrations.RunSQL("CREATE TABLE one (id integer)"),
        migrations.RunSQL("SELECT nonsense FROM nowhere"),
        migrations.RunSQL("CREATE TABLE two (id integer)"),
    """
    write(root, "0001_first", (), operations, atomic="False")
    assert migrate(root).stderr == (
        "pages.0001_first failed: OperationalError: no such table: nowhere\n"
        "pages.0001_first is not one transaction, and 1 of its 3 operations stand:\n"
        "  stands: Raw SQL operation\n"
        "  failed, part of it may stand: Raw SQL operation\n"
        "  take what stands back by hand, or out of the migration, before it runs again\n"
        "applied before it, and staying: none\n"
        "still pending: pages.0001_first\n"
    )


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


PAGE = """migrations.CreateModel("Page", [
    ("id", models.BigAutoField(primary_key=True)), ("title", models.CharField(max_length=80)),
    ("text", models.TextField(null=True)),
])"""
DROP = 'migrations.RemoveField("page", "text")'
ADD = 'migrations.AddField("page", "colour", models.CharField(max_length=9, null=True))'


@pytest.fixture
def filled(root: Path) -> Path:
    """The same with a table that was migrated before, and one row in it."""
    write(root, "0001_first", (), PAGE)
    fill = 'apps.get_model("pages", "Page").objects.create(title="one", text="kept")'
    add(root, "0002_fill", ["0001_first"], fill)
    assert migrate(root).returncode == 0
    return root


def columns(root: Path) -> set[str]:
    """The columns that the table has now."""
    with sqlite3.connect(root / "db.sqlite3") as database:
        return {row[1] for row in database.execute("PRAGMA table_info(pages_page)")}


def test_a_plan_names_the_risk_the_table_and_its_rows(filled: Path) -> None:
    write(filled, "0003_drop", ["0002_fill"], DROP)
    said = plan(filled).stdout
    assert "tell: pages.0003_drop: destructive\n" in said
    assert "tell:   drops column pages_page.text (1 row)\n" in said


def test_a_plan_for_programs_says_the_same_in_json(filled: Path) -> None:
    write(filled, "0003_drop", ["0002_fill"], DROP)
    line = next(line for line in plan(filled).stdout.splitlines() if line.startswith("fact: "))
    assert json.loads(line.removeprefix("fact: ")) == {
        "event": "migration",
        "migration": "pages.0003_drop",
        "state": "pending",
        "risk": ["destructive"],
        "operations": ["drops column pages_page.text"],
        "rows": {"pages_page": 1},
    }


def test_a_plan_has_the_sql_if_it_is_asked_for(filled: Path) -> None:
    write(filled, "0003_add", ["0002_fill"], ADD)
    assert 'ADD COLUMN "colour" varchar(9) NULL' in plan(filled, "--sql").stdout


def test_on_an_empty_database_nothing_is_destructive(root: Path) -> None:
    write(root, "0001_first", (), PAGE)
    write(root, "0002_drop", ["0001_first"], DROP)
    said = plan(root, "--destructive", "refuse")
    assert said.returncode == 0
    assert "tell: 2 additive: pages.0001_first, pages.0002_drop\n" in said.stdout


def test_a_destructive_migration_is_refused_by_name_and_nothing_changes(filled: Path) -> None:
    write(filled, "0003_drop", ["0002_fill"], DROP)
    for program in (plan, migrate):
        done = program(filled, "--destructive", "refuse")
        assert done.returncode == 1
        assert done.stderr.startswith("pages.0003_drop is destructive")
        assert "--allow-destructive" in done.stderr
    assert "text" in columns(filled)


def test_what_takes_away_waits_for_the_switch_and_what_adds_does_not(filled: Path) -> None:
    write(filled, "0003_add", ["0002_fill"], ADD)
    write(filled, "0004_drop", ["0003_add"], DROP)
    done = migrate(filled, "--destructive", "after-switch")
    assert done.stdout == (
        "applying: pages.0003_add\nwaiting until after the switch: pages.0004_drop\n"
        "tell: applied: pages.0003_add\n"
    )
    assert columns(filled) >= {"colour", "text"}
    assert migrate(filled).stdout == "applying: pages.0004_drop\ntell: applied: pages.0004_drop\n"
    assert "text" not in columns(filled)


def test_what_the_new_release_needs_cannot_wait_behind_what_takes_away(filled: Path) -> None:
    write(filled, "0003_drop", ["0002_fill"], DROP)
    write(filled, "0004_add", ["0003_drop"], ADD)
    done = plan(filled, "--destructive", "after-switch")
    assert done.returncode == 1
    assert done.stderr.startswith("pages.0004_add cannot wait until after the switch")


def test_a_rename_fits_neither_release_and_cannot_wait(filled: Path) -> None:
    rename = 'migrations.RenameField("page", "text", "body")'
    write(filled, "0003_rename", ["0002_fill"], rename)
    done = plan(filled, "--destructive", "after-switch")
    assert done.stderr.startswith("pages.0003_rename cannot wait")


def test_a_migration_may_say_itself_that_it_is_harmless_or_not(filled: Path) -> None:
    write(filled, "0003_drop", ["0002_fill"], f"{DROP}]; destructive = False; _ = [")
    assert plan(filled, "--destructive", "refuse").returncode == 0
    write(filled, "0003_drop", ["0002_fill"], f"{ADD}]; destructive = True; _ = [")
    assert plan(filled, "--destructive", "refuse").returncode == 1


def test_what_a_run_applied_is_written_down_also_when_it_failed(root: Path) -> None:
    (root / ".deploy").mkdir()
    add(root, "0001_first", ())
    add(root, "0002_second", ["0001_first"], "raise ValueError('no such colour')")
    migrate(root, "--run", "run-1")
    add(root, "0002_second", ["0001_first"])
    migrate(root, "--run", "run-2")
    assert (root / ".deploy" / "migrations").read_text() == (
        f"apply run-1 {RELEASE} pages.0001_first\napply run-2 {RELEASE} pages.0002_second\n"
    )


def test_a_second_migration_of_the_same_site_waits_for_its_turn(root: Path) -> None:
    add(root, "0001_first", ())
    folder = os.open(root, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        done = migrate(root, "--wait", "0")
    finally:
        os.close(folder)
    assert done.returncode == 1
    assert "another migration of sqlite database" in done.stderr
    assert migrate(root).returncode == 0


def test_a_database_that_somebody_else_writes_to_is_told_as_such(filled: Path) -> None:
    settings = filled / "releases" / RELEASE / "pages" / "settings.py"
    settings.write_text(settings.read_text() + "DATABASES['default']['OPTIONS'] = {'timeout': 0}\n")
    write(filled, "0003_add", ["0002_fill"], ADD)
    with sqlite3.connect(filled / "db.sqlite3", isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        done = migrate(filled)
        other.execute("ROLLBACK")
    assert done.returncode == 1
    assert "database is locked" in done.stderr
    assert migrate(filled).stdout == "applying: pages.0003_add\ntell: applied: pages.0003_add\n"


def test_a_release_writes_down_which_migrations_it_knows_and_what_they_replace(root: Path) -> None:
    add(root, "0001_first", ())
    write(root, "0001_squashed", (), "]; replaces = [('pages', '0001_first')")
    plan(root)
    known = json.loads((root / "releases" / RELEASE / ".migrations").read_text())
    assert known == {"pages.0001_first": [], "pages.0001_squashed": ["pages.0001_first"]}


def test_migrations_that_only_another_release_knows_are_no_obstacle(filled: Path) -> None:
    write(filled, "0003_add", ["0002_fill"], ADD)
    migrate(filled)
    (filled / "releases" / RELEASE / "pages" / "migrations" / "0003_add.py").unlink()
    write(
        filled,
        "0003_index",
        ["0002_fill"],
        'migrations.AlterField("page", "title", models.CharField(max_length=40))',
    )
    said = plan(filled).stdout
    assert "tell: pages.0003_index: narrowing\n" in said
    assert "column pages_page.title takes shorter texts (1 row)" in said


def test_a_squashed_history_is_nothing_new_to_a_database_that_has_all_of_it(filled: Path) -> None:
    folder = filled / "releases" / RELEASE / "pages" / "migrations"
    names = sorted(path.stem for path in folder.glob("0*.py"))
    write(filled, "0001_squashed", (), "")
    squashed = folder / "0001_squashed.py"
    replaces = f"    replaces = {[('pages', name) for name in names]}\n"
    squashed.write_text(squashed.read_text() + replaces)
    assert plan(filled).stdout == "tell: no migration is pending\n"
    assert migrate(filled).stdout == "applying: nothing\napplied 0\n"
    for name in names:
        (folder / f"{name}.py").unlink()
    assert plan(filled).stdout == "tell: no migration is pending\n"
