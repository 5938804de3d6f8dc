"""Going back: to which release, and what becomes of the schema and of files in a bucket."""

from collections.abc import Sequence
from dataclasses import replace

from deploy.asked import Asked
from deploy.choice import (
    Found,
    Goal,
    in_a_bucket,
    rollback_target,
)
from deploy.course import run_flow
from deploy.errors import Refused
from deploy.fleet import Fleet
from deploy.flow import ROLLBACK, Flow
from deploy.host import Host
from deploy.means import Means
from deploy.outcome import Outcome
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

    first: list[str | None] = []

    def choose(hosts: Sequence[Host], found: Found) -> Goal:
        goal = rollback_target(hosts, found, to)
        first.append(goal.id)
        if goal.id != first[0]:  # two who go back from one bad release must not go back twice
            raise Refused(
                f"nothing changed: somebody else has changed these hosts meanwhile: this was to go"
                f" back to {first[0]}, and would now go back to {goal.id}",
                hint="fab status; the same again, if it is still wanted",
            )
        return replace(goal, origin=_origin(asked, means, stage, goal))

    def ask(fleet: Fleet, found: Found, goal: Goal) -> Goal:
        return replace(goal, back=asked_back(fleet, found, goal, schema))

    return run_flow(asked, means, stage, flow, choose, ask)


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
    result = fleet.execute(host.name, asked, lambda _line: None)
    if not result.ok:
        why = result.output.strip()[-1000:]
        raise Refused(
            f"nothing changed: {host.name} cannot tell which migrations {target} lacks:\n{why}",
            hint=keeping(target),
        )
    return understood(result.output, target)
