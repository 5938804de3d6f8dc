"""What a run of `fab` says, when it has ended and while it goes on."""

import json
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

PATIENCE = 240.0
"""Seconds that a run may take."""


@dataclass(frozen=True)
class Told:
    """What one run of `fab` said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """All that a person would have seen."""
        return self.out + self.err

    @cached_property
    def events(self) -> list[dict[str, Any]]:
        """The lines of --json."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def result(self) -> dict[str, Any]:
        """The last line of --json."""
        return self.events[-1]

    def of(self, event: str) -> list[dict[str, Any]]:
        """The lines of --json of one kind."""
        return [one for one in self.events if one["event"] == event]

    @property
    def log(self) -> str:
        """The full log, whose path is said at the end."""
        paths = [line[5:] for line in self.err.splitlines() if line.startswith("log: ")]
        return "".join(Path(path).read_text() for path in paths)


@dataclass(frozen=True)
class Running:
    """A run of `fab` that goes on beside the test."""

    process: subprocess.Popen[bytes]
    out: Path
    err: Path
    check: Callable[[Told], Told]

    def says(self, words: str, seconds: float = 60.0) -> None:
        """Waits until the run has said these words; fails if it ends before."""
        deadline = time.monotonic() + seconds
        while words not in self.out.read_text():
            ended = self.process.poll() is not None
            if ended or time.monotonic() > deadline:
                raise AssertionError(f"{words!r} was not said:\n{self.told().text}")
            time.sleep(0.02)

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the program, and to nothing that it has started."""
        self.process.send_signal(number)

    def ended(self, code: int) -> Told:
        """Waits for the end, which has to be this exit code."""
        self.process.wait(PATIENCE)
        told = self.check(self.told())
        assert told.code == code, told.text
        return told

    def told(self) -> Told:
        """What it has said until now."""
        code = self.process.returncode
        return Told(-1 if code is None else code, self.out.read_text(), self.err.read_text())
