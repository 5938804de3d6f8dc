"""Signals that end a program end a run in order: they count as Ctrl-C."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def as_interrupts() -> Iterator[None]:
    """While the block lasts, SIGTERM and SIGHUP raise KeyboardInterrupt in the main thread."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def deferred() -> Iterator[None]:
    """While the block lasts, Ctrl-C and the ending signals wait; then they raise all the same."""
    came: list[int] = []
    everything = (signal.SIGINT, *ENDING)
    before = {
        number: signal.signal(number, lambda one, _: came.append(one)) for number in everything
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if came:
        raise KeyboardInterrupt
