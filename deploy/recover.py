"""After a run that was cut off: every host is brought to one release, whichever the run decided.

A run that was not decided did not happen: each of its hosts goes back to what it had before. One
that was decided is finished. Both can be done from any machine, killed, and done again, since all
that it takes lies on the hosts: the journal says what was begun, both releases are complete there.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from deploy.asked import Asked
from deploy.choice import RELEASED, participants
from deploy.command import Action
from deploy.course import new_run
from deploy.errors import Inconsistent, Refused
from deploy.findings import Findings
from deploy.fleet import Fleet, locked_by
from deploy.host import CODE, Host
from deploy.journal import Change, Entry
from deploy.means import Means, on_hosts
from deploy.outcome import Outcome
from deploy.plan import Part, Plan, Work
from deploy.release import Layout
from deploy.report import Emit, Note
from deploy.report.lasting import lasting
from deploy.runner import StepsFailed, run_plan
from deploy.signals import as_interrupts
from deploy.steps import Phase, Step, word
from deploy.steps.activate import reloaded, verified
from deploy.steps.backup import HALF
from deploy.steps.db import AFTER_SWITCH, caught_up, taking_back
from deploy.steps.services import restarted
from deploy.steps.slots import ensured

Found = Mapping[str, Findings]
FINISH = Step("recover.finish", "finish what was decided", (), lambda _: (), Phase.COMMIT)
SCHEMA = Step("recover.schema", "apply again what was taken back", (), lambda _: (), Phase.COMMIT)
RESTORE = Step("recover.restore", "take back what was not decided", (), lambda _: (), Phase.COMMIT)
EMPTY = (
    "what a rollback has taken back of the schema comes back empty; fab db.list names the backup"
    " that it made before"
)


def recover(asked: Asked, means: Means) -> Outcome:
    """Bring every host of the stage out of a run that was cut off, and say what is live.

    Raises Locked while a run is alive, Inconsistent if a host cannot be reached or brought back.
    """
    means = replace(means, emit=lasting(means.emit))
    stage = asked.load()
    hosts = participants(stage, [host for host in stage.hosts if RELEASED & set(host.roles)])
    run = new_run("recover", means.who)
    try:
        with as_interrupts(), on_hosts(asked, means, stage, hosts) as fleet:
            found = fleet.look()
            if not _unfinished(fleet.hosts, found):
                return _closing(fleet.hosts, found, means.emit, "nothing was cut off")
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


def _unfinished(hosts: Sequence[Host], found: Found) -> bool:
    """Whether a lock or an open run was left anywhere. Raises Locked if its owner is alive."""
    for host in hosts:
        lock = found[host.name].lock
        if lock and lock.alive:
            raise locked_by(host.name, f"lock alive {lock.text}")
    each = (found[host.name] for host in hosts)
    return any(one.lock or one.left_lock or one.open_runs for one in each)


def _must_know(fleet: Fleet, found: Found) -> None:
    """Refused if a host was left out (--skip-bad-hosts) that alone knows how a run was decided."""
    for host in fleet.hosts:
        for entry in found[host.name].open_runs:
            ends = _ends(entry.run.id, fleet.hosts, found)
            if entry.decider in fleet.lost and not ends:
                raise Refused(
                    f"{entry.decider} cannot be reached, and it alone knows whether"
                    f" {entry.run.verb} {entry.run.id} was decided"
                )


def _tell_of_restore(host: Host, found: Findings, emit: Emit) -> None:
    if found.lock and " db.restore by " in found.lock.text:
        emit(Note(f"{host.name}: {HALF}; fab db.list shows what there is"))


def _settle(run_id: str, fleet: Fleet, emit: Emit, limit: int) -> None:
    # Only now, under the locks, does what is read stay true.
    found = fleet.look()
    parts = tuple(recovery(fleet.hosts, found, emit, fleet.lost))
    plan = Plan(new_run("recover", run_id), parts)
    try:
        run_plan(plan, fleet.execute, fleet.stop, emit, limit)
    except StepsFailed as failed:
        causes = "\n".join(map(str, failed.failures))
        raise Inconsistent(f"not recovered:\n{causes}", "mend that, then: fab recover") from None


def recovery(
    hosts: Sequence[Host], found: Found, emit: Emit, left_out: Collection[str] = ()
) -> Iterator[Part]:
    """What has to be done on which hosts; `emit` is told how each run was decided."""
    entries = {entry.run.id: entry for host in hosts for entry in found[host.name].open_runs}
    for run_id, entry in entries.items():
        gone = sorted(set(entry.hosts) - {host.name for host in hosts} - set(left_out))
        if gone:
            emit(Note(f"hosts of {run_id} that are not in the inventory: {', '.join(gone)}"))
        decided = was_decided(run_id, hosts, found)
        schema = () if decided else tuple(_schema(run_id, hosts, found))
        if schema:
            emit(Note(EMPTY))
            yield Part(SCHEMA, schema)
        emit(Note(_came_of(entry, decided=decided)))
        works = tuple(
            Work(host, tuple(_settled(host, found[host.name], mine, decided=decided)))
            for host in hosts
            for mine in found[host.name].open_runs
            if mine.run.id == run_id
        )
        yield Part(FINISH if decided else RESTORE, works)


def _schema(run_id: str, hosts: Sequence[Host], found: Found) -> Iterator[Work]:
    """What the release that comes back may lack: a rollback forgets the key before it begins."""
    for host in hosts:
        for mine in found[host.name].open_runs:
            change = mine.changes.get("web")
            if not (mine.run.id == run_id and mine.run.verb == "rollback" and change):
                continue
            there, has = found[host.name].web.complete, found[host.name].migrated
            live, other = (there.get(name or "") for name in (change.before, change.after))
            # Marked when migrations are about to be taken back, the other's once they are.
            unsure = has == taking_back(run_id) or (
                live and other and has == other.migrations != live.migrations
            )
            if live and unsure and "db" in host.roles and host.project.db.migrate:
                file = f"{host.project.root}/.deploy/migrated"
                again = caught_up(host, live.id, run_id)
                yield Work(host, (again, word("remember", file, live.migrations)))


def was_decided(run_id: str, hosts: Sequence[Host], found: Found) -> bool:
    """Whether some host knows that the run was committed, and none that it was aborted.

    The commit is written on the decider before any other host, and only when every host was
    switched and verified; an abort is never written after a commit.
    """
    ends = _ends(run_id, hosts, found)
    return "commit" in ends and "abort" not in ends


def _ends(run_id: str, hosts: Sequence[Host], found: Found) -> set[str]:
    """How the hosts say that the run ended; empty if none of them knows."""
    entries = (entry for host in hosts for entry in found[host.name].runs)
    return {entry.ended for entry in entries if entry.run.id == run_id and entry.ended}


def _came_of(entry: Entry, *, decided: bool) -> str:
    run = f"{entry.run.verb} {entry.run.id} by {entry.run.who}"
    if decided:
        return f"{run} was decided: finished"
    if entry.run.verb == "env.rotate":
        return f"{run} was cut off: keys stay as they are, and fab env.rotate makes them agree"
    return f"{run} was not decided: taken back"


def _settled(host: Host, found: Findings, entry: Entry, *, decided: bool) -> Iterator[Action]:
    layout = Layout(host.project.root)
    for kind, change in entry.changes.items():
        release = change.after if decided else change.before
        base = layout.static if kind == "static" else layout.root
        yield from _served(host, found, kind, base, release, change)
    yield word("end_run", layout.root, entry.run.id, "commit" if decided else "abort")


def _served(
    host: Host, found: Findings, kind: str, base: str, release: str | None, change: Change
) -> Iterator[Action]:
    if release is None:
        yield word("unswitch", base)
        if kind == "web":
            yield from reloaded(host, None)
        return
    if release not in found.tree(kind).complete:
        raise Inconsistent(
            f"{host.name}: release {release} is gone, and {change.after} was not decided",
            hint="put the release back from another host, then: fab recover",
        )
    if kind == "web" and "web" in host.roles:
        yield ensured(host.project, found.slot_of(release), release)
    yield word("switch", base, release)
    if kind == "web":
        yield from restarted(host, release)
        yield from reloaded(host, release)
    yield from verified(host, kind, release)


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
