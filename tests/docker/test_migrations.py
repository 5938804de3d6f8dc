"""Migrations on a fleet with PostgreSQL: told before, stopped, run late, taken back.

After each story every row that a visitor wrote is there as it was.
"""

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.docker.checkout import Checkout
from tests.docker.failing import Unharmed, fails
from tests.docker.hosts import ROOT, Hosts, wait_for
from tests.docker.migrating import COLOUR, LAST, MOOD, NO_COLOUR, NO_WAY_BACK, Database, add, asking
from tests.docker.visitor import sign

pytestmark = pytest.mark.docker

TURN = 0x6465706C6F79
"""The advisory lock of whoever migrates, on PostgreSQL."""


@pytest.fixture
def live(hosts: Hosts, base: Checkout, live: dict[str, str]) -> dict[str, str]:
    """The project without any change is live, and not what a story elsewhere has left."""
    revision = base.git("rev-parse", "HEAD")[:7]
    if all(release.endswith(revision) for release in live.values()):
        return live
    base.fab("deploy")
    return hosts.served()


@pytest.fixture
def database(hosts: Hosts, live: dict[str, str], base: Checkout) -> Iterator[Database]:
    """The database with two visitors' entries; afterwards they are there, and nothing else is."""
    assert live
    made = Database(hosts, "db1", "runuser -u postgres -- psql -q -At -d guestbook -c", ROOT)
    made.forget()
    while len(made.rows()) < 2:
        sign(hosts.fleet.urls["web1"], "photo.png")
    before = made.rows()
    yield made
    assert made.rows() == before
    made.forget("colour", "mood")
    base.fab("deploy")


def released(checkout: Checkout, *words: str) -> str:
    """The id of what a deploy has made live."""
    made: str = checkout.fab("deploy", "--json", *words).result["release"]
    return made


@contextmanager
def table_held(hosts: Hosts, database: Database) -> Iterator[None]:
    """While the block lasts, somebody has the guestbook's table for himself."""
    asks = "BEGIN; LOCK TABLE guestbook_entry IN ROW EXCLUSIVE MODE; SELECT pg_sleep(60)"
    words = ["docker", "exec", hosts.fleet.container("db1"), *database.client.split(), asks]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as holder:
        held = "SELECT count(*) FROM pg_locks WHERE mode = 'RowExclusiveLock' AND pid IN"
        held += " (SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)')"
        wait_for(lambda: database.sql(held) != "0")
        try:
            yield
        finally:
            end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            database.sql(f"{end} WHERE query LIKE '%pg_sleep(60)'")
            holder.wait(30)


def test_what_a_revision_would_do_is_told_before_it_is_anywhere(
    hosts: Hosts, base: Checkout, checkout: Checkout, database: Database
) -> None:
    assert "no migration is pending" in base.fab("db.plan").out
    before = set(hosts.on("db1", f"ls {ROOT}/releases").split())
    add(checkout, "0003_colour", COLOUR)
    checkout.commit("A colour")
    waiting = checkout.fab("pending", "--json")
    assert [one["subject"] for one in waiting.of("commit")] == ["A colour"]
    assert [one["migration"] for one in waiting.of("migration")] == ["guestbook.0003_colour"]
    told = checkout.fab("db.plan", "--json")
    [line] = told.of("migration")
    assert (line["migration"], line["risk"]) == ("guestbook.0003_colour", ["additive"])
    assert any("ADD COLUMN" in statement for statement in line["sql"])
    assert set(hosts.on("db1", f"ls {ROOT}/releases").split()) == before
    assert not database.has("colour")


