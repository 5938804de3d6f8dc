"""What a run says of itself, as events, and the ways of showing them."""

import json
from collections.abc import Callable
from dataclasses import dataclass

TELL, FACT = "tell: ", "fact: "
"""How lines begin by which our programs on the hosts say something to people, and to scripts."""


@dataclass(frozen=True)
class Began:
    """A step begins on these hosts."""

    step: str
    says: str
    hosts: tuple[str, ...]
    undoing: bool = False


@dataclass(frozen=True)
class Said:
    """A command on a host printed a line."""

    host: str
    step: str
    line: str

    @property
    def warning(self) -> str:
        """What everybody should read, not only those who open the log; else empty."""
        return f"{self.host}: {self.line}" if self.line.startswith("warning: ") else ""

    @property
    def told(self) -> str:
        """What a program of ours has found out for those who read along; else empty."""
        return self.line.removeprefix(TELL) if self.line.startswith(TELL) else ""

    @property
    def fact(self) -> dict[str, object]:
        """The same for scripts, the JSON event as it is printed; else empty."""
        return _object(self.line.removeprefix(FACT)) if self.line.startswith(FACT) else {}


@dataclass(frozen=True)
class Ended:
    """A step ended on a host. `error` holds the last lines that it said if it failed."""

    host: str
    step: str
    ok: bool
    seconds: float
    error: str = ""
    sent: int = 0
    files: int = 0


@dataclass(frozen=True)
class Note:
    """A sentence for the person who waits."""

    text: str


@dataclass(frozen=True)
class Printed:
    """What a command that the operator had run has printed, for standard output as it stands."""

    text: str


@dataclass(frozen=True)
class Fact:
    """What is known of one host, for `status`: `facts` is the JSON that scripts read."""

    host: str
    facts: dict[str, object]


@dataclass(frozen=True)
class Table:
    """Rows for people. Scripts get the same as Facts."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def _object(text: str) -> dict[str, object]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) and "event" in found else {}


Event = Began | Said | Ended | Note | Printed | Fact | Table
Emit = Callable[[Event], None]
