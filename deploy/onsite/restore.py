"""Puts a backup in the place of the database: restore.py [options] ROOT RELEASE NAME

With --into DATABASE the backup becomes a database of its own, which must not be there yet or be
empty; nothing else is touched. Exit code 1: standard error says why, and what the database holds
now. 2: not started.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from applied import note, reconcile, standing
from backups import HALF, data, named
from database import connect, first_line, where
from engines import engine_of
from envfile import NotReady
from schema import executor_of, name_of, pending, records
from started import at_work, say, started
from turn import take_turn


def main(arguments: list[str]) -> int:
    """Enter the release and restore; every fault becomes lines that hold no secret."""
    options = _options(arguments)
    return started(options.root, options.release, lambda: _restore(options), "not restored")


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="restore.py")
    parser.add_argument("--into", default="", help="a database of its own for the backup")
    parser.add_argument("--check", action="store_true", help="only see whether it can be restored")
    parser.add_argument("--run", default="by-hand", help="what the record names as its cause")
    parser.add_argument("--lock-timeout", type=float, default=5, help="seconds")
    parser.add_argument("--wait", type=float, default=60, help="seconds for another migration")
    parser.add_argument("--database", default="default", help="the alias in DATABASES")
    parser.add_argument("root", type=Path)
    parser.add_argument("release")
    parser.add_argument("name")
    return parser.parse_args(arguments)


def _restore(options: argparse.Namespace) -> int:
    database = connect(options.database)
    engine = engine_of(database)
    backup = named(options.root, options.name)
    if backup["engine"] != database.vendor:
        raise NotReady(
            f"{options.name} is of a {backup['engine']} database: {where(database)} is not"
        )
    path = data(options.root, backup)
    engine.check(path)
    if options.check:
        return 0
    half = options.root / HALF
    with at_work(), take_turn(database, options.root, options.lock_timeout, options.wait):
        if not options.into and not engine.IS_ONE_TRANSACTION:
            half.write_text(options.name, encoding="utf-8")
        try:
            engine.restore(database, path, options.into, options.lock_timeout)
        except NotReady as error:
            raise NotReady(f"{error}\n{_stands(engine, options, database)}") from None
    if options.into:
        say(f"tell: {options.name} is in {options.into} now; the site's own database is as it was")
    else:
        half.unlink(missing_ok=True)
        say(f"tell: {where(database)} holds {options.name} of {backup['made']} now")
        try:
            _look(options, database)
        except Exception as error:  # the data is there, whatever else cannot be told
            say(f"tell: its migrations could not be compared: {first_line(error)}: fab db.plan")
    return 0


def _stands(engine: Any, options: argparse.Namespace, database: Any) -> str:
    if options.into or engine.IS_ONE_TRANSACTION:
        return f"{where(database)} is as it was"
    return f"{where(database)} may hold a part of the backup, and nothing of what it held before"


def _look(options: argparse.Namespace, database: Any) -> None:
    """Write down what the database has now, and say where the live release differs."""
    database.close()
    executor = executor_of(database)
    applied = {f"{app}.{name}" for app, name in executor.recorder.applied_migrations()}
    note(options.root, options.run, options.release, "restore", [options.name])
    reconcile(options.root, options.run, options.release, applied)
    known = records(options.root).get(options.release)
    unknown = [name for name in standing(options.root) if known is not None and name not in known]
    if unknown:
        say(f"tell: it has migrations that {options.release} does not know: {', '.join(unknown)}")
    lacking = [name_of(migration) for migration in pending(executor)]
    if lacking:
        say(
            f"tell: {options.release} knows migrations that the database lacks now:"
            f" {', '.join(lacking)}; fab db.migrate applies them, fab rollback --to ID goes back"
            " to a release that does without"
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
