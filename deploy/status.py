"""What is live where, read from the hosts and asked of their servers: status and releases."""

from collections.abc import Sequence

from deploy.asked import Asked
from deploy.findings import Findings
from deploy.host import Host
from deploy.means import Means, on_hosts
from deploy.outcome import Outcome
from deploy.report import Fact, Note, Table


def status(asked: Asked, means: Means) -> Outcome:
    """Show what each host has live, what it really serves, and who holds its lock."""
    stage = asked.load()
    hosts = asked.select(stage)
    with on_hosts(asked, means, stage, hosts) as fleet:
        found = fleet.look(ask_served=True)
    facts = [host_facts(host, found[host.name]) for host in fleet.hosts]
    for one in facts:
        means.emit(Fact(str(one["host"]), one))
    if not asked.json:
        columns = ("host", "roles", "release", "served", "previous", "revision", "lock")
        rows = tuple(tuple(_cell(one.get(column)) for column in columns) for one in facts)
        means.emit(Table(f"{stage.project.name} on {stage.name}", columns, rows))
        for sentence in differences(fleet.hosts, facts):
            means.emit(Note(sentence))
    return Outcome()


def host_facts(host: Host, found: Findings) -> dict[str, object]:
    """The state of a host as scripts read it; docs/json.md says what each field means."""
    only_static = "static" in host.roles and not {"web", "db"} & set(host.roles)
    tree = found.static if only_static else found.web
    live = tree.complete.get(tree.current or "")
    facts: dict[str, object] = {
        "host": host.name,
        "roles": list(host.roles),
        "release": tree.current,
        "served": found.served,
        "previous": tree.previous,
        "revision": live.revision or None if live else None,
        "lock": None,
    }
    if found.lock:
        state = "alive" if found.lock.alive else "its run is gone"
        facts["lock"] = f"{found.lock.text} ({state})"
    elif found.open_runs:
        facts["lock"] = f"{found.open_runs[0].run.id} was cut off: fab recover"
    elif found.frozen:
        facts["lock"] = f"frozen {found.frozen}"
    return facts


def differences(hosts: Sequence[Host], facts: Sequence[dict[str, object]]) -> list[str]:
    """What should make somebody look: hosts that differ, or serve something else than is live."""
    said = []
    for role in ("web", "static"):
        of_role = [one for host, one in zip(hosts, facts, strict=True) if role in host.roles]
        live = sorted({str(one["release"]) for one in of_role})
        if len(live) > 1:
            said.append(f"the {role} hosts differ: {', '.join(live)}")
        for one in of_role:
            if one["served"] != one["release"]:
                said.append(f"{one['host']} serves {one['served']}, but {one['release']} is live")
    return said


def releases(asked: Asked, means: Means) -> Outcome:
    """List the releases of each host, newest first, and what each of them can be used for."""
    stage = asked.load()
    with on_hosts(asked, means, stage, asked.select(stage)) as fleet:
        found = fleet.look()
    rows = []
    for host in fleet.hosts:
        for kind in ("web", "static"):
            rows += _rows(host.name, kind, found[host.name])
    if asked.json:
        for row in rows:
            names = ("host", "kind", "release", "revision", "state")
            means.emit(Fact(row[0], {"event": "release", **dict(zip(names, row, strict=True))}))
    else:
        columns = ("host", "kind", "release", "revision", "state")
        means.emit(Table(stage.project.name, columns, tuple(map(tuple, rows))))
    return Outcome()


def _rows(host: str, kind: str, found: Findings) -> list[list[str]]:
    tree = found.tree(kind)
    rows = []
    for name in sorted({*tree.complete, *tree.partial}, reverse=True):
        release = tree.complete.get(name)
        state = "incomplete" if release is None else "complete"
        if name == tree.current:
            state = "live"
        elif name == tree.previous:
            state = "previous"
        rows.append([host, kind, name, release.revision[:12] if release else "", state])
    return rows


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return ",".join(value) if isinstance(value, list) else str(value)[:60]
