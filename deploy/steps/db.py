"""The database: migrated once, on the first host of role db, before any host is switched."""

from collections.abc import Iterator

from deploy.command import Action, Command
from deploy.steps import Phase, Target, step, word
from deploy.steps.slots import schema_may_change

MIGRATE_QUIET = 3600.0
"""Seconds a migration may be silent: rewriting a large table says nothing while it lasts."""


STAYS = (
    "migrations that ran stay in the database, and what is live runs on that schema now;"
    " fab manage -- showmigrations lists them, fab manage -- migrate APP NAME goes back"
)


@step("db.migrate", roles=("db",), phase=Phase.COMMIT, leaves=STAYS)
def migrate(t: Target) -> Iterator[Action]:
    """run the migrations, once, unless the database has them"""
    if t.project.db.migrate and schema_may_change(t):
        yield from _migrated(t)


@step("db.migrate", roles=("db",), phase=Phase.COMMIT, leaves=STAYS)
def migrate_now(t: Target) -> Iterator[Action]:
    """run the migrations, whatever is thought to be in the database"""
    yield from _migrated(t)


def _migrated(t: Target) -> Iterator[Action]:
    release = t.layout.release(t.code.id)
    argv = (
        f"{release}/venv/bin/python",
        f"{t.layout.entry}/migrate.py",
        t.layout.root,
        t.code.id,
        str(t.project.db.lock_timeout),
    )
    yield Command(argv, cwd=release, quiet_limit=MIGRATE_QUIET)
    yield word("remember", f"{t.layout.root}/.deploy/migrated", t.code.migrations)