def test_a_rollback_across_a_migration_asks_and_goes_either_way(
    checkout: Checkout, database: Database, unharmed: Unharmed, live: dict[str, str]
) -> None:
    add(checkout, "0003_colour", COLOUR)
    checkout.commit("A colour")
    newer = released(checkout)
    rows = len(database.rows())
    listed = {
        one["release"]: one["unknown"]
        for one in checkout.fab("releases", "--json").of("release")
        if one["host"] == "db1"
    }
    assert listed[live["web1"]] == ["guestbook.0003_colour"]
    assert listed[newer] == []
    refused = checkout.fab("rollback", code=2)
    assert f"{live['web1']} does not know" in refused.err
    assert f"going back drops column guestbook_entry.colour ({rows} rows)" in refused.err
    assert "--keep-schema" in refused.err
    assert unharmed.hosts.served()["web1"] == newer

    checkout.fab("rollback", "--migrate-back")
    unharmed.check()
    assert not database.has("colour")
    refused = checkout.fab("rollback", "--to", newer, code=2)
    assert "lacks migrations" in refused.err
    assert "guestbook.0003_colour" in refused.err
    checkout.fab("db.migrate", "--release", newer)
    checkout.fab("rollback", "--to", newer)

    checkout.fab("rollback", "--keep-schema")
    unharmed.check()
    assert database.has("colour")


def test_what_takes_away_is_refused_or_waits_until_the_new_release_is_live(
    hosts: Hosts, checkout: Checkout, database: Database
) -> None:
    add(checkout, "0003_colour", COLOUR)
    checkout.commit("A colour")
    before = released(checkout)
    add(checkout, "0004_mood", MOOD, "0003_colour")
    add(checkout, "0005_no_colour", NO_COLOUR, "0004_mood")
    checkout.commit("A mood instead")
    told = fails(checkout, 3, "db.plan db1", "guestbook.0005_no_colour is destructive", "live as")
    assert "--allow-destructive" in told.result["error"]
    assert (database.has("colour"), database.has("mood")) == (True, False)

    later = ("--set", "db.destructive=after-switch")
    with table_held(hosts, database):
        held = checkout.fab(*later, "--set", "db.lock_timeout=1", "deploy", "--json", code=6)
    assert "a table was in use for longer than the lock timeout" in held.result["error"]
    assert set(hosts.served().values()) == {before}

    told = checkout.fab(*later, "deploy")
    assert "after the switch: guestbook.0005_no_colour" in told.out
    assert told.out.index("-> web.activate") < told.out.index("-> db.contract")
    assert (database.has("colour"), database.has("mood")) == (False, True)

    checkout.fab("rollback", "--migrate-back")
    assert (database.has("colour"), database.has("mood")) == (True, False)
    assert set(hosts.served().values()) == {before}


def test_what_a_failed_deploy_has_migrated_goes_back_with_the_command_that_its_message_names(
    hosts: Hosts, checkout: Checkout, base: Checkout, live: dict[str, str], database: Database
) -> None:
    add(checkout, "0003_colour", COLOUR)
    checkout.commit("A colour that the switch does not survive")
    with hosts.trap("web2", "curl", "*127.0.0.1:80/*", "exit 7"):
        told = checkout.fab("deploy", "--json", code=5).result["error"]
    assert "migrations that ran stay in the database" in told
    (release,) = set(re.findall(r"fab manage --release (\S+) ", told))
    there = base.fab("manage", "--release", release, "--", "showmigrations", "guestbook").out
    assert "[X] 0003_colour" in there
    assert "0003_colour" not in base.fab("manage", "--", "showmigrations", "guestbook").out
    base.fab("manage", "--release", release, "--", "migrate", "guestbook", LAST)
    assert not database.has("colour")
    assert set(hosts.served().values()) == set(live.values())


@pytest.mark.usefixtures("database")
def test_a_cut_off_run_is_ended_though_the_release_before_cannot_reach_the_database(
    hosts: Hosts, checkout: Checkout, base: Checkout, live: dict[str, str]
) -> None:
    checkout.title("Cut off")
    with hosts.trap("web2", "curl", "*127.0.0.1:80/*", "exec sleep 300") as trap:
        run = checkout.start("deploy")
        trap.sprung()
        run.signal(signal.SIGKILL)
        run.ended(-signal.SIGKILL)
    wait_for(lambda: not any(hosts.each("pgrep -u deploy || true").values()))
    hosts.on("db1", "service postgresql stop")
    try:
        told = base.fab("recover", code=7)
        assert "nothing is cut off any more, but what is live does not answer well" in told.err
        assert "/health/ answers 503 from release " in told.err
        assert {name: hosts.released(name) for name in ("web1", "web2")} == {
            name: live[name] for name in ("web1", "web2")
        }
        hosts.at_rest()
        base.fab("recover")
    finally:
        hosts.on("db1", "service postgresql start")
    release = base.fab("deploy", "--json").result["release"]
    assert set(hosts.served().values()) == {release}


