"""Says what a release would do to the database: planned.py [options] ROOT RELEASE

Writes down in the release which migrations it knows, and changes nothing else. Prints a line that
begins with `tell: ` for people and one that begins with `fact: `, with JSON, for programs. Exit
code 1: it cannot be told, or the policy forbids it; standard error says why. 2: not started.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from brief import briefly
from database import connect
from enter import release_of
from policy import parts
from risk import Risk
from schema import executor_of, name_of, pending, record, risks, rows, sql_of
from started import say, started


def main(arguments: list[str]) -> int:
    """Enter the release and say what is pending; every fault becomes lines that hold no secret."""
    options = _options(arguments)
    return started(options.root, options.release, lambda: _planned(options))


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="planned.py")
    parser.add_argument("--sql", action="store_true", help="with what is sent to the database")
    parser.add_argument("--destructive", default="allow", help="refuse, after-switch or allow")
    parser.add_argument("--database", default="default", help="the alias in DATABASES")
    parser.add_argument("root", type=Path)
    parser.add_argument("release")
    return parser.parse_args(arguments)


def _planned(options: argparse.Namespace) -> int:
    database = connect(options.database)
    executor = executor_of(database)
    record(executor, release_of(options.root, options.release))
    migrations = pending(executor)
    judged = risks(executor, migrations)
    _tell(options, executor, migrations, judged)
    _, later = parts(migrations, judged, options.destructive)
    if later:
        say(f"tell: after the switch: {', '.join(map(name_of, later))}")
    say(f"pending {len(migrations)}" if migrations else "tell: no migration is pending")
    return 0


def _tell(
    options: argparse.Namespace, executor: Any, migrations: list[Any], judged: list[Risk]
) -> None:
    plain = [one.name for one in judged if one.marks == ("additive",)]
    if plain and not options.sql:
        say(f"tell: {len(plain)} additive: {briefly(plain)}")
    for migration, risk in zip(migrations, judged):  # noqa: B905 - Python 3.9 has no strict
        counted = {table: rows(executor.connection, table) for table in risk.tables}
        sql = sql_of(executor, migration) if options.sql else []
        if options.sql or risk.name not in plain:
            _tell_one(risk, counted, sql)
        fact: dict[str, Any] = {"event": "migration", "migration": risk.name, "state": "pending"}
        fact["risk"] = list(risk.marks)
        fact["operations"] = [effect.says for effect in risk.effects]
        fact["rows"] = {table: count for table, count in counted.items() if count is not None}
        say("fact: " + json.dumps({**fact, "sql": sql} if options.sql else fact))


def _tell_one(risk: Risk, counted: dict[str, int | None], sql: list[str]) -> None:
    say(f"tell: {risk.name}: {', '.join(risk.marks)}")
    for effect in risk.effects:
        count = counted.get(effect.table) if effect.mark else None
        held = "" if count is None else f" ({count} row{'' if count == 1 else 's'})"
        say(f"tell:   {effect.says}{held}")
    for line in sql:
        say(f"tell:     {line}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
