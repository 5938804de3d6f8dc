"""Migrates the database of one release: migrate.py [options] ROOT RELEASE [LOCK_TIMEOUT]

Says what it applies, applies it, and ends with `applied N`; with --plan it only looks, prints
what is pending, one `app.migration` a line, and ends with `pending N`. LOCK_TIMEOUT is how many
seconds a statement may wait for a table (PostgreSQL). Exit code 1: a migration failed, or the
database does; the lines on standard error say what was applied and what was not. Exit code 2: not
started.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from database import connect, first_line, take_turn, where
from enter import enter, facts, release_of
from envfile import NotReady, mask


def main(arguments: list[str]) -> int:
    """Enter the release, then look or migrate; every fault becomes lines that hold no secret."""
    options = _options(arguments)
    values: dict[str, str] = {}
    try:
        release = release_of(options.root, options.release)
        values = enter(options.root, release, facts(options.root)["settings"])
        import django

        django.setup()
    except NotReady as error:
        return _say(2, str(error))
    except Exception as error:
        return _say(2, mask(f"the site does not start: {type(error).__name__}: {error}", values))
    try:
        return _migrate(options)
    except NotReady as error:
        return _say(1, mask(str(error), values))


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="migrate.py")
    parser.add_argument("--plan", action="store_true", help="only say what is pending")
    parser.add_argument("--database", default="default", help="the alias in DATABASES")
    parser.add_argument("--wait", type=float, default=60, help="seconds for another migration")
    parser.add_argument("root", type=Path)
    parser.add_argument("release")
    parser.add_argument("lock_timeout", nargs="?", type=float, default=5, help="seconds")
    return parser.parse_args(arguments)


def _say(code: int, text: str) -> int:
    sys.stdout.flush()
    sys.stderr.write(f"{text}\n")
    return code


def _migrate(options: argparse.Namespace) -> int:
    from django.core.management import call_command

    database = connect(options.database)
    if not options.plan:
        take_turn(database, options.lock_timeout, options.wait)
    pending = _pending(database)
    if options.plan:
        sys.stdout.write("".join(f"{name}\n" for name in pending) + f"pending {len(pending)}\n")
        return 0
    # In one line: if a migration fails, the cause must not drown in the names of all the others.
    sys.stdout.write(f"applying: {', '.join(pending) or 'nothing'}\n")
    sys.stdout.flush()
    try:
        call_command("migrate", interactive=False, verbosity=0, database=options.database)
    except Exception as error:
        raise NotReady(_account(database, pending, error)) from None
    sys.stdout.write(f"applied {len(pending)}\n")
    return 0


def _pending(database: Any) -> dict[str, Any]:
    """The migrations that the database lacks, by name, in the order in which they will run."""
    from django.db.migrations.executor import MigrationExecutor

    try:
        executor = MigrationExecutor(database)
        executor.loader.check_consistent_history(database)
        conflicts = executor.loader.detect_conflicts()
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except Exception as error:
        raise NotReady(f"the migrations cannot be planned: {first_line(error)}") from None
    if conflicts:
        named = "; ".join(f"{app}: {', '.join(names)}" for app, names in conflicts.items())
        raise NotReady(f"migrations conflict, `makemigrations --merge` joins them: {named}")
    return {f"{migration.app_label}.{migration.name}": migration for migration, _ in plan}


def _account(database: Any, pending: dict[str, Any], error: Exception) -> str:
    """What failed, and where the database stands now."""
    database.close()  # after an error the old connection may refuse to tell
    try:
        left = _pending(database)
    except NotReady as silence:
        return (
            f"migrate failed: {first_line(error)}\n"
            f"what {where(database)} has now is not known: {silence}"
        )
    applied = [name for name in pending if name not in left]
    failed, migration = next(iter(left.items()), ("what runs after the migrations", None))
    lines = [
        f"{failed} failed: {first_line(error)}",
        f"applied before it, and staying: {', '.join(applied) or 'none'}",
        f"still pending: {', '.join(left) or 'none'}",
    ]
    if migration and not (migration.atomic and database.features.can_rollback_ddl):
        lines.insert(1, f"{failed} is not one transaction: part of it may have stayed")
    if "lock timeout" in str(error):
        lines.insert(1, "a table was in use for longer than the lock timeout: try again later")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
