"""From what was asked to what happened: load, select, connect, look, plan, lock, run, report."""

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from deploy.asked import Asked
from deploy.choice import (
    NO_RELEASE,
    Found,
    Goal,
    bystanders,
    live_release,
    new_release,
    newest_release,
    participants,
    rollback_target,
)
from deploy.command import Command, Result
from deploy.consent import must_consent
from deploy.errors import Refused
from deploy.findings import Findings
from deploy.fitness import must_be_fit
from deploy.fleet import Fleet, ReachHost, reached
from deploy.flow import DEPLOY, ROLLBACK, Flow
from deploy.host import Host
from deploy.journal import Run
from deploy.outcome import Outcome
from deploy.plan import Plan, make_plan
from deploy.reach import Reach
from deploy.report import Emit, Note
from deploy.report.closing import closing_words
from deploy.runner import StepsFailed, run_plan
from deploy.signals import as_interrupts
from deploy.source import resolve
from deploy.stage import Stage
from deploy.steps import HERE, Target
from deploy.verdict import verdict
from deploy.workshop import Workshop


@dataclass(frozen=True)
class Means:
    """How the world is reached: this machine, the hosts, the eyes of the operator."""

    here: Reach
    reach: ReachHost
    emit: Emit
    workshop: Callable[[str], Workshop]
    who: str

    def run_here(self, command: Command) -> Result:
        """Run a program on this machine."""
        return self.here.execute(command, lambda _line: None)


Choose = Callable[[Sequence[Host], Found], Goal]
"""What a run is to make live, told from the hosts that take part and what was found on them."""


def deploy(asked: Asked, means: Means, revision: str = "", flow: Flow = DEPLOY) -> Outcome:
    """Release a revision to the selected hosts, all or nothing."""
    stage = asked.load()
    source = resolve(asked.top, stage.project, revision, means.run_here)

    def choose(hosts: Sequence[Host], found: Found) -> Goal:
        release = new_release(source, found.values())
        roles = {role for host in hosts for role in host.roles}
        return Goal(
            release if roles & {"web", "db"} else None,
            release if "static" in roles else None,
            source,
        )

    return run_flow(asked, means, stage, flow, choose)


def rollback(asked: Asked, means: Means, to: str = "", flow: Flow = ROLLBACK) -> Outcome:
    """Go back to the release before, or to a named one, on all selected hosts."""
    choose: Choose = lambda hosts, found: rollback_target(hosts, found, to)  # noqa: E731
    return run_flow(asked, means, asked.load(), flow, choose)


def on_live(asked: Asked, means: Means, flow: Flow) -> Outcome:
    """Run a part of a deploy by itself, on the release that is live."""
    return run_flow(asked, means, asked.load(), flow, live_release)


def on_hosts_alone(asked: Asked, means: Means, flow: Flow) -> Outcome:
    """Run a part of a deploy by itself that concerns the hosts, and no release."""
    return run_flow(asked, means, asked.load(), flow, lambda _hosts, _found: NO_RELEASE)


def on_newest(asked: Asked, means: Means, flow: Flow, release: str = "") -> Outcome:
    """Run a part of a deploy by itself, on the newest release of the hosts or a named one."""
    stage = asked.load()

    def choose(hosts: Sequence[Host], found: Found) -> Goal:
        which = newest_release(hosts, found, release)
        source = resolve(asked.top, stage.project, which.id[7:], means.run_here)
        whole = replace(which, revision=source.revision, migrations=source.migrations)
        return Goal(whole, whole, source)

    return run_flow(asked, means, stage, flow, choose)


@contextmanager
def on_hosts(
    asked: Asked,
    means: Means,
    stage: Stage,
    hosts: Sequence[Host],
    witnesses: Sequence[Host] = (),
) -> Iterator[Fleet]:
    """Reach these hosts, or Refused; they are left when the block ends."""
    with reached(
        hosts,
        means.here,
        means.reach,
        stage.parallel,
        witnesses=witnesses,
        skip_bad=asked.skip_bad_hosts,
    ) as fleet:
        there = {host.name for host in (*fleet.hosts, *fleet.witnesses)}
        left = [host.name for host in (*hosts, *witnesses) if host.name not in there]
        if left:
            means.emit(Note(f"left out, because they cannot be reached: {', '.join(left)}"))
        yield fleet


def run_flow(asked: Asked, means: Means, stage: Stage, flow: Flow, choose: Choose) -> Outcome:
    """Run a flow from beginning to end, or with --dry only say what it would do."""
    hosts = participants(stage, asked.select(stage, flow.roles), asked.roles or flow.roles)
    if not hosts:
        raise Refused("none of the selected hosts has a role that holds releases")
    run = new_run(flow.verb, means.who)
    others = bystanders(stage, hosts)
    with as_interrupts(), on_hosts(asked, means, stage, hosts, others) as fleet:
        found = fleet.look()
        must_be_fit(flow, fleet.hosts, found)
        plan, goal = _planned(means, stage, flow, run, fleet, found, choose)
        if asked.dry:
            for line in (*_heading(stage, goal, fleet.hosts, found), *plan.lines()):
                means.emit(Note(line))
            return Outcome(goal.id)
        must_consent(stage, asked, tuple(_heading(stage, goal, fleet.hosts, found)))
        with fleet.locked(run):
            found = fleet.look()
            plan, goal = _planned(means, stage, flow, run, fleet, found, choose)
            for line in _heading(stage, goal, fleet.hosts, found):
                means.emit(Note(line))
            return _carried_out(plan, goal, fleet, means, found, stage.parallel)


def _planned(
    means: Means,
    stage: Stage,
    flow: Flow,
    run: Run,
    fleet: Fleet,
    found: Found,
    choose: Choose,
) -> tuple[Plan, Goal]:
    goal = choose(fleet.hosts, found)
    everyone = tuple((host, found[host.name]) for host in fleet.hosts)
    here = Host(HERE, "", roles=(HERE,), project=stage.project)
    targets = [
        Target(
            host=host,
            found=said,
            run=run,
            workshop=means.workshop(stage.project.name),
            web=goal.web,
            static=goal.static,
            source=goal.source,
            fleet=everyone,
        )
        for host, said in ((here, Findings()), *everyone)
    ]
    return make_plan(flow, run, targets), goal


def _carried_out(
    plan: Plan, goal: Goal, fleet: Fleet, means: Means, found: Found, limit: int
) -> Outcome:
    began = time.monotonic()
    try:
        warnings = run_plan(plan, fleet.execute, fleet.stop, means.emit, limit)
    except (StepsFailed, KeyboardInterrupt) as failed:
        raise verdict(failed, fleet.hosts, found) from None
    for warning in warnings:
        means.emit(Note(f"warning, the release is live all the same: {warning}"))
    for event in closing_words(plan, goal, fleet.hosts, found, time.monotonic() - began):
        means.emit(event)
    return Outcome(goal.id)


def new_run(verb: str, who: str) -> Run:
    """A run with an id of its own; the time in it is for people and decides nothing."""
    return Run(f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}", verb, who)


def _heading(stage: Stage, goal: Goal, hosts: Sequence[Host], found: Found) -> Iterator[str]:
    if goal.source is not None:
        subject = f" {goal.source.subject}" if goal.source.subject else ""
        yield f"{stage.project.name} on {stage.name}: {goal.source.revision[:7]}{subject}"
    for kind, release in (("web", goal.web), ("static", goal.static)):
        if release is not None and release.id:
            live = {found[host.name].tree(kind).current for host in hosts} - {None}
            yield f"{kind}: {', '.join(sorted(map(str, live))) or 'nothing'} -> {release.id}"
