"""A limit for whatever waits for a server that does not answer."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SECONDS = 5
"""For one server to answer: many clients have no limit of their own, or that of TCP."""


class NoAnswer(BaseException):
    """Nobody answered in time. No Exception: clients catch those, and try again."""


@contextmanager
def patience(seconds: int = SECONDS) -> Iterator[None]:
    """Raises NoAnswer in the block when it has lasted so long. For the main thread only."""

    def give_up(_number: int, _frame: Any) -> None:
        raise NoAnswer(f"no answer within {seconds} seconds")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
