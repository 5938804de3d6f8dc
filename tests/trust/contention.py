"""Contention: several operators begin at the same instant. One wins, the others change nothing."""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.trust.ledger import Ledger
from tests.trust.looking import settled
from tests.trust.promises import always, at_rest
from tests.trust.row import live
from tests.trust.world import Ended, World

GROUPS, ALL_GROUPS = 60, 1000
LATE = 90.0
"""Seconds in which everybody has to be done: nobody waits for anybody."""
TYPED = {
    "deploy": ("deploy",),
    "the web hosts": ("deploy", "--roles", "web"),
    "the static host": ("deploy-static", "--roles", "static"),
    "web1 alone": ("deploy", "--hosts", "web1"),
    "web2 alone": ("deploy", "--hosts", "web2,static1"),
}
"""What operators ask for. All of them but `deploy` leave some hosts out."""
HOSTS = {
    "deploy": {"web1", "web2", "static1", "db1"},
    "the web hosts": {"web1", "web2", "db1"},
    "the static host": {"static1"},
    "web1 alone": {"web1", "db1"},
    "web2 alone": {"web2", "static1", "db1"},
}
"""What each of them locks; a web host brings db1 with it."""


@dataclass(frozen=True)
class Group:
    """Operators who begin together, by what each of them asks for."""

    number: int
    asks: tuple[str, ...]

    def __str__(self) -> str:
        return f"group {self.number}: {', '.join(self.asks)}"

    @property
    def overlapping(self) -> bool:
        """Whether they do not all ask for the same hosts."""
        return len(set(self.asks)) > 1


def together(world: World, group: Group) -> list[Ended]:
    """How each of them ended, when all begin as one file appears."""
    gate = world.home / "gate"
    gate.unlink(missing_ok=True)
    runs = [world.start(*TYPED[ask], more=("--gate", str(gate))) for ask in group.asks]
    time.sleep(0.8)  # until all of them have loaded what they are made of, and wait
    gate.touch()
    return [run.ended(LATE) for run in runs]


def judged(group: Group, ended: Sequence[Ended]) -> list[str]:
    """Exactly one wins, or, of those who ask for different hosts, some who have none in common."""
    codes = [one.code for one in ended]
    won = [ask for ask, code in zip(group.asks, codes, strict=True) if code == 0]
    faults = [f"ended with {codes}"] if set(codes) - {0, 4} or not won else []
    locked = [host for ask in won for host in HOSTS[ask]]
    if len(locked) > len(set(locked)):
        faults.append(f"{len(won)} won: {', '.join(won)}")
    for one in ended:
        if one.code == 4 and not ("nothing was changed" in one.said and "@" in one.said):
            faults.append(f"a loser is not told who won: {one.said[-300:]}")
        if one.code not in (0, 4):
            faults.append(one.said[-400:])
    return faults


def drawn(chance: random.Random, number: int) -> Group:
    """Two to four operators; in every third group they ask for different hosts."""
    count = chance.randint(2, 4)
    if number % 3:
        return Group(number, ("deploy",) * count)
    return Group(number, tuple(chance.sample(tuple(TYPED), count)))


def suite(world: World, ledger: Ledger, *, whole: bool, seed: int, only: str = "") -> None:
    """All groups; hosts that a winner left behind are brought along by the next whole deploy."""
    chance = random.Random(seed)  # noqa: S311  # the same groups again for the same seed
    todo = [drawn(chance, number + 1) for number in range(ALL_GROUPS if whole else GROUPS)]
    for group in (one for one in todo if only in str(one)):
        before = live(world)
        ended = together(world, group)
        faults = judged(group, ended)
        seen = settled(world)
        if group.overlapping:
            ledger.more("overlapping hosts")
            faults += [*always(seen), *(one for one in at_rest(seen) if "lock" in one)]
        else:
            faults += at_rest(seen)
            faults += ["nobody's release is live"] if live(world) == before else []
        ledger.more("operators", len(ended))
        ledger.more("winners", [one.code for one in ended].count(0))
        ledger.case(str(group), faults)
