"""Going back: to which release, and what becomes of the schema and of files in a bucket."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from deploy.asked import Asked
from deploy.choice import (
    Found,
    Goal,
    rollback_target,
)
from deploy.course import run_flow
from deploy.errors import Refused
from deploy.fleet import Fleet
from deploy.flow import ROLLBACK, Flow
from deploy.host import Host
from deploy.journal import Entry
from deploy.means import Means
from deploy.outcome import Outcome
from deploy.participants import in_a_bucket
from deploy.reach import only_looking
from deploy.release import Layout, WayBack
from deploy.schema import KEEP, Schema, keeping, question, understood, way_back
from deploy.source import Source, resolve
from deploy.stage import Stage


def go_back(
    asked: Asked, means: Means, to: str = "", flow: Flow = ROLLBACK, schema: str = ""
) -> Outcome:
    """Go back to the release before, or to a named one, on all selected hosts.

    `schema` says what is to happen to migrations that it does not know: see `deploy.schema`.
    """
    stage = asked.load()
    if in_a_bucket(stage, asked.roles):
        raise Refused(
            "nothing changed: static files in a bucket have nothing to go back to: those of all"
            " releases that are kept are there, and each release has its own manifest",
            hint="fab rollback takes the pages back, and with them what they name",
        )

    known: list[set[str]] = []

    def look(found: Found) -> None:
        if not known:
            known.append(_ended(found))

    def choose(hosts: Sequence[Host], found: Found) -> Goal:
        if not to:
            _must_be_alone({host.name: found[host.name] for host in hosts}, known[0])
        goal = rollback_target(hosts, found, to)
        return replace(goal, origin=_origin(asked, means, stage, goal))

    def ask(fleet: Fleet, found: Found, goal: Goal) -> Goal:
        _must_reach_database(stage, fleet, goal, schema)
        return replace(goal, back=asked_back(fleet, found, goal, schema))

    return run_flow(asked, means, stage, flow, choose, ask, look)


def _ended(found: Found) -> set[str]:
    """The runs that made something live, apart from one that is still at work."""
    locks = (one.lock for one in found.values() if one.lock and one.lock.alive)
    at_work = {lock.text.partition(" ")[0] for lock in locks}
    return {run.run.id for run in _decided(found)} - at_work


def _decided(found: Found) -> Iterator[Entry]:
    for one in found.values():
        yield from (entry for entry in one.runs if entry.ended == "commit" and entry.changes)


def _must_be_alone(found: Found, known: set[str]) -> None:
    """Refused if another run has made something live since the first look, as while this waited.

    Two who go back from one bad release must not go back twice.
    """
    for entry in _decided(found):
        if entry.run.id not in known:
            raise Refused(
                "nothing changed: somebody else has changed these hosts meanwhile:"
                f" {entry.run.verb} {entry.run.id} by {entry.run.who}",
                hint="fab status; then fab rollback --to ID, if it is still wanted",
            )


def _must_reach_database(stage: Stage, fleet: Fleet, goal: Goal, wish: str) -> None:
    """Refused if the host that knows of migrations was left out, and nobody said that they stay."""
    primary = next((host.name for host in stage.role("db")[:1]), "")
    serves = goal.web is not None and any("web" in host.roles for host in fleet.hosts)
    if serves and stage.project.db.migrate and wish != KEEP and primary in fleet.lost:
        raise Refused(
            f"nothing changed: {primary} cannot be reached, so nobody knows which migrations"
            f" {goal.id} lacks",
            hint=keeping(str(goal.id)),
        )


def _origin(asked: Asked, means: Means, stage: Stage, goal: Goal) -> Source | None:
    """The revision of a release, if its own storage is needed to ask a bucket for its files."""
    if goal.web is None or stage.project.static.mode != "storage":
        return None
    try:
        return resolve(asked.top, stage.project, goal.web.id[7:], means.run_here)
    except Refused:
        return None  # another machine deployed it; the step says that nobody looked


def asked_back(fleet: Fleet, found: Found, goal: Goal, wish: str) -> WayBack | None:
    """What a rollback takes back of the schema, asked of the database where that may differ.

    Raises Refused if the operator has to decide; with KEEP nobody is asked.
    """
    databases = [h for h in fleet.hosts if "db" in h.roles and h.project.db.migrate]
    if goal.web is None or not databases or wish == KEEP:
        return None
    host, target = databases[0], goal.web
    said, code = found[host.name], found[host.name].web.current
    if code is None or (said.migrated and said.migrated == target.migrations):
        return None
    schema = _asked_schema(fleet, host, code, target.id)
    if schema.code not in ("", code):
        schema = _asked_schema(fleet, host, schema.code, target.id)
    return way_back(schema, target.id, wish, host.project.db.rollback)


def _asked_schema(fleet: Fleet, host: Host, code: str, target: str) -> Schema:
    asked = question(Layout(host.project.root), code, target)
    with only_looking():
        result = fleet.execute(host.name, asked, lambda _line: None)
    if not result.ok:
        why = result.output.strip()[-1000:]
        raise Refused(
            f"nothing changed: {host.name} cannot tell which migrations {target} lacks:\n{why}",
            hint=keeping(target),
        )
    return understood(result.output, target)
