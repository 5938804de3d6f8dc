"""What is not live yet: commits, and migrations that the live release or the next one waits for."""

import json
from collections.abc import Iterator, Sequence

from deploy.asked import Asked
from deploy.command import Command
from deploy.errors import Refused
from deploy.fleet import Fleet
from deploy.host import Host
from deploy.means import Means, on_hosts
from deploy.outcome import Outcome
from deploy.participants import participants
from deploy.reach import only_looking
from deploy.release import Layout, Release
from deploy.report import FACT, Fact, Note, Table
from deploy.source import Commit, changes, resolve

QUIET = 120.0
"""Seconds that Django may take to say what the database lacks."""
PLAN = "fab db.plan says what a deploy of this revision would do to the database, with the SQL"
MIGRATE = "; fab db.migrate runs what is live, not applied"
Rows = list[dict[str, object]]


def pending(asked: Asked, means: Means, revision: str = "") -> Outcome:
    """List commits and migrations between what is live and `revision`, or HEAD. Changes nothing.

    Raises Refused if nothing is live, if hosts differ, or if git does not know what is live.
    """
    stage = asked.load()
    source = resolve(asked.top, stage.project, revision or "HEAD", means.run_here)
    selected = asked.select(stage, ("web", "db"))
    hosts = participants(stage, selected, ("web", "db"))
    if not hosts:
        raise Refused("none of the selected hosts has a release of code", "fab pending -R web")
    with on_hosts(asked, means, stage, hosts) as fleet, only_looking():
        found = fleet.look()
        live = _live({h.name: found[h.name].web.current for h in fleet.hosts}, fleet.hosts)
        release = found[fleet.hosts[0].name].web.complete[live]
        said = changes(asked.top, source, _revision(release), means.run_here)
        commits: Rows = [_commit(one) for one in said.commits]
        migrations: Rows = [
            {"event": "migration", "migration": name, "state": "not live"}
            for name in said.migrations
        ]
        for host in fleet.hosts:
            if "db" in host.roles and host.project.db.migrate:
                migrations += _lacking(fleet, host, live)
    for fact in (*commits, *migrations):
        means.emit(Fact("", fact))
    if not asked.json:
        means.emit(Note(f"live: {live}; compared with {source.revision[:7]} {source.subject}"))
        for one in said.missing:
            means.emit(Note(f"live, but not in this revision: {one.revision} {one.subject}"))
        _show(means, "commit", ("revision", "author", "subject"), commits)
        late = any("risk" in one for one in migrations)
        risk = ("risk",) if late else ()
        _show(means, "migration", ("migration", "state", *risk), migrations)
        if migrations:
            means.emit(Note(PLAN + (MIGRATE if late else "")))
    return Outcome(live)


def _live(current: dict[str, str | None], hosts: Sequence[Host]) -> str:
    names = {str(name) for name in current.values() if name}
    without = [host.name for host in hosts if not current[host.name]]
    if without:
        raise Refused(f"no release is live on {', '.join(without)}", hint="fab deploy")
    if len(names) > 1:
        raise Refused(f"hosts differ: {', '.join(sorted(names))}", hint="fab status")
    return names.pop()


def _revision(release: Release) -> str:
    return release.revision or release.id[7:]


def _commit(commit: Commit) -> dict[str, object]:
    facts = {"revision": commit.revision, "author": commit.author, "subject": commit.subject}
    return {"event": "commit", **facts}


def _lacking(fleet: Fleet, host: Host, live: str) -> Iterator[dict[str, object]]:
    """The migrations that the live release has and the database has not."""
    layout = Layout(host.project.root)
    release = layout.release(live)
    program = (f"{release}/venv/bin/python", f"{layout.entry}/planned.py")
    argv = (*program, layout.root, live)
    asked = Command(argv, cwd=release, quiet_limit=QUIET, changes=False)
    result = fleet.execute(host.name, asked, lambda _line: None)
    if not result.ok:
        why = result.output.strip()[-500:]
        raise Refused(f"{host.name} cannot tell what the database lacks:\n{why}", "fab status")
    for line in result.output.splitlines():
        if line.startswith(FACT):
            fact: dict[str, object] = json.loads(line.removeprefix(FACT))
            yield {**fact, "state": "live, not applied"}


def _show(means: Means, what: str, columns: tuple[str, ...], facts: Rows) -> None:
    if not facts:
        means.emit(Note(f"no {what} is waiting"))
        return
    rows = tuple(tuple(_cell(fact.get(column, "")) for column in columns) for fact in facts)
    means.emit(Table(f"{what}s not yet live", columns, rows))


def _cell(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)[:72]
