"""Signals: Ctrl-C and SIGTERM at every call of the commit. All is taken back, or all stays."""

import random
from collections.abc import Iterator

from tests.trust.calls import Call, Point
from tests.trust.crash import KEEP, Case, deploys_again, shortened, words
from tests.trust.hosts import WEB
from tests.trust.ledger import Ledger
from tests.trust.looking import recovered, settled
from tests.trust.promises import at_rest
from tests.trust.row import live
from tests.trust.world import World, in_order

EARLY = 3
"""Cases of the phase that prepares, for each verb, in the quick form."""
LATE = 7
"""Cases of the commit and after it, for each verb, in the quick form."""
IMPATIENT = 3
"""Cases with a second Ctrl-C, for each verb, in the quick form."""
STAYS = "the new release is live"
"""What an interrupted run says when it was decided already."""


def points(calls: tuple[Call, ...], *, whole: bool, chance: random.Random) -> Iterator[Point]:
    """Where to interrupt a run that made these calls."""
    early: list[Point] = []
    late: list[Point] = []
    for host, mine in in_order(calls):
        begun = next((n for n, call in enumerate(mine) if "begin " in call.what), len(mine))
        for n, call in enumerate(mine):
            delay = round(chance.uniform(0.0, 1.0) * call.seconds, 3)
            mode = chance.choice(("interrupt", "term"))
            (late if n >= begun else early).append(Point(host, call.number, mode, delay))
    yield from early if whole else chance.sample(early, min(EARLY, len(early)))
    yield from late if whole else chance.sample(late, min(LATE, len(late)))
    for one in late if whole else chance.sample(late, min(IMPATIENT, len(late))):
        yield Point(one.host, one.number, "twice", one.delay)


def interrupted(world: World, ledger: Ledger, case: Case) -> None:
    """One case: interrupt, look, and only after an impatient one recover."""
    old = live(world)
    ended = world.run(*words(world, case.verb), at=[case.point], more=KEEP)
    faults = []
    left = ended.code == 7 or (ended.code == 130 and "fab recover" in ended.said)
    if left and case.point.mode == "twice":
        ledger.more("left at once, recovered")
        recover, _, _ = recovered(world)
        faults += [] if recover.code == 0 else [f"recover: {recover.code} {recover.said[-400:]}"]
    elif ended.code == 130:
        stays = STAYS in ended.said
        ledger.more("stopped, stays" if stays else "stopped, taken back")
        found = {name: world.page(name).release for name in WEB}
        if not stays and set(found.values()) != {old}:
            faults.append(f"says that all is as before, and hosts answer from {found}")
    elif ended.code == 0:
        ledger.more("too late to stop")
    else:
        faults.append(f"ended with {ended.code}: {ended.said[-400:]}")
    ledger.longest("longest from signal to end", ended.seconds - case.point.delay)
    faults += at_rest(settled(world))
    if faults:
        recovered(world)
    ledger.case(str(case), faults)


def suite(world: World, ledger: Ledger, *, whole: bool, seed: int, only: str = "") -> None:
    """All cases of a deploy and of a rollback; in the end a deploy has to succeed."""
    chance = random.Random(seed)  # noqa: S311  # the same cases again for the same seed
    for verb in ("deploy", "rollback"):
        ended = world.must(*words(world, verb), more=KEEP)
        what = {(call.host, call.number): shortened(call.what) for call in ended.calls}
        for point in points(ended.calls, whole=whole, chance=chance):
            case = Case(verb, point, what[point.host, point.number])
            if only in str(case):
                interrupted(world, ledger, case)
    deploys_again(world, ledger, "all signals")
