"""Migrates the database of one release: migrate.py [options] ROOT RELEASE [LOCK_TIMEOUT]

Says what it applies, applies it, and ends with `tell: applied: NAMES` or `applied 0`. LOCK_TIMEOUT
is how many seconds a statement may wait for a table (PostgreSQL, MySQL and MariaDB). With
--destructive after-switch, what waits for the switch is left out. Exit code 1: a migration failed,
or the database does; the lines on standard error say what was applied and what was not. Exit code
2: not started.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from applied import note
from brief import briefly
from database import busy, connect, first_line, where
from envfile import NotReady
from policy import parts
from schema import executor_of, name_of, pending, risks
from started import at_work, say, started
from turn import take_turn
from watch import Watch


def main(arguments: list[str]) -> int:
    """Enter the release and migrate; every fault becomes lines that hold no secret."""
    options = _options(arguments)
    return started(options.root, options.release, lambda: _migrate(options))


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="migrate.py")
    parser.add_argument("--database", default="default", help="the alias in DATABASES")
    parser.add_argument("--wait", type=float, default=60, help="seconds for another migration")
    parser.add_argument("--destructive", default="allow", help="refuse, after-switch or allow")
    parser.add_argument("--only", action="append", default=[], help="this migration; repeated")
    parser.add_argument("--run", default="by-hand", help="what the record names as its cause")
    parser.add_argument("root", type=Path)
    parser.add_argument("release")
    parser.add_argument("lock_timeout", nargs="?", type=float, default=5, help="seconds")
    return parser.parse_args(arguments)


def _migrate(options: argparse.Namespace) -> int:
    database = connect(options.database)
    with at_work(), take_turn(database, options.root, options.lock_timeout, options.wait):
        executor = executor_of(database)
        everything = pending(executor)
        judged = risks(executor, everything)
        now, later = parts(everything, judged, options.destructive)
        if options.only:
            now, later = [one for one in now if name_of(one) in options.only], everything
        # In one line: if a migration fails, the cause must not drown in the names of the others.
        say(f"applying: {', '.join(map(name_of, now)) or 'nothing'}")
        if later and not options.only:
            say(f"waiting until after the switch: {', '.join(map(name_of, later))}")
        watch = Watch(now)
        if now:  # should one of them fail, nobody may believe what was known before
            (options.root / ".deploy" / "migrated").unlink(missing_ok=True)
        try:
            _apply(options.database, now, complete=not later)
        except Exception as error:
            raise NotReady(_account(options, database, now, watch, error)) from None
        note(options.root, options.run, options.release, "apply", map(name_of, now))
    say(f"tell: applied: {briefly(map(name_of, now))}" if now else "applied 0")
    return 0


def _apply(alias: str, migrations: list[Any], *, complete: bool) -> None:
    """Let Django's own command do it, which also makes content types and permissions."""
    from django.core.management import call_command

    options: dict[str, Any] = {"interactive": False, "verbosity": 0, "database": alias}
    if complete:
        call_command("migrate", **options)
        return
    for one in migrations:  # each: two branches of an app have no last one
        call_command("migrate", one.app_label, one.name, **options)


def _account(
    options: argparse.Namespace, database: Any, planned: list[Any], watch: Watch, error: Exception
) -> str:
    """What failed, and where the database stands now; what was applied is written down."""
    database.close()  # after an error the old connection may refuse to tell
    try:
        names = [name_of(migration) for migration in pending(executor_of(database))]
    except NotReady as silence:
        return (
            f"migrate failed: {first_line(error)}\n"
            f"what {where(database)} has now is not known: {silence}"
        )
    left = [migration for migration in planned if name_of(migration) in names]
    applied = [name_of(one) for one in planned if name_of(one) not in names]
    note(options.root, options.run, options.release, "apply", applied)
    failed = name_of(left[0]) if left else "what runs after the migrations"
    lines = [f"{failed} failed: {first_line(error)}"]
    if busy(error):
        lines.append("a table was in use for longer than the lock timeout: try again later")
    if left and not (left[0].atomic and database.features.can_rollback_ddl):
        lines += watch.standing(left[0])
    lines.append(f"applied before it, and staying: {', '.join(applied) or 'none'}")
    lines.append(f"still pending: {', '.join(map(name_of, left)) or 'none'}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
