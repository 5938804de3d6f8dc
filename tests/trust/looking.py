"""Looks at the whole fleet at once, and waits for what is ending."""

import time
from collections.abc import Sequence

from tests.trust.hosts import ALL, WEB
from tests.trust.promises import Seen, quiet
from tests.trust.world import Ended, World

LIVES = 4
"""The exit code of whoever comes while a run is alive."""
OWNER_PATIENCE = 40.0
"""Seconds in which what a dead controller left on a host has to be gone: TERM, then KILL."""


def look(world: World, names: Sequence[str] = ALL) -> Seen:
    """The hosts now. Pages are asked first: whatever answered has to be complete afterwards."""
    pages = {name: world.page(name) for name in WEB if name in names}
    sheets = {name: world.sheet_of(page) for name, page in pages.items() if page.status == 200}
    return Seen(world.hosts.states(names), pages, sheets)


def settled(world: World, seconds: float = 10.0) -> Seen:
    """The hosts when nothing of the deploy user runs any more, or after `seconds`."""
    until = time.monotonic() + seconds
    while not quiet(seen := look(world)) and time.monotonic() < until:
        time.sleep(0.05)
    return seen


def recovered(world: World, more: Sequence[str] = ()) -> tuple[Ended, float, int]:
    """One recover, begun as soon as it is let; how long that took, and how often it was refused.

    It is refused while the dead run's work on a host is being ended.
    """
    began, refused = time.monotonic(), 0
    while True:
        ended = world.run("recover", more=more)
        waited = time.monotonic() - began
        if ended.code != LIVES or waited > OWNER_PATIENCE:
            return ended, waited, refused
        refused += 1
        time.sleep(0.2)
