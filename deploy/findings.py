"""What a host said of itself when it was looked at: `look` in deploy/remote, as a value."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from deploy.journal import Entry
from deploy.release import Release, as_of, previous


@dataclass(frozen=True)
class Tree:
    """The releases of one kind on a host. `current` is None before the first one.

    `files` has a digest for each release whose static files carry digests in their names: with
    equal digests, pages of the one find all their files in the other.
    """

    current: str | None = None
    blocked: bool = False
    complete: Mapping[str, Release] = field(default_factory=dict)
    partial: tuple[str, ...] = ()
    history: tuple[str, ...] = ()
    committed: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)

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
    """The state of one host. `root` is "ok", "missing" or "readonly"; `free` is in KiB.

    `left_lock`: a run, or the host itself, died while it was about to take the lock.
    `stage`: as what the site was last prepared or released. `elsewhere`: web servers whose file of
    the site's name serves another directory.
    `exposed`: others than the site's group can read shared/env.
    """

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
    left_lock: bool = False
    stage: str = ""
    elsewhere: tuple[str, ...] = ()
    frozen: str = ""
    maintenance: str = ""
    draining: bool = False
    exposed: bool = False
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
