"""The first and the last words of a run: what it is going to make live, and what is live now."""

from collections.abc import Iterator, Mapping, Sequence

from deploy.choice import Goal
from deploy.findings import Findings
from deploy.host import Host, runs_code
from deploy.plan import Plan
from deploy.report import Event, Note, Table
from deploy.stage import Stage
from deploy.steps import Phase


def closing_words(
    plan: Plan, goal: Goal, hosts: Sequence[Host], found: Mapping[str, Findings], seconds: float
) -> Iterator[Event]:
    """A table of the hosts that were switched, and one sentence. Nothing if none was."""
    if not _switches(plan):
        what = "nothing had to change" if plan.run.verb in plan.idle else "done"
        yield Note(f"{plan.run.verb}: {what}, in {seconds:.1f} s")
        return
    rows = tuple(_rows(goal, hosts, found))
    yield Table("", ("host", "before", "live now", "address"), rows)
    count = f"{len(rows)} host{'' if len(rows) == 1 else 's'}"
    yield Note(f"{plan.run.verb}: {goal.id} is live on {count}, after {seconds:.1f} s")


def _switches(plan: Plan) -> bool:
    return any(part.step.phase is Phase.COMMIT and part.step.undo for part in plan.parts)


def _rows(
    goal: Goal, hosts: Sequence[Host], found: Mapping[str, Findings]
) -> Iterator[tuple[str, ...]]:
    for host in hosts:
        static = "static" in host.roles and not runs_code(host.roles)
        release = goal.static if static else goal.web
        if release is not None:
            before = found[host.name].tree("static" if static else "web").current or "-"
            yield host.name, before, release.id, host.url or "-"


def opening_words(
    stage: Stage, plan: Plan, goal: Goal, hosts: Sequence[Host], found: Mapping[str, Findings]
) -> Iterator[str]:
    """What is released where, and in the place of what; or what is live meanwhile, and stays."""
    if goal.source is not None:
        subject = f" {goal.source.subject}" if goal.source.subject else ""
        yield f"{stage.project.name} on {stage.name}: {goal.source.revision[:7]}{subject}"
    for kind, release in (("web", goal.web), ("static", goal.static)):
        if release is not None and release.id:
            current = {found[host.name].tree(kind).current for host in hosts} - {None}
            live = ", ".join(sorted(map(str, current))) or "nothing"
            yield f"{kind}: {live} -> {release.id}" if _switches(plan) else f"{kind}: {live} stays"