def test_a_rollback_that_fails_after_migrating_back_has_the_schema_again(
    hosts: Hosts, checkout: Checkout, database: Database
) -> None:
    checkout.title("A guestbook without a colour")
    older = released(checkout)
    checkout.title("One in between, so that the older one is not warm")
    released(checkout)
    add(checkout, "0003_colour", COLOUR)
    checkout.commit("A colour")
    newest = released(checkout)
    page = f"{ROOT}/releases/{older}/templates/guestbook/index.html"
    hosts.on("web2", f"cp {page} {page}.aside && echo '{{% nonsense %}}' >{page}")
    told = checkout.fab("rollback", "--to", older, "--migrate-back", "--json", code=5)
    assert "web.ask failed on web2" in told.result["error"]
    assert "applied again" in told.result["error"]
    assert database.has("colour")
    assert set(hosts.served().values()) == {newest}
    hosts.at_rest()


def test_what_is_irreversible_or_fails_late_is_told_by_name_and_by_what_is_live(
    hosts: Hosts, checkout: Checkout, database: Database, live: dict[str, str]
) -> None:
    assert database.rows()
    add(checkout, "0003_code", NO_WAY_BACK)
    checkout.commit("Code that has no way back")
    newer = released(checkout)
    refused = checkout.fab("rollback", "--migrate-back", code=2)
    assert "guestbook.0003_code cannot be taken back: irreversible" in refused.err
    assert set(hosts.served().values()) == {newer}

    add(
        checkout,
        "0004_late",
        'migrations.RunSQL("SELECT 1/0", "")',
        "0003_code",
        "destructive = True",
    )
    checkout.commit("Something that fails late")
    words = ("--set", "db.destructive=after-switch", "deploy", "--json")
    told = checkout.fab(*words, code=8)
    release = hosts.released("web1")
    assert release not in (newer, live["web1"])
    assert f"{release} is live and stays" in told.result["error"]
    assert "guestbook.0004_late failed" in told.result["error"]
    assert "fab db.migrate" in told.result["hint"]


def test_a_migration_that_fails_tells_what_of_it_stands(
    checkout: Checkout, database: Database, unharmed: Unharmed
) -> None:
    operations = f'{COLOUR}, migrations.RunSQL("SELECT 1/0", ""), {MOOD}'
    add(checkout, "0003_half", operations)
    checkout.commit("None of it")
    told = fails(checkout, 6, "db.migrate db1", "guestbook.0003_half failed", "division by zero")
    assert "operations stand" not in told.result["error"]
    assert not database.has("colour")
    unharmed.check()
    add(checkout, "0003_half", operations, more="atomic = False")
    checkout.commit("Half of it")
    fails(
        checkout,
        6,
        "db.migrate db1",
        "guestbook.0003_half is not one transaction, and 1 of its 3 operations stand:",
        "stands: Add field colour to entry",
    )
    assert (database.has("colour"), database.has("mood")) == (True, False)
    unharmed.check()


def test_a_database_that_is_down_or_full_or_migrated_by_somebody_else_is_told_as_such(
    hosts: Hosts, checkout: Checkout, database: Database, unharmed: Unharmed
) -> None:
    add(checkout, "0003_colour", COLOUR)
    checkout.commit("A colour")
    database.sql("ALTER ROLE guestbook CONNECTION LIMIT 0")
    try:
        told = checkout.fab("db.plan", code=3)
    finally:
        database.sql("ALTER ROLE guestbook CONNECTION LIMIT -1")
    assert "cannot reach postgresql database guestbook" in told.err
    assert "no connection is left" in told.err
    with asking(database, f"SELECT pg_advisory_lock({TURN}), 'held'"):
        assert "another migration of postgresql database" in database.second_migration()

    hosts.on("db1", "service postgresql stop")
    try:
        down = checkout.fab("deploy", code=3).err
    finally:
        hosts.on("db1", "service postgresql start")
    assert "cannot reach postgresql database guestbook at" in down
    assert "live as before" in down
    assert not database.has("colour")
    unharmed.check()
