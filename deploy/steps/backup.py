"""Backups of the database: before its schema changes, by hand, and back into the database."""

from collections.abc import Iterator

from deploy.command import Action, Command
from deploy.steps import Phase, Step, Target, step, word
from deploy.steps.db import on_database
from deploy.steps.slots import schema_may_change

NEVER, BEFORE_MIGRATE = "never", "before-migrate"
HALF = (
    "a restore that is cut off leaves PostgreSQL and SQLite as they were, MySQL and MariaDB with a"
    " part of the backup: then restore it again"
)


@step("db.backup", roles=("db",))
def save(t: Target) -> Iterator[Action]:
    """save the data, before migrations are run or taken back"""
    if t.back:
        if t.project.db.backup != NEVER:
            yield _saved(t, f"before rollback to {t.code.id}", code=t.back.code)
    elif t.project.db.backup == BEFORE_MIGRATE and t.project.db.migrate and schema_may_change(t):
        yield _saved(t, f"before deploy of {t.code.id}", "--if-pending")


@step("db.backup", roles=("db",))
def save_now(t: Target) -> Iterator[Action]:
    """save the data"""
    yield _saved(t, "by hand")


def restore(name: str, into: str = "") -> tuple[Step, ...]:
    """The steps that put backup `name` in the place of the data, or into a database of its own.

    What is there is saved first: somebody may want it back.
    """

    @step("db.find", roles=("db",))
    def find(t: Target) -> Iterator[Action]:
        """see that the backup is whole, and of this kind of database"""
        yield on_database(t, "restore.py", "--check", after=(name,))

    @step("db.backup", roles=("db",))
    def save_first(t: Target) -> Iterator[Action]:
        """save the data that is there now"""
        if t.project.db.backup != NEVER:
            yield _saved(t, f"before restoring {name}", "--before-restore", "--spare", name)

    @step("db.restore", roles=("db",), phase=Phase.COMMIT, leaves=HALF)
    def put_back(t: Target) -> Iterator[Action]:
        """put the backup in the place of the data"""
        # Nothing is known of the schema until somebody has migrated.
        yield word("remember", f"{t.layout.root}/.deploy/migrated", "")
        yield _restored(t, name)

    @step("db.restore", roles=("db",), phase=Phase.COMMIT)
    def put_aside(t: Target) -> Iterator[Action]:
        """put the backup into a database of its own"""
        yield _restored(t, name, "--into", into)

    return (find, put_aside) if into else (find, save_first, put_back)


def _saved(t: Target, why: str, *options: str, code: str = "") -> Command:
    of = t.found.web.current or t.code.id
    options = ("--of", of, "--why", why, "--keep", str(t.project.db.keep_backups), *options)
    return on_database(t, "backup.py", *options, code=code)


def _restored(t: Target, name: str, *options: str) -> Command:
    timeout = str(t.project.db.lock_timeout)
    options = ("--run", t.run.id, "--lock-timeout", timeout, *options)
    return on_database(t, "restore.py", *options, after=(name,))
