"""Migrations on one host with SQLite, and with MariaDB, which takes no schema change back."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256

import pytest

from tests.docker.checkout import Checkout
from tests.docker.hosts import Hosts
from tests.docker.migrating import (
    ASK_SQLITE,
    COLOUR,
    FAILS,
    MOOD,
    NO_COLOUR,
    NO_WAY_BACK,
    PYMYSQL,
    Database,
    add,
    asking,
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
FAILS_BACK = 'migrations.RunSQL("", "SELECT no FROM nowhere")'
TURN = f"deploy-{sha256(b'diary').hexdigest()[:16]}"
"""The advisory lock of whoever migrates that database on MariaDB."""


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
        client = "mariadb --unbuffered --batch --skip-column-names diary -e"
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


def test_what_has_no_way_back_is_told_before_and_kept_after(
    solo: Hosts,  # noqa: F811
    diary: Checkout,  # noqa: F811
    kept: Engine,
) -> None:
    older = solo.get("solo").release
    assert "no migration is pending" in diary.fab("db.plan").out
    add(diary, "0003_colour", COLOUR)
    add(diary, "0004_code", NO_WAY_BACK, "0003_colour")
    diary.commit("A colour, and code that has no way back")
    plain, risky = diary.fab("db.plan", "--json").of("migration")
    # MariaDB takes no change of the schema back, whatever the migration asks for.
    assert plain["risk"] == ["additive"] + ["non-atomic"] * (kept.name == "mariadb")
    assert any("ADD COLUMN" in statement for statement in plain["sql"])
    assert {"rewriting", "irreversible"} <= set(risky["risk"])
    assert not kept.database.has("colour")

    newer = diary.fab("deploy", "--json").result["release"]
    refused = diary.fab("rollback", "--migrate-back", code=2)
    assert "guestbook.0004_code cannot be taken back: irreversible" in refused.err
    assert (solo.get("solo").release, kept.database.has("colour")) == (newer, True)
    diary.fab("rollback", "--keep-schema")
    assert (solo.get("solo").release, kept.database.has("colour")) == (older, True)


def test_a_way_back_that_fails_half_way_tells_what_of_the_schema_stands(
    solo: Hosts,  # noqa: F811
    diary: Checkout,  # noqa: F811
    kept: Engine,
) -> None:
    add(diary, "0003_colour", f"{FAILS_BACK}, {COLOUR}")
    add(diary, "0004_mood", MOOD, "0003_colour")
    diary.commit("What cannot be taken back, though it says so")
    newer = diary.fab("deploy", "--json").result["release"]
    told = diary.fab("rollback", "--migrate-back", "--json", code=5).result["error"]
    assert "guestbook.0003_colour could not be taken back" in told
    assert "taken back before it: guestbook.0004_mood" in told
    half = kept.name == "mariadb"
    assert ("1 of its 2 operations" in told) == half
    assert ("taken back: Add field colour to entry" in told) == half
    assert (kept.database.has("colour"), kept.database.has("mood")) == (not half, True)
    assert solo.get("solo").release == newer


@pytest.mark.parametrize("engine", ["mariadb"], indirect=True)
def test_a_server_that_is_down_or_full_or_migrated_by_somebody_else_is_told_as_such(
    solo: Hosts,  # noqa: F811
    diary: Checkout,  # noqa: F811
    kept: Engine,
) -> None:
    before = solo.get("solo").release
    add(diary, "0003_colour", COLOUR)
    diary.commit("A colour")
    solo.on("solo", "service mariadb stop")
    try:
        down = diary.fab("deploy", code=3).err
    finally:
        mariadb.serve(solo.fleet.container("solo"), "diary", PASSWORD)
    assert "cannot reach mysql database diary at 127.0.0.1:3306" in down
    assert f"live as before: solo on {before}" in down

    user = "'diary'@'127.0.0.1'"
    kept.database.sql(f"ALTER USER {user} WITH MAX_USER_CONNECTIONS 1")
    client = f"mariadb --host=127.0.0.1 --user=diary --password={PASSWORD} --unbuffered"
    full = Database(solo, "solo", f"{client} -e", ROOT)
    try:
        with asking(full, "SELECT 'held'"):
            told = diary.fab("db.plan", code=3).err
    finally:
        kept.database.sql(f"ALTER USER {user} WITH MAX_USER_CONNECTIONS 0")
    assert "no connection is left" in told

    with asking(kept.database, f"SELECT GET_LOCK('{TURN}', 0), 'held'"):
        assert "another migration of mysql database diary" in kept.database.second_migration()
    assert not kept.database.has("colour")
