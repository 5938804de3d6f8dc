"""The database: migrated once, on the first host of role db, before any host is switched."""

from collections.abc import Iterator

from deploy.command import Action, Command
from deploy.host import Host
from deploy.release import Layout, WayBack
from deploy.steps import Phase, Target, step, word
from deploy.steps.slots import schema_may_change

MIGRATE_QUIET = 3600.0
"""Seconds a migration may be silent: rewriting a large table says nothing while it lasts."""
AFTER_SWITCH = "after-switch"
"""The policy by which what takes away runs once the new release is live."""

STAYS = (
    "migrations that ran stay in the database, and what is live runs on that schema now;"
    " fab manage --release {release} -- showmigrations lists them, and with -- migrate APP NAME it"
    " goes back"
)


@step("db.plan", roles=("db",))
def look_ahead(t: Target) -> Iterator[Action]:
    """say which migrations are pending, and stop if one of them may not run"""
    if t.project.db.migrate and schema_may_change(t):
        yield on_database(t, "planned.py", "--destructive", t.project.db.destructive)


@step("db.plan", roles=("db",))
def show(t: Target) -> Iterator[Action]:
    """say which migrations are pending, with their SQL and what they do to the data"""
    yield on_database(t, "planned.py", "--sql")


@step("db.migrate", roles=("db",), phase=Phase.COMMIT, leaves=STAYS)
def migrate(t: Target) -> Iterator[Action]:
    """run the migrations, once, unless the database has them"""
    if t.project.db.migrate and schema_may_change(t):
        yield _migrated(t, t.project.db.destructive)
        if t.project.db.destructive != AFTER_SWITCH:
            yield _remembered(t)


@step("db.contract", roles=("db",), phase=Phase.FINISH)
def contract(t: Target) -> Iterator[Action]:
    """run the migrations that had to wait until the new release is live"""
    waits = t.project.db.destructive == AFTER_SWITCH
    if waits and t.project.db.migrate and schema_may_change(t):
        yield _migrated(t, "allow")
        yield _remembered(t)


@step("db.migrate", roles=("db",), phase=Phase.COMMIT, leaves=STAYS)
def migrate_now(t: Target) -> Iterator[Action]:
    """run the migrations, whatever is thought to be in the database"""
    live = t.code.id == t.found.web.current
    policy = t.project.db.destructive
    yield _migrated(t, "allow" if live and policy == AFTER_SWITCH else policy)
    if live:  # of another release it is not known what else the database has
        yield _remembered(t)


def _again(t: Target) -> Iterator[Action]:
    if t.back:
        yield on_database(
            t, "migrate.py", *_only(t.back), *_run(t), after=_timeout(t), code=t.back.code
        )
        yield word("remember", f"{t.layout.root}/.deploy/migrated", t.found.migrated)


@step(
    "db.migrate-back",
    roles=("db",),
    phase=Phase.COMMIT,
    undo=_again,
    undo_first=True,
    leaves="migrations that were taken back are applied again, but what they dropped is empty",
)
def migrate_back(t: Target) -> Iterator[Action]:
    """take back the migrations that the old release does not know"""
    if t.back:
        # Should this be cut off, it is known that it had begun, and nothing else of the schema.
        yield word("remember", f"{t.layout.root}/.deploy/migrated", taking_back(t.run.id))
        how = ("--apply", t.run.id)
        after = (t.code.id, *_timeout(t))
        yield on_database(t, "goback.py", *how, after=after, code=t.back.code)
        yield _remembered(t)


def taking_back(run_id: str) -> str:
    """What is known of a database of which a run has begun to take migrations back."""
    return f"back-{run_id}"


def caught_up(host: Host, release: str, run_id: str) -> Command:
    """Run what the database lacks of a release, after a rollback was cut off on its way back."""
    layout, timeout = Layout(host.project.root), str(host.project.db.lock_timeout)
    code = layout.release(release)
    program = (f"{code}/venv/bin/python", f"{layout.entry}/migrate.py", "--run", run_id)
    return Command((*program, layout.root, release, timeout), cwd=code, quiet_limit=MIGRATE_QUIET)


def _only(back: WayBack) -> tuple[str, ...]:
    return tuple(word for name in back.names for word in ("--only", name))


def _run(t: Target) -> tuple[str, str]:
    return "--run", t.run.id


def _timeout(t: Target) -> tuple[str]:
    return (str(t.project.db.lock_timeout),)


def _migrated(t: Target, destructive: str) -> Command:
    how = ("--destructive", destructive, *_run(t))
    return on_database(t, "migrate.py", *how, after=_timeout(t))


def _remembered(t: Target) -> Command:
    return word("remember", f"{t.layout.root}/.deploy/migrated", t.code.migrations)


def on_database(
    t: Target, name: str, *options: str, after: tuple[str, ...] = (), code: str = ""
) -> Command:
    """A program of ours in the Python of the release that goes live, or of `code`."""
    code = code or t.code.id
    release = t.layout.release(code)
    program = (f"{release}/venv/bin/python", f"{t.layout.entry}/{name}")
    argv = (*program, *options, t.layout.root, code, *after)
    return Command(argv, cwd=release, quiet_limit=MIGRATE_QUIET)
