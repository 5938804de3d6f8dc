"""What a host said of itself when it was looked at: `look` in deploy/remote, as a value."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from deploy.journal import Entry, committed, history, parse
from deploy.release import ID, Release, as_of, previous


@dataclass(frozen=True)
class Tree:
    """The releases of one kind on a host. `current` is None before the first one."""

    current: str | None = None
    blocked: bool = False
    complete: Mapping[str, Release] = field(default_factory=dict)
    partial: tuple[str, ...] = ()
    history: tuple[str, ...] = ()
    committed: tuple[str, ...] = ()

    @property
    def previous(self) -> str | None:
        """The release to go back to."""
        return previous(self.current, self.history, self.complete)

    def as_of(self, number: int) -> str | None:
        """The newest release here that is not newer than release `number`."""
        return as_of(number, {*self.committed, *self.history}, self.complete)

    @property
    def known(self) -> tuple[str, ...]:
        """Every id that this host has seen, complete or not."""
        return (*self.complete, *self.partial, *self.history, *self.committed)


@dataclass(frozen=True)
class Process:
    """A process of a web slot, and what it says of itself, such as `loaded 000042-1a2b3c4`."""

    slot: str
    pid: int
    says: str


@dataclass(frozen=True)
class Lock:
    """Somebody's lock on a host. `alive`: the run that took it is still there."""

    text: str
    alive: bool


@dataclass(frozen=True)
class Findings:
    """The state of one host. `root` is "ok", "missing" or "readonly"; `free` is in KiB."""

    user: str = ""
    root: str = "missing"
    free: int = 0
    python: str = ""
    platform: str = ""
    libc: str = ""
    lacks: tuple[str, ...] = ()
    web: Tree = field(default_factory=Tree)
    static: Tree = field(default_factory=Tree)
    venvs: tuple[str, ...] = ()
    slots: Mapping[str, str] = field(default_factory=dict)
    live_slot: str = "blue"
    processes: tuple[Process, ...] = ()
    migrated: str = ""
    installed: Mapping[str, str] = field(default_factory=dict)
    lock: Lock | None = None
    frozen: str = ""
    runs: tuple[Entry, ...] = ()
    marked_green: tuple[str, ...] = ()
    served: str | None = None

    @property
    def open_runs(self) -> tuple[Entry, ...]:
        """Runs that began to switch here, and of which this host does not know the end."""
        return tuple(entry for entry in self.runs if not entry.ended)

    def slot_of(self, release: str) -> str:
        """The slot that serves a release when it is live."""
        return "green" if release in self.marked_green else "blue"

    @property
    def idle_slot(self) -> str:
        """The slot that no visitor is on."""
        return "blue" if self.live_slot == "green" else "green"

    def tree(self, kind: str) -> Tree:
        """The releases of `kind`, "web" or "static"."""
        return self.static if kind == "static" else self.web


def understand(host: str, lines: Iterable[str]) -> Findings:
    """The findings of a host from what `look` printed. Raises Inconsistent for a torn journal."""
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
        frozen=_last(said, "frozen"),
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
    )


def _release(name: str, text: str) -> Release | None:
    try:
        facts = json.loads(text)
    except ValueError:
        return None
    known = {key: str(facts.get(key, "")) for key in ("revision", "venv", "migrations")}
    return Release(name, **known)


def _process(value: str) -> Process:
    slot, pid, says = value.split(" ", 2)
    return Process(slot, int(pid), says)


def _lock(value: str) -> Lock | None:
    if not value:
        return None
    state, _, text = value.partition(" ")
    return Lock(text, alive=state == "alive")
