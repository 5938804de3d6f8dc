"""What has to be done on which hosts so that a run that was cut off is finished, or never was."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from deploy.command import Action
from deploy.findings import Findings
from deploy.host import Host
from deploy.journal import Entry
from deploy.plan import Part, Work
from deploy.release import Layout
from deploy.report import Emit, Note
from deploy.steps import Phase, Step, attempt, word
from deploy.steps.activate import reloaded, verified
from deploy.steps.db import caught_up, taking_back
from deploy.steps.server import come_back
from deploy.steps.services import restarted, still_at_work
from deploy.steps.slots import ensured

Found = Mapping[str, Findings]


def _step(name: str, says: str) -> Step:
    return Step(f"recover.{name}", says, (), lambda _: (), Phase.COMMIT, thorough=True)


FINISH = _step("finish", "finish what was decided")
SCHEMA = _step("schema", "apply again what was taken back")
RESTORE = _step("restore", "take back what was not decided")
VERIFY = _step("verify", "see that visitors get what is live now")
RETURN = _step("return", "let visitors come again")
EMPTY = (
    "what a rollback has taken back of the schema comes back empty; fab db.list names the backup"
    " that it made before"
)


def recovery(
    hosts: Sequence[Host], found: Found, emit: Emit, left_out: Collection[str] = ()
) -> Iterator[Part]:
    """What has to be done on which hosts; `emit` is told how each run was decided.

    Only when every run is ended are hosts asked for what they serve: what was live before may
    answer badly, and then nothing may stand in the way of what mends it.
    """
    entries = {entry.run.id: entry for host in hosts for entry in found[host.name].open_runs}
    ends_as: dict[str, bool] = {}
    for run_id, entry in entries.items():
        gone = sorted(set(entry.hosts) - {host.name for host in hosts} - set(left_out))
        if gone:
            emit(Note(f"hosts of {run_id} that are not in the inventory: {', '.join(gone)}"))
        decided = ends_as[run_id] = was_decided(run_id, hosts, found)
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
    asked = tuple(Work(host, tuple(_asked(host, found[host.name], ends_as))) for host in hosts)
    if any(work.actions for work in asked):
        yield Part(VERIFY, tuple(work for work in asked if work.actions))


def returning(hosts: Sequence[Host], found: Found) -> Iterator[Part]:
    """Hosts that a run has told the load balancer to leave, and that died before they came back."""
    works = tuple(
        Work(host, tuple(come_back(host)))
        for host in hosts
        if found[host.name].draining and "web" in host.roles
    )
    if works:
        yield Part(RETURN, works)


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
    said = ends(run_id, hosts, found)
    return "commit" in said and "abort" not in said


def ends(run_id: str, hosts: Sequence[Host], found: Found) -> set[str]:
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


def _goals(entry: Entry, *, decided: bool) -> Iterator[tuple[str, str | None]]:
    """What is live on the host, of each kind, once the run is ended. None: nothing, as before."""
    for kind, change in entry.changes.items():
        yield kind, change.after if decided else change.before


def _settled(host: Host, found: Findings, entry: Entry, *, decided: bool) -> Iterator[Action]:
    layout = Layout(host.project.root)
    for kind, release in _goals(entry, decided=decided):
        base = layout.static if kind == "static" else layout.root
        yield from _served(host, found, kind, base, release)
    yield word("end_run", layout.root, entry.run.id, "commit" if decided else "abort")


def _served(
    host: Host, found: Findings, kind: str, base: str, release: str | None
) -> Iterator[Action]:
    if release is None:
        yield word("unswitch", base)
        if kind == "web":
            yield from reloaded(host, None)
            yield from still_at_work(host)
        return
    made = found.tree(kind).complete.get(release)
    if made is None:
        gone = f"release {release} is gone from this host: put it back from another host"
        yield word("say_and_fail", "65", gone)
        return
    if kind == "web" and "web" in host.roles:
        yield attempt(ensured(host.project, found.slot_of(release), release))
    yield word("switch", base, release)
    if kind == "web":
        yield from restarted(host, release, lenient=True)
        yield from map(attempt, reloaded(host, release, made, back=True))


def _asked(host: Host, found: Findings, ends_as: Mapping[str, bool]) -> Iterator[Action]:
    for entry in found.open_runs:
        for kind, release in _goals(entry, decided=ends_as[entry.run.id]):
            made = found.tree(kind).complete.get(release or "")
            if made is None:
                continue
            if kind == "web" and "web" in host.roles:
                yield ensured(host.project, found.slot_of(made.id), made.id)
            yield from verified(host, kind, made.id, made, back=True)
