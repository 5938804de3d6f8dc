"""The trust suite: breaks the controller, the hosts and the network, and counts what happens."""

import argparse
import os
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import DeployError
from tests.sandbox.docker import docker
from tests.sandbox.fleet import down
from tests.sandbox.packages import install
from tests.trust import contention, crash, double, faults, mutants, signals, traffic
from tests.trust.crowd import crowd
from tests.trust.hosts import ROOT
from tests.trust.ledger import Ledger, Stopped, result_line, table
from tests.trust.world import TOP, World, make_world

STATE = TOP / ".sandbox" / "trust"
SEED = 20240501
RATE = 5.0
"""Visits a second and web host beside the crash points."""


@dataclass(frozen=True)
class Wish:
    """What was asked for: all or the quick form, the seed, and only cases with these words."""

    whole: bool = False
    seed: int = SEED
    only: str = ""


Suite = Callable[[World, Ledger, Wish], None]
Tell = Callable[[str], None]


def crash_points(world: World, ledger: Ledger, wish: Wish) -> None:
    """The controller dies at every call."""
    with crowd(world.home / "visits", world.web_urls, RATE) as people:
        crash.suite(world, people, ledger, whole=wish.whole, seed=wish.seed, only=wish.only)


def interrupts(world: World, ledger: Ledger, wish: Wish) -> None:
    """Ctrl-C and SIGTERM at every call of the commit."""
    signals.suite(world, ledger, whole=wish.whole, seed=wish.seed, only=wish.only)


def early_faults(world: World, ledger: Ledger, wish: Wish) -> None:
    """Hosts, networks and disks break in every way that can be made here, before the switch."""
    faults.suite(world, ledger, faults.EARLY, whole=wish.whole, only=wish.only)


def late_faults(world: World, ledger: Ledger, wish: Wish) -> None:
    """The same in the switch; and who controls it is killed, sleeps, or comes from elsewhere."""
    faults.suite(world, ledger, faults.LATE, whole=wish.whole, only=wish.only)


def double_faults(world: World, ledger: Ledger, wish: Wish) -> None:
    """Two things break, one after the other."""
    double.suite(world, ledger, whole=wish.whole, seed=wish.seed, only=wish.only)


def operators(world: World, ledger: Ledger, wish: Wish) -> None:
    """Several operators begin at the same instant."""
    contention.suite(world, ledger, whole=wish.whole, seed=wish.seed, only=wish.only)


def safety_lines(world: World, ledger: Ledger, wish: Wish) -> None:
    """Each line that safety hangs on is missed when it is gone."""
    mutants.suite(world, ledger, only=wish.only)


def visits(world: World, ledger: Ledger, wish: Wish) -> None:
    """Visitors all the time, while releases come, fail, and go back."""
    traffic.suite(world, ledger, whole=wish.whole)


SUITES: dict[str, Suite] = {
    "traffic": visits,
    "double": double_faults,
    "faults": early_faults,
    "late": late_faults,
    "contention": operators,
    "mutants": safety_lines,
    "crash": crash_points,
    "signals": interrupts,
}
"""In the order in which they begin: long ones first, so that the last ones end together."""
TOOLS = {"iptables": "iptables", "tc": "iproute2", "nsenter": "util-linux"}
"""What breaks networks and disks, and the Debian package that has it."""
ALONE = ("traffic",)
"""What is timed has the machine to itself; all others run beside each other, on a fleet each."""
BESIDE = 4
"""How many at once."""
UNCHECKED = ("late", "double", "contention", "mutants")
"""These hang on locks, journals and links: to save time, their deploys leave the checklist out."""


