"""Going back on a host, with SQLite: what an old release does not know, and taking it back."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.local.test_onsite_migrate import (  # noqa: F401 - fixtures are found by their names
    ADD,
    DROP,
    RELEASE,
    columns,
    filled,
    migrate,
    plan,
    root,
    run,
    write,
)

NEWER = "000002-bbbbbbb"


@pytest.fixture
def two(filled: Path) -> Path:  # noqa: F811
    """A host whose database and older release have the same, and a newer release like it."""
    plan(filled)
    shutil.copytree(filled / "releases" / RELEASE, filled / "releases" / NEWER, symlinks=True)
    return filled


def newer(root: Path, *migrations: tuple[str, str]) -> None:  # noqa: F811
    """The newer release has these migrations as well, and the database too."""
    before = "0002_fill"
    for name, operations in migrations:
        write(root, name, [before], operations, release=NEWER)
        before = name
    assert plan_newer(root) == 0
    assert migrate(root, release=NEWER).returncode == 0


def plan_newer(root: Path) -> int:  # noqa: F811
    return run(root, "planned.py", str(root), NEWER).returncode


def look(root: Path, code: str = NEWER, target: str = RELEASE) -> dict[str, Any]:  # noqa: F811
    """What separates the database from the older release."""
    done = run(root, "goback.py", str(root), code, target)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.removeprefix("schema: "))
    return answer


def test_a_release_that_knows_everything_is_told_so(two: Path) -> None:
    assert look(two) == {
        "unknown": [],
        "lacking": [],
        "order": [],
        "blocked": [],
        "squashed": [],
        "code": NEWER,
    }


def test_what_is_unknown_is_told_with_its_risk_and_what_going_back_costs(two: Path) -> None:
    newer(two, ("0003_add", ADD))
    assert look(two)["unknown"] == [
        {
            "name": "pages.0003_add",
            "risk": ["additive"],
            "back": ["going back drops column pages_page.colour (1 row)"],
            "reversible": True,
        }
    ]


def test_taking_back_leaves_the_older_schema_and_its_rows(two: Path) -> None:
    newer(two, ("0003_add", ADD), ("0004_more", ADD.replace("colour", "shape")))
    assert look(two)["order"] == ["pages.0004_more", "pages.0003_add"]
    done = run(two, "goback.py", "--apply", "run-1", str(two), NEWER, RELEASE)
    assert done.stdout == "tell: taken back: pages.0004_more, pages.0003_add\n"
    assert columns(two) == {"id", "title", "text"}
    assert look(two)["unknown"] == []


def test_what_was_taken_back_is_applied_again_by_name(two: Path) -> None:
    newer(two, ("0003_add", ADD), ("0004_more", ADD.replace("colour", "shape")))
    run(two, "goback.py", "--apply", "run-1", str(two), NEWER, RELEASE)
    write(two, "0005_never", ["0004_more"], DROP, release=NEWER)
    only = ("--only", "pages.0004_more", "--only", "pages.0003_add")
    assert migrate(two, *only, release=NEWER).stdout == (
        "applying: pages.0003_add, pages.0004_more\n"
        "tell: applied: pages.0003_add, pages.0004_more\n"
    )
    assert "text" in columns(two)


def test_an_irreversible_migration_is_refused_by_name_and_nothing_is_taken_back(two: Path) -> None:
    newer(two, ("0003_code", "migrations.RunPython(act)"), ("0004_add", ADD))
    assert [one["reversible"] for one in look(two)["unknown"]] == [True, False]
    done = run(two, "goback.py", "--apply", "run-1", str(two), NEWER, RELEASE)
    assert done.returncode == 1
    assert done.stderr == "pages.0003_code: irreversible; nothing was taken back\n"
    assert "colour" in columns(two)


def test_what_a_release_needs_and_the_database_has_not_is_named(two: Path) -> None:
    write(two, "0003_add", ["0002_fill"], ADD, release=NEWER)
    plan_newer(two)
    assert look(two, code=RELEASE, target=NEWER)["lacking"] == ["pages.0003_add"]


def test_code_that_lies_in_another_release_is_found_there(two: Path) -> None:
    newer(two, ("0003_add", ADD))
    answer = look(two, code=RELEASE)
    assert answer["code"] == NEWER
    assert [one["name"] for one in answer["unknown"]] == ["pages.0003_add"]


def test_a_release_without_a_record_is_asked_itself(two: Path) -> None:
    newer(two, ("0003_add", ADD))
    (two / "releases" / RELEASE / ".migrations").unlink()
    assert [one["name"] for one in look(two)["unknown"]] == ["pages.0003_add"]
    assert (two / "releases" / RELEASE / ".migrations").exists()


def test_squashed_migrations_are_not_unknown_to_who_knows_them_one_by_one(two: Path) -> None:
    replaces = "]; replaces = [('pages', '0001_first'), ('pages', '0002_fill')"
    write(two, "0001_squashed", (), replaces, release=NEWER)
    assert plan_newer(two) == 0
    assert migrate(two, release=NEWER).returncode == 0
    answer = look(two)
    assert (answer["unknown"], answer["lacking"]) == ([], [])


def test_a_history_that_was_squashed_for_good_is_never_taken_back(two: Path) -> None:
    code = two / "releases" / NEWER / "pages" / "migrations"
    page = (code / "0001_first.py").read_text()
    for name in ("0001_first", "0002_fill"):
        (code / f"{name}.py").unlink()
    (code / "0001_whole.py").write_text(page)
    # As it is done: recorded as applied while it still named what it replaces.
    whole = page.replace("operations", "replaces = [('pages', '0001_first')]\n    operations", 1)
    (code / "0001_whole.py").write_text(whole)
    assert migrate(two, release=NEWER).returncode == 0
    (code / "0001_whole.py").write_text(page)
    plan_newer(two)
    assert look(two)["squashed"] == ["pages.0001_whole"]
    done = run(two, "goback.py", "--apply", "run-1", str(two), NEWER, RELEASE)
    assert done.returncode == 1
    assert columns(two) == {"id", "title", "text"}


def test_a_way_back_that_fails_tells_what_was_taken_back(two: Path) -> None:
    broken = 'migrations.RunSQL("SELECT 1", "SELECT nonsense FROM nowhere")'
    newer(two, ("0003_sql", broken), ("0004_add", ADD))
    done = run(two, "goback.py", "--apply", "run-1", str(two), NEWER, RELEASE)
    assert done.returncode == 1
    assert done.stderr.startswith("pages.0003_sql could not be taken back: OperationalError")
    assert "taken back before it: pages.0004_add\n" in done.stderr


def test_what_each_release_does_not_know_is_told_without_the_database(two: Path) -> None:
    (two / ".deploy").mkdir()
    newer(two, ("0003_add", ADD))
    (two / "db.sqlite3").rename(two / "db.aside")
    assert run(two, "records.py", str(two)).stdout == f"{RELEASE} pages.0003_add\n"
    (two / "db.aside").rename(two / "db.sqlite3")
    run(two, "goback.py", "--apply", "run-1", str(two), NEWER, RELEASE)
    assert run(two, "records.py", str(two)).stdout == ""
