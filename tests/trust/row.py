"""A row of the fault matrix: how it is injected, and what has to come of it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.trust.hosts import ROOT
from tests.trust.looking import look, recovered, settled
from tests.trust.promises import always, at_rest
from tests.trust.world import Ended, World

QUICK = ("--times", "0.5,3,8,1")
NOTICED = 75.0
"""Seconds in which a host that was cut off has noticed for certain that its run is gone: the end of
the connection, which it did not hear, is sent again later and later."""
"""A dead host is noticed in 3 seconds rather than 15: the same code, and a shorter wait."""
Inject = Callable[[World], list[str]]


@dataclass(frozen=True)
class Row:
    """A fault. `inject` does it and returns what was wrong; or `elsewhere` says what proves it.

    `why` is for a row that cannot be injected here. `slow` rows wait for the full form.
    """

    id: str
    how: str
    inject: Inject | None = None
    elsewhere: str = ""
    why: str = ""
    slow: bool = False


def ended_as(ended: Ended, code: int, *words: str) -> list[str]:
    """Faults of how a command ended: another exit code, or words that it should have said."""
    faults = []
    if ended.code != code:
        faults.append(f"exit code {ended.code}, not {code}: {ended.said[-500:]}")
    faults += [
        f"{word!r} was not said: {ended.said[-400:]}"
        for word in words
        if not re.search(word, ended.said)
    ]
    if "Traceback" in ended.said:
        faults.append(f"a traceback: {ended.said[-800:]}")
    return faults


def serves(world: World, release: str, names: Sequence[str] = ("web1", "web2")) -> list[str]:
    """Faults of what visitors of these hosts get: it has to be this release."""
    found = {name: world.page(name) for name in names}
    return [
        f"{name} answers {page.status} from {page.release or 'nothing'}, not from {release}"
        for name, page in found.items()
        if (page.status, page.release) != (200, release)
    ]


def locks(world: World, there: Sequence[str] = (), names: Sequence[str] = ()) -> list[str]:
    """Faults of the locks: exactly these hosts are to have one, of those asked."""
    asked = names or ("web1", "web2", "static1", "db1")
    held = {name for name, state in world.hosts.states(asked).items() if state.locks}
    return [] if held == set(there) else [f"locks on {sorted(held)}, not on {sorted(there)}"]


def one_recover(world: World, release: str = "", seconds: float = 10.0) -> list[str]:
    """One recover brings all hosts to one release, this one if it is named.

    What runs on a host has `seconds` to end.
    """
    ended, _, _ = recovered(world, QUICK)
    faults = ended_as(ended, 0)
    faults += at_rest(settled(world, seconds))
    if release:
        faults += serves(world, release)
    return faults


def unharmed(world: World, release: str) -> list[str]:
    """Nothing is left behind, and visitors get this release."""
    return [*at_rest(settled(world)), *serves(world, release)]


def live(world: World) -> str:
    """What visitors of the first host get."""
    return world.page("web1").release


def all_by_rsync(world: World) -> None:
    """Have web2 forget which files are the code, so that the next one is not told in a message."""
    world.hosts.on("web2", f"rm -f {ROOT}/current/.pushed")


def no_moment(world: World) -> list[str]:
    """What must not be, even now."""
    return list(always(look(world)))