def trust(wish: Wish, names: Sequence[str], tell: Tell, *, keep: bool = False) -> list[Ledger]:
    """The accounts of these suites, or of all. The fleets are gone afterwards."""
    wanted = [name for name in SUITES if name in (names or SUITES)]
    alone = [name for name in wanted if name in ALONE]
    rest = [name for name in wanted if name not in ALONE]
    stop = threading.Event()
    with worlds(min(BESIDE, max(1, len(rest))), tell, keep=keep) as there:
        free: queue.Queue[World] = queue.Queue()
        for world in there:
            free.put(world)

        def one(name: str) -> Ledger:
            world = free.get()
            try:
                return _suite(world, name, wish, tell, stop)
            finally:
                free.put(world)

        with ThreadPoolExecutor(len(there)) as pool:
            try:
                ledgers = [one(name) for name in alone]
                return ledgers + list(pool.map(one, rest))
            except BaseException:
                stop.set()
                raise


def _suite(world: World, name: str, wish: Wish, tell: Tell, stop: threading.Event) -> Ledger:
    ledger = Ledger(name, lambda line: tell(f"{name:10} {line}"), stop)
    ledger.tell(SUITES[name].__doc__ or "")
    try:
        faults.mend(world)
        world.checked = name not in UNCHECKED
        SUITES[name](world, ledger, wish)
    except Stopped:
        ledger.violations.append(f"{name}: was stopped")
    except Exception as error:
        ledger.violations.append(f"{name}: broke off: {type(error).__name__}: {error}")
    ledger.close()
    ledger.tell(f"{ledger.cases} cases in {ledger.seconds:.0f} s, {len(ledger.violations)} wrong")
    return ledger


@contextmanager
def worlds(count: int, tell: Tell, *, keep: bool = False) -> Iterator[list[World]]:
    """So many fleets of the suite's own, taken away in the end unless they are to be kept."""
    states = [STATE / str(number + 1) for number in range(count)]
    lacking = tuple(package for tool, package in TOOLS.items() if not shutil.which(tool))
    if lacking:
        install(lacking, tell, why="networks are broken with it", root=os.geteuid() == 0)
    try:
        with ExitStack() as closing, ThreadPoolExecutor(count) as pool:
            first = _begun(_up(states[0], tell, closing))
            # While one has its first releases, the next one is brought up.
            rest = [pool.submit(_begun, _up(one, tell, closing), first) for one in states[1:]]
            yield [first, *(one.result() for one in rest)]
    finally:
        if not keep:
            shutil.rmtree(STATE / "cache", ignore_errors=True)
            with ThreadPoolExecutor(count) as pool:
                list(pool.map(lambda state: _gone(state, tell), states))


def _gone(state: Path, tell: Tell) -> None:
    shutil.rmtree(state / "work", ignore_errors=True)
    down(state, tell, keep_image=True)


def _up(state: Path, tell: Tell, closing: ExitStack) -> World:
    world = make_world(state, tell)
    closing.callback(world.close)
    return world


def _begun(world: World, like: World | None = None) -> World:
    if like:
        _share_packages(like, world)
    # Mending is the first release; before the second there is nothing to go back to.
    faults.mend(world)
    world.must("deploy")
    return world


def _share_packages(like: World, world: World) -> None:
    """To build the same virtualenv for every host of every fleet takes time and shows nothing."""
    packed = ["docker", "exec", like.fleet.container("web1"), "tar", "-C", ROOT, "-cf-", "venvs"]
    venvs = subprocess.run(packed, check=True, capture_output=True).stdout
    for name in ("web1", "web2", "db1"):
        container = world.fleet.container(name)
        docker("exec", "--interactive", container, "tar", "-C", ROOT, "-xpf-", stdin=venvs)


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
    if unknown := sorted(set(said.suites) - set(SUITES)):
        parser.error(f"there is no suite {', '.join(unknown)}; there are {', '.join(SUITES)}")
    tell: Tell = lambda line: print(line, file=stream, flush=True)  # noqa: E731
    try:
        ledgers = trust(wish, said.suites, tell, keep=said.keep)
    except DeployError as error:
        tell(f"error: {error.what}\nnext: {error.hint}")
        return error.exit_code
    print(table(ledgers), file=stream)
    if said.json:
        print(result_line(ledgers, said.seed))
    return int(any(one.violations for one in ledgers))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
