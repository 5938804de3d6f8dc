"""From what was asked to what happened: load, select, connect, look, plan, lock, run, report."""

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from deploy.asked import Asked
from deploy.choice import (
    NO_RELEASE,
    Found,
    Goal,
    bystanders,
    in_a_bucket,
    live_release,
    new_release,
    newest_release,
    participants,
    rollback_target,
)
from deploy.consent import must_consent
from deploy.errors import Locked, Refused
from deploy.findings import Findings
from deploy.fitness import must_be_fit, must_have_here
from deploy.fleet import Fleet
from deploy.flow import DEPLOY, ROLLBACK, Flow
from deploy.host import Host, runs_code
from deploy.journal import Run
from deploy.means import Means, on_hosts
from deploy.outcome import Outcome
from deploy.plan import Plan, make_plan
from deploy.release import Layout, WayBack
from deploy.report import Event, Note, Said
from deploy.report.words import closing_words, opening_words
from deploy.runner import StepsFailed, run_plan
from deploy.schema import KEEP, Schema, keeping, question, understood, way_back
from deploy.signals import as_interrupts, too_late
from deploy.source import Source, resolve
from deploy.stage import Stage
from deploy.steps import HERE, Target
from deploy.steps.build import check_files
from deploy.steps.db import contract
from deploy.steps.journal import commit
from deploy.verdict import not_contracted, verdict

WAIT_STEP = 2.0
"""Seconds between two tries to get the locks."""
Choose = Callable[[Sequence[Host], Found], Goal]
"""What a run is to make live, told from the hosts that take part and what was found on them."""
Ask = Callable[[Fleet, Found, Goal], Goal]
"""The same goal, with what had to be asked of the hosts before a plan can be made."""


def deploy(asked: Asked, means: Means, revision: str = "", flow: Flow = DEPLOY) -> Outcome:
    """Release a revision to the selected hosts, all or nothing."""
    stage = asked.load()
    source = resolve(asked.top, stage.project, revision, means.run_here)

    def choose(hosts: Sequence[Host], found: Found) -> Goal:
        release = new_release(source, found.values())
        roles = {role for host in hosts for role in host.roles}
        return Goal(
            release if runs_code(roles) else None,
            release if "static" in roles else None,
            source,
        )

    return run_flow(asked, means, stage, flow, choose)


