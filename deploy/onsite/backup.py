"""Makes a backup of the site's database: backup.py [options] ROOT RELEASE

Says `tell: backup NAME` and, for programs, `fact: ` with JSON. The backup is checked before it
counts as one; after it, all but the newest few are taken away. Exit code 1: there is no new backup,
standard error says why, and nothing is left of it. 2: not started.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from pathlib import Path
from typing import Any

from backups import HALF, amount, finish, must_fit, new, prune
from database import connect, where
from engines import engine_of
from schema import executor_of, name_of, pending
from started import at_work, say, started


def main(arguments: list[str]) -> int:
    """Enter the release and save its data; every fault becomes lines that hold no secret."""
    options = _options(arguments)
    # Who is told to end takes away what is half done.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    return started(options.root, options.release, lambda: _save(options), "no backup was made")


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="backup.py")
    parser.add_argument("--of", default="", help="the release whose data it is")
    parser.add_argument("--why", default="by hand")
    parser.add_argument("--keep", type=int, default=5, help="how many backups stay")
    parser.add_argument("--spare", default="", help="a backup that stays in any case")
    parser.add_argument("--if-pending", action="store_true", help="only before a migration")
    parser.add_argument("--before-restore", action="store_true", help="only if there is whole data")
    parser.add_argument("--database", default="default", help="the alias in DATABASES")
    parser.add_argument("root", type=Path)
    parser.add_argument("release")
    return parser.parse_args(arguments)


def _save(options: argparse.Namespace) -> int:
    database = connect(options.database)
    if options.if_pending and not _needed(database):
        return 0
    if options.before_restore and (_half(options.root) or _empty(database)):
        return 0
    engine = engine_of(database)
    with at_work(), new(options.root, options.of or options.release) as part:
        must_fit(part.parent, engine.size(database))
        file = part / engine.FILE
        engine.save(database, file)
        engine.check(file)
        facts = finish(part, file, _facts(options, database))
    say(f"tell: backup {facts['name']}, {amount(facts['size'])}, of {where(database)}")
    told = {key: value for key, value in facts.items() if key != "name"}
    say("fact: " + json.dumps({"event": "backup", "backup": facts["name"], **told}))
    # The host's clock may have been set back, and what was made last would pass for the oldest.
    gone = prune(options.root, options.keep, facts["name"], options.spare)
    if gone:
        say(f"tell: taken away, as {options.keep} are kept: {', '.join(gone)}")
    return 0


def _needed(database: Any) -> bool:
    """Whether there is data, and a migration that may change it."""
    if _empty(database):
        return False
    waiting = pending(executor_of(database))
    if not waiting:
        say("tell: no migration is pending: no backup")
    else:
        say(f"pending: {', '.join(map(name_of, waiting))}")
    return bool(waiting)


def _half(root: Path) -> bool:
    if not (root / HALF).exists():
        return False
    say("tell: the database may hold a part of a backup: not saved again; fab db.list has the rest")
    return True


def _empty(database: Any) -> bool:
    if database.introspection.table_names():
        return False
    say("tell: the database is empty: no backup")
    return True


def _facts(options: argparse.Namespace, database: Any) -> dict[str, Any]:
    return {
        "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "release": options.of or options.release,
        "why": options.why,
        "engine": database.vendor,
        "database": str(database.settings_dict["NAME"]),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
