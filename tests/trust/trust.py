"""The trust suite: breaks the controller, the hosts and the network, and counts what happens."""

import argparse
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from tests.sandbox.fleet import down
from tests.trust import crash, faults
from tests.trust.crowd import crowd
from tests.trust.ledger import Ledger, result_line, table
from tests.trust.world import TOP, World, make_world

STATE = TOP / ".sandbox" / "trust"
SEED = 20240501
RATE = 5.0
"""Visits a second and web host beside every suite."""


@dataclass(frozen=True)
class Wish:
    """What was asked for: all or the quick form, the seed, and only cases with these words."""

    whole: bool = False
    seed: int = SEED
    only: str = ""


Suite = Callable[[World, Ledger, Wish], None]


def crash_points(world: World, ledger: Ledger, wish: Wish) -> None:
    """The controller dies at every call."""
    world.must("deploy")  # before the first release there is nothing to visit, or to go back to
    with crowd(world.home / "visits", world.web_urls, RATE) as people:
        crash.suite(world, people, ledger, whole=wish.whole, seed=wish.seed, only=wish.only)


def host_faults(world: World, ledger: Ledger, wish: Wish) -> None:
    """Hosts, networks and disks break in every way that can be made here."""
    faults.suite(world, ledger, whole=wish.whole, only=wish.only)


SUITES: dict[str, Suite] = {"crash": crash_points, "faults": host_faults}


def trust(
    wish: Wish, names: Sequence[str], tell: Callable[[str], None], *, keep: bool = False
) -> list[Ledger]:
    """The accounts of these suites, all of them if none is named. The fleet is gone afterwards."""
    ledgers = []
    with worlds(tell, keep=keep) as world:
        for name in names or SUITES:
            ledger = Ledger(name, tell)
            tell(f"== {name} ==")
            try:
                SUITES[name](world, ledger, wish)
            except Exception as error:
                ledger.violations.append(f"{name}: broke off: {type(error).__name__}: {error}")
            ledgers.append(ledger.close())
    return ledgers


@contextmanager
def worlds(tell: Callable[[str], None], *, keep: bool = False) -> Iterator[World]:
    """The suite's own fleet, taken away in the end unless it is to be kept."""
    try:
        world = make_world(STATE, tell)
        try:
            yield world
        finally:
            world.close()
    finally:
        if not keep:
            shutil.rmtree(STATE / "work", ignore_errors=True)
            down(STATE, tell, keep_image=True)


def main(words: Sequence[str]) -> int:
    """Run as a program, without the toolkit's own fab: which may be what is broken."""
    parser = argparse.ArgumentParser(prog="trust", description=__doc__)
    parser.add_argument("suites", nargs="*", help=", ".join(SUITES))
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--case", default="", help="only cases whose name holds this")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keep", action="store_true", help="leave the fleet there")
    said = parser.parse_args(words)
    stream = sys.stderr if said.json else sys.stdout
    wish = Wish(said.full, said.seed, said.case)
    ledgers = trust(
        wish, said.suites, lambda line: print(line, file=stream, flush=True), keep=said.keep
    )
    print(table(ledgers), file=stream)
    if said.json:
        print(result_line(ledgers, said.seed))
    return int(any(one.violations for one in ledgers))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
