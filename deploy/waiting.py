"""Waiting for a run that is at work on the hosts (--wait)."""

import time
from collections.abc import Callable
from typing import TypeVar

from deploy.errors import Locked
from deploy.report import Emit, Note

T = TypeVar("T")
STEP = 2.0
"""Seconds between two tries to get the locks."""


def patiently(seconds: float, emit: Emit, attempt: Callable[[], T]) -> T:
    """What `attempt` returns, once hosts are free. Raises Locked if they are not within `seconds`.

    Only a run that is alive is waited for: of one that is gone nothing comes any more.
    """
    until = time.monotonic() + seconds
    said = False
    while True:
        try:
            return attempt()
        except Locked as locked:
            if not locked.alive or time.monotonic() > until:
                raise
            if not said:
                emit(Note(f"waiting: {locked.what}"))
                said = True
        time.sleep(STEP)
