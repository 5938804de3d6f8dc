"""A screen that goes away while a run is at work: it is finished or taken back all the same."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from deploy.report import Emit, Event


def lasting(emit: Emit) -> Emit:
    """The same, but what nobody can read any more is left unsaid.

    Ctrl-C in `fab deploy | tee log` ends tee as well, and a terminal that is lost takes its screen
    with it: neither may keep hosts from being put back. Rich makes SystemExit of a broken pipe.
    """

    def told(event: Event) -> None:
        with heard_or_not():
            emit(event)

    return told


@contextmanager
def heard_or_not() -> Iterator[None]:
    """In the block something is said, and it makes no difference if nobody reads it any more."""
    try:
        yield
    except (OSError, SystemExit):
        _hush()


def _hush() -> None:
    """Nobody reads standard output: what is left in its buffer is no fault at the end, either."""
    with suppress(OSError, ValueError), Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
