"""After a run that was cut off: every host is brought to one release, whichever the run decided.

A run that was not decided did not happen: each of its hosts goes back to what it had before. One
that was decided is finished. Both can be done from any machine, killed, and done again, since all
that it takes lies on the hosts: the journal says what was begun, both releases are complete there.
"""

from collections.abc import Sequence
from dataclasses import replace

from deploy.asked import Asked
from deploy.course import new_run
from deploy.errors import Inconsistent, Refused
from deploy.findings import Findings
from deploy.fleet import Fleet, locked_by
from deploy.host import CODE, Host
from deploy.means import Means, on_hosts
from deploy.outcome import Outcome
from deploy.participants import RELEASED, participants
from deploy.plan import Plan
from deploy.recovery import VERIFY, Found, ends, recovery, returning
from deploy.report import Emit, Note
from deploy.report.lasting import lasting
from deploy.runner import StepsFailed, run_plan
from deploy.signals import as_interrupts
from deploy.steps.backup import HALF
from deploy.steps.db import AFTER_SWITCH
from deploy.waiting import patiently


def recover(asked: Asked, means: Means) -> Outcome:
    """Bring every host of the stage out of a run that was cut off, and say what is live.

    Raises Locked while a run is alive, Inconsistent if a host cannot be reached or brought back.
    """
    means = replace(means, emit=lasting(means.emit))
    return patiently(asked.wait, means.emit, lambda: _recover(asked, means))


def _recover(asked: Asked, means: Means) -> Outcome:
    stage = asked.load()
    hosts = participants(stage, [host for host in stage.hosts if RELEASED & set(host.roles)])
    run = new_run("recover", means.who)
    try:
        with as_interrupts(), on_hosts(asked, means, stage, hosts) as everyone:
            found = everyone.look()
            fleet = _prepared(everyone, found)
            if not _unfinished(fleet.hosts, found):
                return _closing(fleet.hosts, found, means.emit, "nothing was cut off")
            if new := sorted(fleet.lost.keys() - everyone.lost.keys()):
                means.emit(Note(f"left out, because there is no site on them: {', '.join(new)}"))
            _must_know(fleet, found)
            for host in fleet.hosts:
                _tell_of_restore(host, found[host.name], means.emit)
            with fleet.locked(run, take_over=True):
                _settle(run.id, fleet, means.emit, stage.parallel)
                return _closing(fleet.hosts, fleet.look(), means.emit, "recovered")
    except Refused as refused:
        raise Inconsistent(
            f"not recovered: {refused.what}", "mend that, then: fab recover"
        ) from None


def _prepared(fleet: Fleet, found: Found) -> Fleet:
    """The hosts that can be brought back: a new one among them must not keep the others waiting."""
    missing = [host for host in fleet.hosts if found[host.name].root == "missing"]
    if not missing or len(missing) == len(fleet.hosts):
        return fleet
    return fleet.without(
        {host.name: Refused(f"{host.project.root} is missing") for host in missing}
    )


def _unfinished(hosts: Sequence[Host], found: Found) -> bool:
    """Whether a lock or an open run was left anywhere. Raises Locked if its owner is alive."""
    for host in hosts:
        lock = found[host.name].lock
        if lock and lock.alive:
            raise locked_by(host.name, f"lock alive {lock.text}")
    each = (found[host.name] for host in hosts)
    return any(one.lock or one.left_lock or one.open_runs or one.draining for one in each)


def _must_know(fleet: Fleet, found: Found) -> None:
    """Refused if a host was left out that alone knows how a run was decided."""
    for host in fleet.hosts:
        for entry in found[host.name].open_runs:
            unknown = not ends(entry.run.id, fleet.hosts, found)
            if entry.decider in fleet.lost and unknown:
                raise Refused(
                    f"{entry.decider} cannot be asked, and it alone knows whether"
                    f" {entry.run.verb} {entry.run.id} was decided"
                )


def _tell_of_restore(host: Host, found: Findings, emit: Emit) -> None:
    if found.lock and " db.restore by " in found.lock.text:
        emit(Note(f"{host.name}: {HALF}; fab db.list shows what there is"))


def _settle(run_id: str, fleet: Fleet, emit: Emit, limit: int) -> None:
    # Only now, under the locks, does what is read stay true.
    found = fleet.look()
    parts = (*recovery(fleet.hosts, found, emit, fleet.lost), *returning(fleet.hosts, found))
    plan = Plan(new_run("recover", run_id), parts)
    try:
        run_plan(plan, fleet.execute, fleet.stop, emit, limit)
    except StepsFailed as failed:
        raise _not_recovered(failed) from None


def _not_recovered(failed: StepsFailed) -> Inconsistent:
    causes = "\n".join(map(str, failed.failures))
    if failed.part.step is VERIFY and causes:
        return Inconsistent(
            f"nothing is cut off any more, but what is live does not answer well:\n{causes}",
            "fab deploy, or fab rollback --to ID; fab apache.reload loads what is live anew",
        )
    if failed.interrupted:
        return Inconsistent("not recovered: it was interrupted", "fab recover")
    return Inconsistent(f"not recovered:\n{causes}", "mend that, then: fab recover")


def _closing(hosts: Sequence[Host], found: Found, emit: Emit, what: str) -> Outcome:
    live: dict[str, set[str]] = {}
    for host in hosts:
        for kind, roles in (("web", set(CODE)), ("static", {"static"})):
            if roles & set(host.roles):
                live.setdefault(kind, set()).add(found[host.name].tree(kind).current or "nothing")
    said = "; ".join(f"{kind}: {', '.join(sorted(names))}" for kind, names in live.items())
    if any(len(names) > 1 for names in live.values()):
        raise Inconsistent(f"{what}, but hosts differ ({said})", hint="fab rollback --to ID")
    for host in hosts:
        if lacks_migrations(host, found[host.name]):
            emit(Note("migrations that follow the switch were not all run: fab db.migrate"))
    emit(Note(f"{what}; {said}"))
    return Outcome(next(iter(live.get("web") or live.get("static") or ()), None))


def lacks_migrations(host: Host, found: Findings) -> bool:
    """Whether what was to run after the switch (db.destructive) is known not to have run."""
    live = found.web.complete.get(found.web.current or "")
    last = next((one for one in reversed(found.runs) if "web" in one.changes), None)
    if live is None or last is None or last.run.verb != "deploy" or last.ended != "commit":
        return False
    waits = host.project.db.destructive == AFTER_SWITCH and host.project.db.migrate
    return "db" in host.roles and waits and found.migrated != live.migrations