def rollback(
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

    def choose(hosts: Sequence[Host], found: Found) -> Goal:
        goal = rollback_target(hosts, found, to)
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


def on_live(asked: Asked, means: Means, flow: Flow) -> Outcome:
    """Run a part of a deploy by itself, on the release that is live."""
    return run_flow(asked, means, asked.load(), flow, live_release)


def on_hosts_alone(asked: Asked, means: Means, flow: Flow) -> Outcome:
    """Run a part of a deploy by itself that concerns the hosts, and no release."""
    return run_flow(asked, means, asked.load(), flow, lambda _hosts, _found: NO_RELEASE)


def check_static(asked: Asked, means: Means, flow: Flow, bucket: Flow) -> Outcome:
    """Run a part that looks at static files: `flow` at those of hosts, `bucket` at a bucket's."""
    stage = asked.load()
    if stage.project.static.mode == "storage":
        return _on_bucket(asked, means, stage, bucket)
    return run_flow(asked, means, stage, flow, lambda _hosts, _found: NO_RELEASE)


def prune_static(asked: Asked, means: Means, flow: Flow, bucket: Flow) -> Outcome:
    """Run a part that takes static files away; Refused unless all web hosts say what they need."""
    stage = asked.load()
    if stage.project.static.mode == "storage":
        return _on_bucket(asked, means, stage, bucket)

    def choose(_hosts: Sequence[Host], found: Found) -> Goal:
        unknown = [host.name for host in stage.role("web") if host.name not in found]
        if unknown:
            raise Refused(
                f"nothing changed: {', '.join(unknown)} cannot be reached, and nobody knows which"
                " files the pages there need",
            )
        return NO_RELEASE

    return run_flow(asked, means, stage, flow, choose)


def _on_bucket(asked: Asked, means: Means, stage: Stage, flow: Flow) -> Outcome:
    # Whatever was selected: each web host may keep a release of its own, and while all of them
    # are locked nobody releases pages that need a file which nothing needed before.
    def choose(hosts: Sequence[Host], found: Found) -> Goal:
        goal = live_release(hosts, found)
        revision = goal.web.id[7:] if goal.web else ""
        return replace(goal, source=resolve(asked.top, stage.project, revision, means.run_here))

    everyone = replace(asked, roles=(), hosts=(), exclude=(), skip_bad_hosts=False)
    return run_flow(everyone, means, stage, flow, choose)


def on_newest(asked: Asked, means: Means, flow: Flow, release: str = "") -> Outcome:
    """Run a part of a deploy by itself, on the newest release of the hosts or a named one."""
    stage = asked.load()

    def choose(hosts: Sequence[Host], found: Found) -> Goal:
        which = newest_release(hosts, found, release)
        source = resolve(asked.top, stage.project, which.id[7:], means.run_here)
        whole = replace(which, revision=source.revision, migrations=source.migrations)
        return Goal(whole, whole, source)

    return run_flow(asked, means, stage, flow, choose)


def run_flow(
    asked: Asked, means: Means, stage: Stage, flow: Flow, choose: Choose, ask: Ask | None = None
) -> Outcome:
    """Run a flow from beginning to end, or with --dry only say what it would do.

    While another run has the locks, this waits for as long as --wait allows.
    """
    until = time.monotonic() + asked.wait
    said = False
    while True:
        try:
            return _run_once(asked, means, stage, flow, choose, ask)
        except Locked as locked:
            if not locked.alive or time.monotonic() > until:
                raise
            if not said:
                means.emit(Note(f"waiting: {locked.what}"))
                said = True
        time.sleep(WAIT_STEP)


def _run_once(
    asked: Asked, means: Means, stage: Stage, flow: Flow, choose: Choose, ask: Ask | None
) -> Outcome:
    hosts = _hosts(asked, stage, flow)
    if hosts:
        must_have_here(flow, stage.project)
    run = new_run(flow.verb, means.who)
    others = bystanders(stage, hosts) if hosts else ()
    needed = _must_answer(stage, flow, others)
    with as_interrupts(), on_hosts(asked, means, stage, hosts, others, needed) as fleet:
        found = fleet.look()
        must_be_fit(flow, fleet.hosts, found)
        plan, goal = _planned(means, stage, flow, run, fleet, found, choose, ask)
        if asked.dry:
            for line in (*opening_words(stage, plan, goal, fleet.hosts, found), *plan.lines()):
                means.emit(Note(line))
            return Outcome(goal.id)
        must_consent(stage, asked, tuple(opening_words(stage, plan, goal, fleet.hosts, found)))
        with fleet.locked(run):
            found = fleet.look(before=found)
            plan, goal = _planned(means, stage, flow, run, fleet, found, choose, ask)
            for line in opening_words(stage, plan, goal, fleet.hosts, found):
                means.emit(Note(line))
            return _carried_out(plan, goal, fleet, means, found, stage.parallel)


def _hosts(asked: Asked, stage: Stage, flow: Flow) -> tuple[Host, ...]:
    if in_a_bucket(stage, flow.roles) or in_a_bucket(stage, asked.roles):
        return ()
    selected = asked.select(stage, flow.roles)
    hosts = participants(stage, selected, asked.roles or flow.roles, flow.served)
    if not hosts and flow.served != {HERE}:
        raise Refused("none of the selected hosts has a role that holds releases")
    return hosts


def _must_answer(stage: Stage, flow: Flow, others: Sequence[Host]) -> tuple[Host, ...]:
    """The bystanders without whose answer nobody knows whether pages will find their files."""
    if check_files not in flow.steps or stage.project.static.mode != "server":
        return ()
    return tuple(host for host in others if "static" in host.roles)


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
        raise verdict(failed, fleet.hosts, found, saved) from None
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
