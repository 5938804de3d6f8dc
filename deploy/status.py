"""What is live where, read from the hosts and asked of their servers: status and releases."""

from collections.abc import Mapping, Sequence

from deploy.asked import Asked
from deploy.command import Command
from deploy.findings import Findings
from deploy.fleet import Fleet, not_reached
from deploy.host import Host, runs_code
from deploy.means import Means, on_hosts
from deploy.outcome import Outcome
from deploy.reach import only_looking
from deploy.release import Layout
from deploy.report import Fact, Note, Table

COLUMNS = ("host", "roles", "release", "served", "previous", "revision", "lock")
SHORT = 7
"""Digits of a commit that people read, as many as in the id of its release."""


def status(asked: Asked, means: Means) -> Outcome:
    """Show what each host has live, what it really serves, and who holds its lock.

    Raises Refused, after all others were shown, if a host cannot be reached; not with
    --skip-bad-hosts.
    """
    stage = asked.load()
    hosts = asked.select(stage)
    with on_hosts(asked, means, stage, hosts, some=True) as fleet:
        found = fleet.look(ask_served=True)
    facts = [host_facts(host, found[host.name]) for host in fleet.hosts]
    lost = [_lost_facts(host) for host in hosts if host.name in fleet.lost]
    for one in (*facts, *lost):
        means.emit(Fact(str(one["host"]), one))
    if not asked.json:
        rows = tuple(host_row(one) for one in (*facts, *lost))
        means.emit(Table(f"{stage.project.name} on {stage.name}", COLUMNS, rows))
        for sentence in (*differences(fleet.hosts, facts), *withheld(found)):
            means.emit(Note(sentence))
    if lost and not asked.skip_bad_hosts:
        raise not_reached("not all hosts were seen", fleet.lost)
    return Outcome()


def _lost_facts(host: Host) -> dict[str, object]:
    """What is told of a host that cannot be reached."""
    unknown = host_facts(host, Findings())
    return {**unknown, "lock": "not known: the host cannot be reached", "reached": False}


def host_facts(host: Host, found: Findings) -> dict[str, object]:
    """The state of a host as scripts read it; docs/json.md says what each field means."""
    only_static = "static" in host.roles and not runs_code(host.roles)
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
        "maintenance": found.maintenance or None,
        "reached": True,
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


def withheld(found: Mapping[str, Findings]) -> list[str]:
    """Hosts whose visitors get a page instead of the site, or that keep a balancer away."""
    pages = [
        f"{name} shows the maintenance page, put up {one.maintenance}: fab maintenance.off"
        for name, one in found.items()
        if one.maintenance
    ]
    return pages + [
        f"{name} tells the load balancer to keep away: fab apache.configure"
        for name, one in found.items()
        if one.draining
    ]


def releases(asked: Asked, means: Means) -> Outcome:
    """List the releases of each host, newest first, and what each of them can be used for."""
    stage = asked.load()
    with on_hosts(asked, means, stage, asked.select(stage)) as fleet, only_looking():
        found = fleet.look()
        unknown = {host.name: _unknown(fleet, host) for host in fleet.hosts}
    rows: list[dict[str, object]] = []
    for host in fleet.hosts:
        for kind in ("web", "static"):
            rows += _rows(host.name, kind, found[host.name], unknown[host.name])
    if asked.json:
        for row in rows:
            means.emit(Fact(str(row["host"]), {"event": "release", **row}))
    else:
        columns = ("host", "kind", "release", "revision", "state", "unknown")
        cells = tuple(tuple(_text(row[column]) for column in columns) for row in rows)
        means.emit(Table(stage.project.name, columns, cells))
    return Outcome()


def _unknown(fleet: Fleet, host: Host) -> dict[str, list[str]]:
    """By release, the migrations that runs have applied and that it does not know."""
    if "db" not in host.roles:
        return {}
    layout = Layout(host.project.root)
    argv = (host.project.python, f"{layout.entry}/records.py", layout.root)
    said = fleet.execute(host.name, Command(argv, changes=False), lambda _line: None)
    # A host that has not been released to yet has neither the program nor anything to say.
    lines = [line.split(" ") for line in said.output.splitlines()] if said.ok else []
    return {words[0]: words[1:] for words in lines}


def _text(value: object) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


def _rows(
    host: str, kind: str, found: Findings, unknown: dict[str, list[str]]
) -> list[dict[str, object]]:
    tree = found.tree(kind)
    rows: list[dict[str, object]] = []
    for name in sorted({*tree.complete, *tree.partial}, reverse=True):
        release = tree.complete.get(name)
        state = "incomplete" if release is None else "complete"
        if name == tree.current:
            state = "live"
        elif name == tree.previous:
            state = "previous"
        row: dict[str, object] = {"host": host, "kind": kind, "release": name}
        row["revision"] = release.revision[:12] if release else ""
        row["state"] = state
        row["unknown"] = unknown.get(name, []) if kind == "web" else []
        rows.append(row)
    return rows


def host_row(facts: Mapping[str, object]) -> tuple[str, ...]:
    """The facts for people. A lock is told whole: its end says whether to wait or to recover."""
    short = {**facts, "revision": str(facts["revision"])[:SHORT] if facts["revision"] else None}
    return tuple(_cell(short[column]) for column in COLUMNS)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return ",".join(value) if isinstance(value, list) else str(value)
