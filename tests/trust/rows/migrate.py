"""Rows C: faults while the database is migrated."""

import time

from tests.trust.hosts import ROOT
from tests.trust.injuries import SILENT, filtered, trap
from tests.trust.revisions import changed
from tests.trust.row import QUICK, Row, ended_as, live, locks, one_recover, serves, unharmed
from tests.trust.world import World

MIGRATION = """
from django.db import migrations

class Migration(migrations.Migration):
    atomic = {atomic}
    dependencies = [("guestbook", "0002_entry_photo")]
    operations = [
        {operations}
    ]
"""
ADD = 'migrations.RunSQL("ALTER TABLE guestbook_entry ADD COLUMN extra text", "")'
FAIL = 'migrations.RunSQL("SELECT 1/0", "")'
SLEEP = 'migrations.RunSQL("SELECT pg_sleep(6)", "")'
PSQL = "runuser -u postgres -- psql -q -d guestbook"


def migration(*operations: str, atomic: bool = True) -> dict[str | bytes, str]:
    """The files of a revision with one more migration."""
    text = MIGRATION.format(atomic=atomic, operations=",\n        ".join(operations))
    return {"guestbook/migrations/0003_more.py": text}


def half_way(world: World) -> list[str]:
    """The first half of a migration that is no transaction stays, and that is said."""
    old = live(world)
    with changed(world, migration(ADD, FAIL, atomic=False)):
        ended = world.run("deploy")
        faults = ended_as(
            ended,
            6,
            "guestbook.0003_more failed",
            "1 of its 2 operations stand",
            "nothing was switched",
        )
        faults += unharmed(world, old)
        # As long as nobody mends it by hand, it fails the same way, and harms as little.
        faults += ended_as(world.run("deploy"), 6, "guestbook.0003_more failed")
    world.hosts.on("db1", f"{PSQL} -c 'ALTER TABLE guestbook_entry DROP COLUMN extra'")
    return faults + unharmed(world, old)


def table_in_use(world: World) -> list[str]:
    """Somebody else holds the table for longer than the lock timeout."""
    old = live(world)
    holder = "BEGIN; LOCK TABLE guestbook_entry IN ACCESS SHARE MODE; SELECT pg_sleep(60)"
    world.hosts.on("db1", f"{PSQL} -c '{holder}' >/dev/null 2>&1 &")
    try:
        with changed(world, migration(ADD)):
            ended = world.run("deploy", more=("--set", "db.lock_timeout=1"))
    finally:
        world.hosts.on(
            "db1",
            f'{PSQL} -At -c "SELECT pg_terminate_backend(pid) FROM '
            "pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> "
            'pg_backend_pid()"',
        )
    faults = ended_as(ended, 6, "guestbook.0003_more failed", "lock timeout")
    return faults + unharmed(world, old)


def sleeping(world: World) -> bool:
    """Whether the migration is at work in the database."""
    asked = (
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(6)%' AND pid <> "
        "pg_backend_pid() AND state = 'active'"
    )
    return world.hosts.on("db1", f'{PSQL} -At -c "{asked}"').strip() != "0"


def wait_for_sleep(world: World) -> None:
    """Until the migration is at work."""
    until = time.monotonic() + 60
    while not sleeping(world):
        assert time.monotonic() < until, "the migration was never begun"


def controller_killed(world: World) -> list[str]:
    """The controller dies while the database is migrated."""
    old = live(world)
    with changed(world, migration(SLEEP)):
        run = world.start("deploy", more=QUICK)
        wait_for_sleep(world)
        run.process.kill()
        ended = run.ended()
    faults = ended_as(ended, -9) + serves(world, old) + one_recover(world, old)
    # PostgreSQL looks once a second whether its client is there.
    time.sleep(1.5)
    return faults + (["the migration goes on"] if sleeping(world) else [])


def second_by_hand(world: World) -> list[str]:
    """Somebody migrates by hand, with the toolkit's own program, while a deploy wants to."""
    with changed(world, migration(SLEEP)):
        run = world.start("deploy", more=QUICK)
        wait_for_sleep(world)
        release = world.hosts.on("db1", f"ls -t {ROOT}/releases | sort | tail -n 1").strip()
        line = f"{ROOT}/releases/{release}/venv/bin/python {ROOT}/entry/migrate.py {ROOT} {release}"
        said = world.hosts.on("db1", f"cd /; runuser -u deploy -- {line} 2>&1")
        ended = run.ended()
    faults = ended_as(ended, 0)
    if "applied 0" not in said:
        faults.append(f"the one by hand did not wait: {said}")
    with_no_row = "DELETE FROM django_migrations WHERE name = '0003_more'"
    world.hosts.on("db1", f'{PSQL} -c "{with_no_row}"')
    return faults + unharmed(world, live(world))


def unreachable(world: World) -> list[str]:
    """db1 is cut off after the static files were switched, before the migration."""
    old = live(world)
    world.hosts.on("db1", f"rm -f {ROOT}/.deploy/migrated")
    with trap(world, "static1", "curl", "*-/release*") as curl:
        run = world.start("deploy", more=QUICK)
        curl.sprung()
        with filtered(world, "db1", *SILENT):
            curl.let_go()
            ended = run.ended()
            faults = ended_as(ended, 7, "db.migrate failed on db1", "next: fab recover")
            faults += serves(world, old)
            faults += locks(world, (), ("web1", "web2", "static1"))
    return faults + one_recover(world, old)


ROWS = (
    Row(
        "C1",
        "migrate raises",
        elsewhere="test_a_migration_that_fails_is_named_and_nothing_is_switched",
    ),
    Row("C2", "a migration that is no transaction fails half-way", half_way),
    Row("C3", "migrate waits for a table that is in use", table_in_use),
    Row("C4", "the controller is killed during migrate", controller_killed),
    Row("C5", "a second migrate by hand at the same time", second_by_hand),
    Row("C6", "db1 cut off before migrate", unreachable),
)
