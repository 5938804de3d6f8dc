"""A look at a host: what is asked of it in one round trip, and how its answer is understood."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace

from deploy.command import Command
from deploy.findings import Findings, Lock, Process, Tree
from deploy.host import Host
from deploy.journal import Entry, committed, history, parse
from deploy.release import ID, Release

LOOK_QUIET = 30.0
"""Seconds a host may take to describe itself."""


def look(host: Host, *, ask_served: bool = False, again: bool = False) -> Command:
    """What a host is asked; with `ask_served` its servers are, too, for what they really serve.

    A host that is asked `again` leaves out what does not change within a run: see `understand`.
    """
    project = host.project
    words = ("look", project.root, project.name, "" if again else project.python)
    asked = Command(words, changes=False)
    if not ask_served:
        return asked
    name = project.web.server_name or "localhost"
    lines = [asked.shell()]
    if "web" in host.roles:
        lines.append(Command(("served", str(project.web.port), name, project.web.health)).shell())
    if "static" in host.roles:
        name = project.static.server_name or "localhost"
        lines.append(Command(("served_static", str(project.static.port), name)).shell())
    return Command(("eval", "\n".join(lines)), quiet_limit=LOOK_QUIET, changes=False)


def understand(host: str, lines: Iterable[str], before: Findings | None = None) -> Findings:
    """The findings of a host from what `look` printed. Raises Inconsistent for a torn journal.

    `before` is what was found before, if the host was asked again.
    """
    found = _understood(host, lines)
    if before is None:
        return found
    return replace(
        found,
        python=before.python,
        platform=before.platform,
        libc=before.libc,
        lacks=before.lacks,
    )


def _understood(host: str, lines: Iterable[str]) -> Findings:
    said: dict[str, list[str]] = {}
    for line in lines:
        key, _, value = line.partition(" ")
        said.setdefault(key, []).append(value)
    journal = parse(host, said.get("journal", []))
    python, platform, libc = (*_last(said, "python").split(" "), "", "", "")[:3]
    slots = dict(value.split(" ", 1) for value in said.get("slot", []))
    return Findings(
        user=_last(said, "user"),
        root=_last(said, "root") or "missing",
        free=int(_last(said, "free") or 0),
        python=python,
        platform=platform,
        libc=libc,
        lacks=tuple(said.get("lacks", ())),
        web=_tree(said, "current", "release", journal, "web"),
        static=_tree(said, "static-current", "static-release", journal, "static"),
        venvs=tuple(said.get("venv", ())),
        slots={name: release for name, release in slots.items() if ID.fullmatch(release)},
        live_slot=_last(said, "live-slot") or "blue",
        processes=tuple(_process(value) for value in said.get("process", ())),
        migrated=_last(said, "migrated"),
        installed=dict(value.split(" ", 1) for value in said.get("installed", ())),
        lock=_lock(_last(said, "lock")),
        left_lock=bool(_last(said, "left-lock")),
        stage=_last(said, "stage"),
        elsewhere=tuple(said.get("elsewhere", ())),
        frozen=_last(said, "frozen"),
        exposed=int(_last(said, "env-mode") or "0", 8) & 0o037 != 0,
        draining=bool(_last(said, "draining")),
        maintenance=_last(said, "maintenance"),
        runs=journal,
        marked_green=tuple(said.get("green", ())),
        served=_last(said, "served") or _last(said, "served-static") or None,
    )


def _last(said: Mapping[str, list[str]], key: str) -> str:
    return said[key][-1] if key in said else ""


def _tree(
    said: Mapping[str, list[str]], link: str, releases: str, journal: tuple[Entry, ...], kind: str
) -> Tree:
    current = _last(said, link)
    live = current if ID.fullmatch(current) else None
    complete, partial = {}, []
    for value in said.get(releases, ()):
        name, _, rest = value.partition(" ")
        if not ID.fullmatch(name):
            continue
        release = _release(name, rest)
        if release is None:
            partial.append(name)
        else:
            complete[name] = release
    return Tree(
        current=live,
        blocked=current == "directory",
        complete=complete,
        partial=tuple(partial),
        history=history(journal, kind, live),
        committed=committed(journal, kind),
        files=dict(value.split(" ", 1) for value in said.get(f"{releases}-files", ())),
    )


def _release(name: str, text: str) -> Release | None:
    try:
        facts = json.loads(text)
    except ValueError:
        return None
    known = {key: str(facts.get(key, "")) for key in ("revision", "venv", "migrations", "tree")}
    units, pages = facts.get("units"), facts.get("pages", ())
    return Release(
        name,
        **known,
        units=None if units is None else tuple(map(str, units)),
        pages=tuple(map(str, pages)),
    )


def _process(value: str) -> Process:
    slot, pid, says = value.split(" ", 2)
    return Process(slot, int(pid), says)


def _lock(value: str) -> Lock | None:
    if not value:
        return None
    state, _, text = value.partition(" ")
    return Lock(text, alive=state == "alive")
