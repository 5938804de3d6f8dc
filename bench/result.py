"""What was measured, and what is computed from it."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

FIRST, REDEPLOY, UNCHANGED = "first", "redeploy", "unchanged"
ROLLBACK, STATIC = "rollback", "static"
CASES = {
    FIRST: "first deploy",
    REDEPLOY: "one file changed",
    UNCHANGED: "nothing changed",
    ROLLBACK: "rollback",
    STATIC: "static, 10 of 1,500 changed",
}
"""Every case, with what it is called in a table."""


@dataclass(frozen=True)
class Measurement:
    """One run of one contestant. `seconds` until its command ended, `warm` until all hosts serve.

    Bytes, connections, commands and exchanges are those of all hosts together; CPU seconds and
    the largest process' memory are those of the operator's machine.
    """

    contestant: str
    case: str
    hosts: int
    rtt_ms: int
    seconds: float
    warm: float
    cpu: float
    memory: int
    connections: int
    commands: int
    exchanges: int
    sent: int
    received: int


@dataclass(frozen=True)
class Cell:
    """What is compared with each other: a case on so many hosts at a round-trip time."""

    case: str
    hosts: int
    rtt_ms: int

    def __str__(self) -> str:
        return f"{CASES[self.case]}, {_hosts(self.hosts)}, {self.rtt_ms} ms"


@dataclass(frozen=True)
class Ratios:
    """Our median as a multiple of others'; None where they were not measured."""

    cell: Cell
    vs_floor: float | None
    vs_limit: float | None
    vs_fastest_peer: float | None

    def line(self) -> str:
        """As a line of JSON."""
        shown = {"case": self.cell.case, "hosts": self.cell.hosts, "rtt_ms": self.cell.rtt_ms}
        parts = ("vs_floor", "vs_limit", "vs_fastest_peer")
        ratios = {part: getattr(self, part) for part in parts if getattr(self, part) is not None}
        return json.dumps({"event": "ratio", **shown, **ratios})


@dataclass(frozen=True)
class Results:
    """All measurements of a run, and the versions of who took part."""

    measurements: Sequence[Measurement]
    versions: dict[str, str]
    peers: Sequence[str]
    missing: dict[str, str]
    when: str
    command: str
    startup: dict[str, float]

    @property
    def cells(self) -> list[Cell]:
        """Every cell in which something was measured, in the order of the cases."""
        found = {Cell(one.case, one.hosts, one.rtt_ms) for one in self.measurements}
        order = list(CASES)
        return sorted(found, key=lambda cell: (order.index(cell.case), cell.hosts, cell.rtt_ms))

    def of(self, cell: Cell, contestant: str) -> list[Measurement]:
        """The runs of a contestant in a cell that took effect."""
        return [
            one
            for one in self.measurements
            if one.contestant == contestant and Cell(one.case, one.hosts, one.rtt_ms) == cell
        ]

    def seconds(self, cell: Cell, contestant: str) -> float | None:
        """The median until the command ended."""
        return middle(self.of(cell, contestant), lambda one: one.seconds)

    def in_cell(self, cell: Cell) -> Iterator[tuple[str, list[Measurement]]]:
        """Each contestant that was measured in a cell, the fastest first."""
        found = [(name, self.of(cell, name)) for name in self.versions]
        measured = [(name, runs) for name, runs in found if runs]
        yield from sorted(measured, key=lambda pair: median(one.seconds for one in pair[1]))

    def ratios(self) -> list[Ratios]:
        """Ours to the floor, the limit and the fastest peer, for each cell."""
        return [ratio for cell in self.cells if (ratio := self._ratio(cell))]

    def _ratio(self, cell: Cell) -> Ratios | None:
        ours = self.seconds(cell, "us")
        if ours is None:
            return None
        theirs = [self.seconds(cell, name) for name in self.peers]
        fastest = min((one for one in theirs if one is not None), default=None)
        others = (self.seconds(cell, "floor"), self.seconds(cell, "limit"), fastest)
        floor, limit, peer = (None if one is None else round(ours / one, 2) for one in others)
        return Ratios(cell, floor, limit, peer)

    def keep(self, path: Path) -> None:
        """Write all to a file."""
        path.write_text(json.dumps(asdict(self)))


def read(path: Path) -> Results:
    """What `keep` wrote."""
    said = json.loads(path.read_text())
    said["measurements"] = [Measurement(**one) for one in said["measurements"]]
    return Results(**said)


def middle(runs: Iterable[Measurement], of: Callable[[Measurement], float]) -> float | None:
    """The median of something; None without runs."""
    values = [of(one) for one in runs]
    return median(values) if values else None


def _hosts(count: int) -> str:
    return f"{count} host{'s' if count > 1 else ''}"
