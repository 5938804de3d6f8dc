"""A screen that goes away while a run is at work: it is finished or taken back all the same."""

import io
import os
import sys
from contextlib import suppress

from deploy.report import Emit, Event

GONE = (OSError, ValueError, SystemExit)
"""What writing raises when nobody reads any more; rich makes SystemExit of a broken pipe."""


def lasting(emit: Emit) -> Emit:
    """The same, but what cannot be shown is left unsaid.

    Ctrl-C in `fab deploy | tee log` ends tee as well, and a terminal that is lost takes its screen
    with it: neither may keep hosts from being put back.
    """

    def told(event: Event) -> None:
        try:
            emit(event)
        except GONE:
            _hush()

    return told


def _hush() -> None:
    """Nobody reads standard output: what is left in its buffer is no fault at the end, either."""
    with suppress(OSError, ValueError, io.UnsupportedOperation):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
