"""Waits until what a contestant or a reload left to do is done, so that nobody runs beside it."""

import time
from pathlib import Path

IDLE = 0.9
"""The part of all processors' time that has to be idle."""
LOOK = 0.5
LONGEST = 60.0
"""Seconds after which a measurement begins all the same: something else is busy here."""


def settle() -> bool:
    """Whether the machine has become idle, for two looks in a row."""
    until = time.monotonic() + LONGEST
    quiet = 0
    before = _ticks()
    while quiet < 2 and time.monotonic() < until:
        time.sleep(LOOK)
        now = _ticks()
        idle, all_of_it = now[0] - before[0], now[1] - before[1]
        quiet = quiet + 1 if all_of_it and idle / all_of_it >= IDLE else 0
        before = now
    return quiet == 2


def _ticks() -> tuple[int, int]:
    """Idle ones, which includes waiting for a disk, and all of them: see proc_stat(5)."""
    words = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    ticks = [int(word) for word in words]
    return ticks[3] + ticks[4], sum(ticks[:8])
