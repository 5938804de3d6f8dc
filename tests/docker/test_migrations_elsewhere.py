"""Migrations on one host with SQLite, and with MariaDB, which takes no schema change back."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from tests.docker.checkout import Checkout
from tests.docker.hosts import Hosts
from tests.docker.migrating import (
    ASK_SQLITE,
    COLOUR,
    FAILS,
    MOOD,
    NO_COLOUR,
    PYMYSQL,
    Database,
    add,
)
from tests.docker.test_one_host import ROOT, diary, solo  # noqa: F401 - fixtures, by their names
from tests.docker.visitor import sign
from tests.sandbox import mariadb

pytestmark = pytest.mark.docker

PASSWORD = "known-to-these-tests-only"  # noqa: S105 - of a database that lives for minutes
HOLD_SQLITE = (
    "import sqlite3, sys, time; d = sqlite3.connect(sys.argv[1], isolation_level=None);"
    " d.execute('BEGIN EXCLUSIVE'); print('held', flush=True); time.sleep(120)"
)


@dataclass(frozen=True)
class Engine:
    """A database of one kind on the host; `hold` keeps its guestbook to itself, and says so."""

    name: str
    database: Database
    hold: tuple[str, ...]


@pytest.fixture(params=["sqlite", "mariadb"], scope="module")
def engine(request: pytest.FixtureRequest, solo: Hosts, diary: Checkout) -> Engine:  # noqa: F811
    """The site on a database of that kind, released, with two visitors' entries."""
    file = f"{ROOT}/shared/data/db.sqlite3"
    if request.param == "sqlite":
        client = f'runuser -u deploy -- python3 -c "{ASK_SQLITE}" {file}'
        hold: tuple[str, ...] = ("python3", "-c", HOLD_SQLITE, file)
    else:
        mariadb.serve(solo.fleet.container("solo"), "diary", PASSWORD)
        url = f"mysql://diary:{PASSWORD}@127.0.0.1:3306/diary"
        solo.on("solo", f"sed -i 's#^DATABASE_URL=.*#DATABASE_URL={url}#' {ROOT}/shared/env")
        solo.on("solo", f"rm -f {ROOT}/.deploy/migrated")  # it is another database
        diary.edit("requirements.txt", "sqlparse", "PyMySQL==1.2.4\nsqlparse")
        diary.write("config/__init__.py", PYMYSQL)
        diary.commit("MariaDB")
        client = "mariadb --batch --skip-column-names diary -e"
        lock = "LOCK TABLES guestbook_entry READ; SELECT 'held'; SELECT SLEEP(120)"
        hold = ("mariadb", "--unbuffered", "diary", "-e", lock)
    diary.fab("deploy")
    made = Database(solo, "solo", client, ROOT)
    while len(made.rows()) < 2:
        sign(solo.fleet.urls["solo"], "photo.png")
    return Engine(request.param, made, hold)


@pytest.fixture
def kept(engine: Engine, diary: Checkout) -> Iterator[Engine]:  # noqa: F811
    """The same; afterwards its rows and its schema are what they were, and so is the project."""
    before, commit = engine.database.rows(), diary.git("rev-parse", "HEAD").strip()
    yield engine
    assert engine.database.rows() == before
    engine.database.forget("colour", "mood")
    diary.git("reset", "--quiet", "--hard", commit)
    diary.git("clean", "-fdq")
    diary.fab("deploy")


@contextmanager
def held(engine: Engine, solo: Hosts) -> Iterator[None]:  # noqa: F811
    """While the block lasts, somebody has the guestbook's table for himself."""
    words = ["docker", "exec", solo.fleet.container("solo"), *engine.hold]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        while "held" not in holder.stdout.readline():
            pass
        try:
            yield
        finally:
            solo.on("solo", "pgrep -f '[B]EGIN EXCLUSIVE|[L]OCK TABLES' | xargs -r kill -9 || true")
            holder.wait(30)


def test_a_migration_is_applied_refused_run_late_and_taken_back(
    solo: Hosts,  # noqa: F811
    diary: Checkout,  # noqa: F811
    kept: Engine,
) -> None:
    older = solo.get("solo").release
    add(diary, "0003_colour", COLOUR)
    diary.commit("A colour")
    newer = diary.fab("deploy", "--json").result["release"]
    assert kept.database.has("colour")
    refused = diary.fab("rollback", code=2)
    rows = len(kept.database.rows())
    assert f"going back drops column guestbook_entry.colour ({rows} rows)" in refused.err

    add(diary, "0004_no_colour", NO_COLOUR, "0003_colour")
    diary.commit("No colour after all")
    refused = diary.fab("deploy", code=3)
    assert "guestbook.0004_no_colour is destructive" in refused.err
    assert solo.get("solo").release == newer
    diary.fab("--set", "db.destructive=after-switch", "deploy")
    assert not kept.database.has("colour")

    diary.fab("rollback", "--migrate-back")
    assert solo.get("solo").release == newer
    assert kept.database.has("colour")
    diary.fab("rollback", "--migrate-back")
    assert solo.get("solo").release == older
    assert not kept.database.has("colour")


def test_half_a_migration_stands_only_where_the_database_cannot_take_it_back(
    solo: Hosts,  # noqa: F811
    diary: Checkout,  # noqa: F811
    kept: Engine,
) -> None:
    before = solo.get("solo").release
    add(diary, "0003_half", ", ".join((COLOUR, FAILS, MOOD)))
    diary.commit("Half of it")
    told = diary.fab("deploy", "--json", code=6).result["error"]
    assert "guestbook.0003_half failed" in told
    stands = kept.name == "mariadb"
    assert ("1 of its 3 operations stand" in told) == stands
    assert ("stands: Add field colour to entry" in told) == stands
    assert (kept.database.has("colour"), kept.database.has("mood")) == (stands, False)
    assert solo.get("solo").release == before


def test_a_database_that_is_held_stops_the_run_and_not_the_site(
    solo: Hosts,  # noqa: F811
    diary: Checkout,  # noqa: F811
    kept: Engine,
) -> None:
    before = solo.get("solo").release
    add(diary, "0003_colour", COLOUR)
    diary.commit("A colour")
    with held(kept, solo):
        # SQLite cannot even be asked what is pending; MariaDB waits for the table alone.
        code = 3 if kept.name == "sqlite" else 6
        told = diary.fab("--set", "db.lock_timeout=1", "deploy", "--json", code=code)
    says = "database is locked" if kept.name == "sqlite" else "a table was in use"
    assert says in told.result["error"]
    assert solo.get("solo").release == before
    assert not kept.database.has("colour")
