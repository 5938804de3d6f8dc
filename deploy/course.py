"""The course of a run: select, connect, look, plan, lock, carry out, report."""

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from deploy.asked import Asked
from deploy.choice import Found, Goal
from deploy.consent import must_consent
from deploy.errors import Refused
from deploy.findings import Findings
from deploy.fitness import must_be_fit, must_be_of, must_be_settled, must_have_here
from deploy.fleet import Fleet
from deploy.flow import Flow
from deploy.host import Host
from deploy.journal import Run
from deploy.means import Means, on_hosts
from deploy.outcome import Outcome
from deploy.participants import bystanders, must_answer, must_reach_database, taking_part
from deploy.plan import Plan, make_plan
from deploy.report import Event, Note, Said
from deploy.report.lasting import lasting
from deploy.report.words import closing_words, opening_words
from deploy.runner import StepsFailed, run_plan
from deploy.signals import as_interrupts, too_late
from deploy.stage import Stage
from deploy.steps import HERE, Target
from deploy.steps.db import contract
from deploy.steps.journal import commit
from deploy.verdict import not_contracted, verdict
from deploy.waiting import patiently

Choose = Callable[[Sequence[Host], Found], Goal]
"""What a run is to make live, told from the hosts that take part and what was found on them."""
Ask = Callable[[Fleet, Found, Goal], Goal]
"""The same goal, with what had to be asked of the hosts before a plan can be made."""
Look = Callable[[Found], None]
"""Told what was found at each first look, be it while another run is at work."""


def run_flow(
    asked: Asked,
    means: Means,
    stage: Stage,
    flow: Flow,
    choose: Choose,
    ask: Ask | None = None,
    look: Look = lambda _found: None,
) -> Outcome:
    """Run a flow from beginning to end, or with --dry only say what it would do.

    While another run has the locks, this waits for as long as --wait allows.
    """
    means = replace(means, emit=lasting(means.emit))

    def once() -> Outcome:
        return _run_once(asked, means, stage, flow, choose, ask, look)

    return patiently(asked.wait, means.emit, once)


def _run_once(
    asked: Asked,
    means: Means,
    stage: Stage,
    flow: Flow,
    choose: Choose,
    ask: Ask | None,
    look: Look,
) -> Outcome:
    hosts = taking_part(asked, stage, flow)
    if hosts:
        must_have_here(flow, stage.project)
    run = new_run(flow.verb, means.who)
    others = bystanders(stage, hosts) if hosts else ()
    needed = must_answer(stage, flow, others)
    with as_interrupts(), on_hosts(asked, means, stage, hosts, others, needed) as fleet:
        must_reach_database(flow, hosts, fleet.lost)
        found = fleet.look()
        look(found)
        must_be_fit(flow, fleet.hosts, found)
        if not asked.yes:
            must_be_of(stage.name, fleet.hosts, found)
        plan, goal = _planned(means, stage, flow, run, fleet, found, choose, ask)
        words = tuple(opening_words(stage, plan, goal, fleet.hosts, found))
        if asked.dry:
            for line in (*words, *plan.lines()):
                means.emit(Note(line))
            return Outcome(goal.id)
        must_consent(stage, asked, words)
        with fleet.locked(run):
            found = fleet.look(before=found)
            for host in fleet.hosts:
                must_be_settled(host, found[host.name])
            plan, goal = _planned(means, stage, flow, run, fleet, found, choose, ask)
            now = tuple(opening_words(stage, plan, goal, fleet.hosts, found))
            if stage.confirm and not (asked.yes or asked.agreed):
                _must_be_as_told(words, now)
            for line in now:
                means.emit(Note(line))
            return _carried_out(plan, goal, fleet, means, found, stage.parallel)


def _must_be_as_told(words: Sequence[str], now: Sequence[str]) -> None:
    """Refused if another run was faster, so that this is no longer what the operator agreed to."""
    was = "; ".join(line for line in words if line not in now)
    would = "; ".join(line for line in now if line not in words)
    if was or would:
        raise Refused(
            "nothing changed: somebody else has changed these hosts meanwhile\n"
            f"asked for was: {was or 'nothing'}\nit would now be: {would or 'nothing'}",
            "the same again, if it is still wanted",
        )


def _planned(
    means: Means,
    stage: Stage,
    flow: Flow,
    run: Run,
    fleet: Fleet,
    found: Found,
    choose: Choose,
    ask: Ask | None,
) -> tuple[Plan, Goal]:
    goal = choose(fleet.hosts, found)
    goal = ask(fleet, found, goal) if ask else goal
    everyone = tuple((host, found[host.name]) for host in fleet.hosts)
    others = tuple((host, found[host.name]) for host in fleet.witnesses)
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
            back=goal.back,
            origin=goal.origin,
            fleet=everyone,
            witnesses=others,
            unseen=tuple(host.name for host in stage.role("web") if host.name in fleet.lost),
            stage=stage.name,
        )
        for host, said in ((here, Findings()), *everyone)
    ]
    return make_plan(flow, run, targets), goal


def _carried_out(
    plan: Plan, goal: Goal, fleet: Fleet, means: Means, found: Found, limit: int
) -> Outcome:
    began = time.monotonic()
    saved = ""

    def emit(event: Event) -> None:
        nonlocal saved
        if isinstance(event, Said) and event.fact.get("event") == "backup":
            saved = str(event.fact["backup"])
        means.emit(event)

    try:
        warnings = run_plan(plan, fleet.execute, fleet.stop, emit, limit)
    except StepsFailed as failed:
        if failed.abandoned:
            too_late()
            fleet.leave()  # at once: a lock could be given back only after what still runs
        raise verdict(failed, fleet.hosts, found, saved, goal.id) from None
    too_late()
    late = [warning for warning in warnings if warning.step == contract.name]
    for warning in (warning for warning in warnings if warning not in late):
        hint = "; fab recover finishes it" if warning.step == commit.name else ""
        means.emit(Note(f"warning, the release is live all the same: {warning}{hint}"))
    for event in closing_words(plan, goal, fleet.hosts, found, time.monotonic() - began):
        means.emit(event)
    if late:
        raise not_contracted(late, goal.id, saved)
    return Outcome(goal.id)


def new_run(verb: str, who: str) -> Run:
    """A run with an id of its own; the time in it is for people and decides nothing."""
    return Run(f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(3)}", verb, who)
