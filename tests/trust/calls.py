"""Remote calls, counted host by host, and the instant at which a controller is to die."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from deploy.command import Action, Command, OnLine, Result
from deploy.reach import Reach

Value = TypeVar("Value")
BEGIN, DONE = "begin", "done"
MODES = ("before", "during", "after", "late", "interrupt", "twice", "term", "suspend", "strike")


@dataclass(frozen=True)
class Point:
    """The `number`th call of a host, counted from 1, and when around it to die.

    `before` it is sent; `during` it, `delay` seconds after it was sent; `after` its answer came;
    `late`: it is sent to a host that is stopped, so that it arrives when the controller is dead.
    Not to die but to be disturbed: `interrupt`, Ctrl-C `delay` seconds after it was sent; `twice`,
    the same two times; `term`, SIGTERM; `suspend`, stopped just before it is sent, as by a closed
    lid; `strike`: a program of this machine runs then, which hurts a host.
    """

    host: str
    number: int
    mode: str
    delay: float = 0.03

    def __str__(self) -> str:
        return f"{self.host}:{self.number}:{self.mode}:{self.delay:.3f}"

    @staticmethod
    def parse(text: str) -> "Point":
        """The point that `str` wrote."""
        host, number, mode, delay = text.split(":")
        return Point(host, int(number), mode, float(delay))


@dataclass(frozen=True)
class Call:
    """A call that a run made: its host, its number there, what it did, and how long it took."""

    host: str
    number: int
    what: str
    seconds: float


def die() -> None:
    """End this very process as the kernel's out-of-memory killer would."""
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def interrupt() -> None:
    """Ctrl-C."""
    os.kill(os.getpid(), signal.SIGINT)


def terminate() -> None:
    """A machine that is shut down asks first."""
    os.kill(os.getpid(), signal.SIGTERM)


def interrupt_twice() -> None:
    """Ctrl-C by somebody who does not want to wait."""
    interrupt()
    time.sleep(0.2)
    interrupt()


def suspend() -> None:
    """Stop until somebody says SIGCONT."""
    os.kill(os.getpid(), signal.SIGSTOP)


DEADLY = ("before", "during", "after", "late")
"""Modes after which there is no way on."""
ACTS = {
    "interrupt": interrupt,
    "twice": interrupt_twice,
    "term": terminate,
    "suspend": suspend,
}


class Counted:
    """A Reach whose every call is written down, and at some of which something happens."""

    def __init__(
        self,
        inner: Reach,
        log: Path,
        points: Sequence[Point],
        program: tuple[str, ...] = (),
    ) -> None:
        """`program` is run here for mode `late`, where it stops the host's side, and `strike`."""
        self._inner = inner
        self._log = log
        self._points = {point.number: point for point in points if point.host == inner.name}
        self._program = program
        self._count = 0

    @property
    def name(self) -> str:
        """The host's name."""
        return self._inner.name

    @property
    def door(self) -> str:
        """What answers logins."""
        return self._inner.door

    def open(self) -> None:
        """Log in."""
        self._counted("open", self._inner.open)

    def execute(self, action: Action, on_line: OnLine) -> Result:
        """Run an action."""
        return self._counted(action.shell(), lambda: self._inner.execute(action, on_line))

    def execute_here(self, command: Command) -> Result:
        """Run a word in the channel's process."""
        return self._counted(command.shell(), lambda: self._inner.execute_here(command))

    def stop(self) -> None:
        """End what runs there."""
        self._inner.stop()

    def close(self) -> None:
        """Log out."""
        self._inner.close()

    def _counted(self, what: str, call: Callable[[], Value]) -> Value:
        self._count += 1
        point = self._points.get(self._count)
        began = time.monotonic()
        self._note(BEGIN, 0.0, what)
        if point:
            self._arm(point)
        try:
            return call()
        finally:
            self._note(DONE, time.monotonic() - began, what)
            if point and point.mode in DEADLY:
                die()

    def _arm(self, point: Point) -> None:
        act = self._strike if point.mode == "strike" else ACTS.get(point.mode, die)
        if point.mode in ("before", "suspend"):
            act()
        elif point.mode != "after":
            if point.mode == "late":
                self._strike()
            timer = threading.Timer(point.delay, act)
            timer.daemon = True
            timer.start()

    def _strike(self) -> None:
        subprocess.run(self._program, check=False, capture_output=True)

    def _note(self, state: str, seconds: float, what: str) -> None:
        line = f"{self.name}\t{self._count}\t{state}\t{seconds:.4f}\t{what!r}\n"
        with self._log.open("a") as log:
            log.write(line)


def read(log: Path) -> tuple[Call, ...]:
    """The calls that a run made, in the order in which they ended; unfinished ones are left out."""
    calls = []
    for line in log.read_text().splitlines():
        host, number, state, seconds, what = line.split("\t", 4)
        if state == DONE:
            calls.append(Call(host, int(number), what, float(seconds)))
    return tuple(calls)
