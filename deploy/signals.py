"""Signals that end a program end a run in order: they count as Ctrl-C."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def as_interrupts() -> Iterator[None]:
    """While the block lasts, the signals that end programs raise KeyboardInterrupt in it.

    Shells start background jobs with SIGINT ignored; a deploy listens all the same, because it
    can be taken back. SIGHUP stays ignored if it is, which is what nohup asks for.
    """

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    with _handled(interrupt):
        yield


@contextmanager
def deferred() -> Iterator[None]:
    """While the block lasts, Ctrl-C and the ending signals wait; then they raise all the same."""
    came: list[int] = []
    with _handled(lambda number, _frame: came.append(number)):
        yield
    if came:
        raise KeyboardInterrupt


def too_late() -> None:
    """From here to the end of the `as_interrupts` block, signals come too late to change anything.

    How the run ended is known by then: to say that it was interrupted would not be true.
    """
    for one in _wanted():
        signal.signal(one, lambda _number, _frame: None)


@contextmanager
def _handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = {one: signal.signal(one, handler) for one in _wanted()}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)


def _wanted() -> list[signal.Signals]:
    return [one for one in ENDING if one != signal.SIGHUP or not _ignored(one)]


def _ignored(number: signal.Signals) -> bool:
    return signal.getsignal(number) is signal.SIG_IGN
