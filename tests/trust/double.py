"""Double faults: something breaks, and while that is put right something else does."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from tests.trust.calls import Call, Point
from tests.trust.crash import KEEP, deploys_again, words
from tests.trust.hosts import ALL, WEB
from tests.trust.injuries import heal
from tests.trust.ledger import Ledger
from tests.trust.looking import recovered, settled
from tests.trust.promises import at_rest
from tests.trust.row import QUICK, live
from tests.trust.world import KILLED, Ended, World

PAIRS, ALL_PAIRS = 100, 1000
EVERY = 20
"""After so many pairs a deploy has to succeed."""
MODES = ("before", "during", "after", "interrupt", "twice", "strike", "strike")
STRIKES = {
    "its channel dies": "docker exec {} pkill -9 -u deploy",
    "it is restarted": "docker restart -t 0 {}",
    "it is killed": "docker kill {}",
    "it hangs": "docker pause {}",
}
RECOVER_CALLS = 8
"""How many calls a recover makes on a host, at least while there is something to do."""
KNOWN = {0, 3, 5, 6, 7, 130, KILLED}
"""How a run that is hurt may end; 2 and 4 come from a host that was hurt before the run began."""


@dataclass(frozen=True)
class Fault:
    """Something that happens at a call: to the controller, or to a host."""

    point: Point
    strike: str = ""
    on: str = ""

    def __str__(self) -> str:
        return f"{self.point} {self.on} {self.strike}".strip()

    def program(self, world: World) -> str:
        """The program that hurts the host, if a host is hurt."""
        container = world.fleet.container(self.on) if self.on else ""
        return STRIKES[self.strike].format(container) if self.strike else ""


@dataclass(frozen=True)
class Pair:
    """Two faults. The second comes in the same run if `soon`, and otherwise in the recover."""

    verb: str
    first: Fault
    second: Fault
    soon: bool

    def __str__(self) -> str:
        where = "and" if self.soon else "and in the recover"
        return f"{self.verb} {self.first} {where} {self.second}"


def drawn(chance: random.Random, host: str, number: int, seconds: float) -> Fault:
    """Some fault at that call."""
    mode = chance.choice(MODES)
    point = Point(host, number, mode, round(chance.uniform(0.0, 1.0) * seconds, 3))
    if mode != "strike":
        return Fault(point)
    return Fault(point, chance.choice(tuple(STRIKES)), chance.choice(ALL))


def pair(chance: random.Random, verb: str, calls: Sequence[Call]) -> Pair:
    """A pair of faults for a run that made these calls."""
    call = chance.choice([one for one in calls if one.host != "here"])
    first = drawn(chance, call.host, call.number, call.seconds)
    soon = first.point.mode in ("interrupt", "strike") and chance.random() < 0.5
    if soon:
        # What undoes has higher numbers than anything in a run that goes well.
        mine = [one.number for one in calls if one.host == call.host]
        number = chance.randint(call.number + 1, max(mine) + 6)
        second = drawn(chance, call.host, number, 0.1)
        if second.strike:
            second = Fault(Point(call.host, number, "during", 0.02))
    else:
        second = drawn(chance, chance.choice(ALL), chance.randint(1, RECOVER_CALLS), 0.1)
    return Pair(verb, first, second, soon)


def broken(claimed: Ended, world: World, old: str, hurt: str) -> list[str]:
    """A run that says that all is as before has to be right, on the hosts that still answer."""
    if claimed.code not in KNOWN | ({2, 4} if hurt else set()):
        return [f"ended with {claimed.code}: {claimed.said[-400:]}"]
    if claimed.code not in (3, 5, 6):
        return []
    found = {name: world.page(name) for name in WEB if name != hurt}
    return [
        f"says {claimed.code}, and {name} answers {page.status} from {page.release}, not {old}"
        for name, page in found.items()
        if page.release != old
    ]


def both(world: World, ledger: Ledger, case: Pair) -> None:
    """One pair: hurt, hurt again, heal, recover once, and look."""
    typed, old = words(world, case.verb), live(world)
    at = [case.first.point, *([case.second.point] if case.soon else [])]
    ended = world.run(*typed, at=at, program=case.first.program(world), more=(*KEEP, *QUICK))
    ledger.more(f"first ended {ended.code}")
    faults = broken(ended, world, old, case.first.on)
    if not case.soon:
        program = case.second.program(world)
        second = world.run("recover", at=[case.second.point], program=program, more=QUICK)
        if second.code not in (0, 4, 7, 130, KILLED):
            faults.append(f"recover ended with {second.code}: {second.said[-400:]}")
    if case.first.strike or case.second.strike:
        heal(world)
    last, waited, _ = recovered(world)
    ledger.longest("longest last recover", last.seconds)
    ledger.longest("longest wait for the dead", waited - last.seconds)
    if last.code != 0:
        faults.append(f"the last recover ended with {last.code}: {last.said[-600:]}")
    faults += at_rest(settled(world))
    if not ledger.case(str(case), faults):
        recovered(world)


def suite(world: World, ledger: Ledger, *, whole: bool, seed: int, only: str = "") -> None:
    """Random pairs, the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311  # as said
    calls = {
        verb: world.must(*words(world, verb), more=KEEP).calls for verb in ("deploy", "rollback")
    }
    verbs = [("deploy", "rollback")[n % 2] for n in range(ALL_PAIRS if whole else PAIRS)]
    todo = [pair(chance, verb, calls[verb]) for verb in verbs]
    for number, case in enumerate([one for one in todo if only in str(one)], 1):
        both(world, ledger, case)
        if number % EVERY == 0 or number == len(todo):
            deploys_again(world, ledger, str(case))
