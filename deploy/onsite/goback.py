"""The way back of the schema: goback.py [--apply RUN] ROOT CODE TARGET [LOCK_TIMEOUT]

Started with the Python of CODE, a newer release, says in one line of JSON which migrations the
database has and the release TARGET does not know, what taking them back would do, and which
migrations of TARGET the database lacks. With --apply they are taken back, by CODE's own
operations. Exit code 1: it cannot be told or failed, standard error says why; 2: not started.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess  # noqa: TID251 - another release needs a process of its own
import sys
from pathlib import Path
from typing import Any, NamedTuple

from applied import note
from database import busy, connect, first_line
from enter import release_of
from envfile import NotReady
from risk import backwards, judge
from schema import RECORD, executor_of, name_of, pending, record, records, rows
from started import say, started
from turn import take_turn
from watch import Watch

PASSED_ON = ("HOME", "LANG", "LC_ALL", "PATH")


class Way(NamedTuple):
    """What separates the database from a release that is to run on it.

    `order` are the migrations to take back, last first; `blocked` what would have to go with them
    although the release needs it; `squashed` what stands for migrations that the release knows
    under other names; `code` the release that has the code for all that is unknown, if any does.
    """

    unknown: list[str]
    lacking: list[str]
    order: list[Any]
    blocked: list[str]
    squashed: list[str]
    code: str


def main(arguments: list[str]) -> int:
    """Enter the newer release, then look or go back; faults become lines that hold no secret."""
    options = _options(arguments)
    work = _known if options.known else _go_back if options.apply else _look
    return started(options.root, options.code, lambda: work(options))


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="goback.py")
    parser.add_argument("--apply", default="", metavar="RUN", help="take the migrations back")
    parser.add_argument("--known", action="store_true", help="only write CODE's record")
    parser.add_argument("--database", default="default", help="the alias in DATABASES")
    parser.add_argument("--wait", type=float, default=60, help="seconds for another migration")
    parser.add_argument("root", type=Path)
    parser.add_argument("code")
    parser.add_argument("target")
    parser.add_argument("lock_timeout", nargs="?", type=float, default=5, help="seconds")
    return parser.parse_args(arguments)


def _known(options: argparse.Namespace) -> int:
    record(executor_of(connect(options.database)), release_of(options.root, options.code))
    return 0


def _look(options: argparse.Namespace) -> int:
    executor = executor_of(connect(options.database))
    way = _way(executor, options)
    told = [_told(executor, migration) for migration in way.order]
    there = {one["name"] for one in told}
    told += [{"name": name} for name in way.unknown if name not in there]
    answer = {
        "unknown": [one for one in told if one["name"] in way.unknown],
        "lacking": way.lacking,
        "order": list(map(name_of, way.order)),
        "blocked": way.blocked,
        "squashed": way.squashed,
        "code": way.code,
    }
    say("schema: " + json.dumps(answer))
    return 0


def _way(executor: Any, options: argparse.Namespace) -> Way:
    applied = {f"{app}.{name}" for app, name in executor.recorder.applied_migrations()}
    target = _record(options.root, options.target)
    here = {
        f"{app}.{name}": [f"{label}.{other}" for label, other in migration.replaces]
        for (app, name), migration in executor.loader.disk_migrations.items()
    }
    newer = {
        options.code: here,
        **{name: known for name, known in records(options.root).items() if name > options.target},
    }
    candidates = {name: replaces for known in newer.values() for name, replaces in known.items()}
    unknown = sorted(
        name
        for name in applied & candidates.keys()
        if name not in target and not (candidates[name] and target.keys() >= set(candidates[name]))
    )
    code = options.code if here.keys() >= set(unknown) else ""
    for release in sorted(newer, reverse=True):
        if not code and newer[release].keys() >= set(unknown):
            code = release
    order = _order(executor, unknown, applied)
    return Way(
        unknown,
        _lacking(target, applied),
        order,
        [name_of(one) for one in order if name_of(one) not in unknown],
        _squashed(executor, unknown, target.keys() & applied),
        code,
    )


def _order(executor: Any, unknown: list[str], applied: set[str]) -> list[Any]:
    """What has to be taken back, last first: the unknown, and all that depends on them."""
    graph = executor.loader.graph
    nodes = [node for node in graph.nodes if ".".join(node) in unknown]
    closure = {one for node in nodes for one in graph.backwards_plan(node)}
    full = executor.migration_plan(graph.leaf_nodes(), clean_start=True)
    return [
        migration
        for migration, _ in reversed(full)
        if (migration.app_label, migration.name) in closure and name_of(migration) in applied
    ]


def _lacking(target: dict[str, list[str]], applied: set[str]) -> list[str]:
    """What the release knows and the database has not, neither by name nor squashed."""
    stood_for = {one for name, replaces in target.items() if name in applied for one in replaces}
    return sorted(
        name
        for name, replaces in target.items()
        if name not in applied | stood_for and not (replaces and applied >= set(replaces))
    )


def _squashed(executor: Any, unknown: list[str], known: set[str]) -> list[str]:
    """First migrations of apps of which the release knows others: the same under a new name."""
    apps = {name.partition(".")[0] for name in known}
    found = []
    for (app, name), migration in executor.loader.disk_migrations.items():
        first = not any(parent == app for parent, _ in migration.dependencies)
        if first and app in apps and f"{app}.{name}" in unknown:
            found.append(f"{app}.{name}")
    return found


def _record(root: Path, release: str) -> dict[str, list[str]]:
    """What a release knows; one that has no record yet is asked to write it."""
    path = release_of(root, release) / RECORD
    known = records(root).get(release)
    if known is None:
        python = root / "releases" / release / "venv" / "bin" / "python"
        program = str(root / "entry" / "goback.py")
        done = subprocess.run(
            [str(python), program, "--known", str(root), release, release],
            # It reads the secret environment for itself; what it is started with, others can see.
            env={name: os.environ[name] for name in PASSED_ON if name in os.environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise NotReady(f"what {release} knows cannot be told: {done.stderr.strip()[-500:]}")
        known = json.loads(path.read_text(encoding="utf-8"))
    return known


def _told(executor: Any, migration: Any) -> dict[str, Any]:
    """A migration that is applied: what it did, and what taking it back does."""
    node = (migration.app_label, migration.name)
    before = executor.loader.project_state(node, at_end=False)
    risk = judge(migration, before, set(), atomic=True, empty=False)
    after = executor.loader.project_state(node, at_end=True)
    back = []
    was = executor.loader.project_state(node, at_end=False)
    for operation in migration.operations:
        says, table = backwards(operation, migration.app_label, was, after)
        operation.state_forwards(migration.app_label, was)
        count = rows(executor.connection, table) if table else None
        held = "" if count is None else f" ({count} row{'' if count == 1 else 's'})"
        back += [f"{says}{held}"] if says else []
    told: dict[str, Any] = {"name": name_of(migration), "risk": list(risk.marks), "back": back}
    told["reversible"] = risk.reversible
    return told


def _go_back(options: argparse.Namespace) -> int:
    database = connect(options.database)
    with take_turn(database, options.root, options.lock_timeout, options.wait):
        executor = executor_of(database)
        way = _way(executor, options)
        _must_be_possible(way)
        names = list(map(name_of, way.order))
        watch = Watch(way.order)
        try:
            executor.migrate(None, plan=[(migration, True) for migration in way.order])
        except Exception as error:
            raise NotReady(_account(options, database, way.order, watch, error)) from None
        note(options.root, options.apply, options.code, "unapply", names)
    say(f"tell: taken back: {', '.join(names) or 'nothing'}")
    return 0


def _must_be_possible(way: Way) -> None:
    stuck = [name_of(m) for m in way.order if not all(o.reversible for o in m.operations)]
    for names, why in (
        (stuck, "irreversible"),
        (way.blocked, "needed by the release that comes back"),
        (way.squashed, "squashed from migrations that the release knows"),
        (sorted(set(way.unknown) - set(map(name_of, way.order))), "not in this code"),
    ):
        if names:
            raise NotReady(f"{', '.join(names)}: {why}; nothing was taken back")


def _account(
    options: argparse.Namespace, database: Any, order: list[Any], watch: Watch, error: Exception
) -> str:
    """What failed on the way back, and what was taken back; that is written down."""
    database.close()
    try:
        lacks = set(map(name_of, pending(executor_of(database))))
    except NotReady as silence:
        return f"{first_line(error)}\nwhat the database has now is not known: {silence}"
    gone = [name_of(migration) for migration in order if name_of(migration) in lacks]
    note(options.root, options.apply, options.code, "unapply", gone)
    left = [migration for migration in order if name_of(migration) not in lacks]
    failed = name_of(left[0]) if left else "what follows"
    lines = [f"{failed} could not be taken back: {first_line(error)}"]
    if busy(error):
        lines.append("a table was in use for longer than the lock timeout: try again later")
    if left and not (left[0].atomic and database.features.can_rollback_ddl):
        lines += watch.standing(left[0], "taken back")
    lines.append(f"taken back before it: {', '.join(gone) or 'none'}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
