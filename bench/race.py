"""Runs the contestants in turn, each in the same cases on the same hosts, and measures."""

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.contestants import Contestant, Place, Run
from bench.fleet import Host, Hosts, NotLive
from bench.result import FIRST, REDEPLOY, ROLLBACK, STATIC, UNCHANGED, Measurement
from bench.settle import settle
from bench.site import CHANGED

CLOCK = Path(__file__).parent / "clock.py"
LIMIT = 900.0
"""Seconds after which a contestant has lost."""
SEED = 20240501


@dataclass(frozen=True)
class Wish:
    """What is to be measured."""

    hosts: Sequence[int]
    rtts_ms: Sequence[int]
    cases: Sequence[str]
    rounds: int
    minutes: float


@dataclass
class Race:
    """The hosts, who releases to them, and what was measured so far."""

    hosts: Hosts
    place: Place
    contestants: Sequence[Contestant]
    wish: Wish
    tell: Callable[[str], None]
    measured: list[Measurement] = field(default_factory=list)
    lost: dict[str, str] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    @contextmanager
    def forgiving(self, contestant: Contestant) -> Iterator[None]:
        """Whoever fails is out of the race, with the reason, and the others go on."""
        try:
            yield
        except (NotLive, subprocess.TimeoutExpired) as error:
            self.lost[contestant.name] = str(error)
            self.tell(f"{contestant.name} is out: {error}")

    def order(self, drawn: random.Random) -> list[Contestant]:
        """Those who are still in the race, in an order that changes."""
        left = [one for one in self.contestants if one.name not in self.lost]
        return drawn.sample(left, len(left))

    def run(self) -> list[Measurement]:
        """First deploys once; then rounds of all else until there were enough or time is up."""
        groups = [self.group(count) for count in self.wish.hosts]
        for contestant in self.contestants:
            if contestant.has_caches:
                self.hosts.wipe(contestant.name, groups[0])
                self.hosts.turn_to(contestant.name, groups[0])
                self.unmeasured(contestant.deploy(self.place, groups[0]))
        for group in groups:
            for contestant in [one for one in self.contestants if one.name not in self.lost]:
                with self.forgiving(contestant):
                    self.first(contestant, group)
        drawn = random.Random(SEED)  # noqa: S311 - the order of turns, the same every time
        for number in range(self.wish.rounds):
            if number and self.late():
                self.tell(f"time is up after {number} of {self.wish.rounds} rounds")
                break
            self.round(groups, drawn)
        return self.measured

    def round(self, groups: Sequence[Sequence[Host]], drawn: random.Random) -> None:
        """Everybody's turn in every cell, in an order that changes."""
        for group in groups:
            for rtt in self.wish.rtts_ms:
                for contestant in self.order(drawn):
                    with self.forgiving(contestant):
                        self.turn(contestant, group, rtt)
        if STATIC in self.wish.cases:
            for rtt in self.wish.rtts_ms:
                for contestant in self.order(drawn):
                    with self.forgiving(contestant):
                        self.static(contestant, rtt)

    def group(self, count: int) -> Sequence[Host]:
        """The hosts on which a number of hosts is measured: no other number shares them."""
        before = sum(other for other in self.wish.hosts if other < count)
        return self.hosts.web[before : before + count]

    def late(self) -> bool:
        """Whether the time that was given is over."""
        return time.monotonic() - self.began > self.wish.minutes * 60

    def first(self, contestant: Contestant, group: Sequence[Host]) -> None:
        """The first release to hosts that know nothing; also the base of all that follows."""
        self.hosts.wipe(contestant.name, group)
        # Without any release, a peer's processes could not start: its own reload is to start them.
        self.hosts.turn_to(contestant.name, group, reload=contestant.name == "us")
        revision = self.place.site.revision
        self.measure(contestant, FIRST, group, 0, contestant.deploy, revision)
        self.deployed(contestant, group)

    def deployed(self, contestant: Contestant, group: Sequence[Host]) -> None:
        """A second release that is not measured, so that there is one to go back to."""
        self.place.site.change()
        self.unmeasured(contestant.deploy(self.place, group))

    def turn(self, contestant: Contestant, group: Sequence[Host], rtt: int) -> None:
        """One contestant's turn in the cases that follow one another on web hosts."""
        wanted = [case for case in (REDEPLOY, UNCHANGED, ROLLBACK) if case in self.wish.cases]
        if not wanted:
            return
        self.hosts.turn_to(contestant.name, group)
        self.hosts.warm(group)
        if REDEPLOY in wanted:
            revision = self.place.site.change()
            self.measure(contestant, REDEPLOY, group, rtt, contestant.deploy, revision)
        if UNCHANGED in wanted:
            revision = self.place.site.revision
            self.measure(contestant, UNCHANGED, group, rtt, contestant.deploy, revision)
        if ROLLBACK in wanted:
            if UNCHANGED in wanted:
                self.deployed(contestant, group)
            before = self.hosts.served(group)
            run = contestant.rollback(self.place, group)
            one = self.timed(contestant.name, ROLLBACK, group, rtt, run, lambda it: it != before)
            self.measured.append(one)
            self.hosts.served(group)

    def static(self, contestant: Contestant, rtt: int) -> None:
        """Ten static files change, and only they are released."""
        group = self.hosts.static
        if not (run := contestant.static(self.place, group)):
            return
        if not self.hosts.has_files(contestant.name):
            self.unmeasured(run)
        self.place.site.change(static=CHANGED)
        run = contestant.static(self.place, group) or run
        self.measured.append(self.timed(contestant.name, STATIC, group, rtt, run))
        wanted = self.place.site.static_file.read_bytes()
        if self.hosts.file(contestant.name) != wanted:
            raise NotLive(f"{contestant.name}: {group[0].name} serves an old file")

    def measure(
        self,
        contestant: Contestant,
        case: str,
        group: Sequence[Host],
        rtt: int,
        act: Callable[[Place, Sequence[Host]], Run],
        revision: str,
    ) -> None:
        """Run, wait until every host is warm, and keep what it cost."""
        run = act(self.place, group)
        one = self.timed(contestant.name, case, group, rtt, run, lambda it: it == revision)
        self.measured.append(one)

    def unmeasured(self, run: Run) -> None:
        """Run what has to be there before a measurement."""
        self.hosts.wires.round_trip(0)
        _clocked(run, self.place.home)

    def timed(
        self,
        name: str,
        case: str,
        group: Sequence[Host],
        rtt: int,
        run: Run,
        right: Callable[[str], bool] | None = None,
    ) -> Measurement:
        """The measurement of a run. The second clock waits for a `right` revision."""
        if not settle():
            self.tell("something else is busy on this machine: what follows counts it, too")
        wires = self.hosts.wires
        wires.round_trip(rtt / 1000)
        wires.clear()
        self.hosts.clear_log(group)
        costs = _clocked(run, self.place.home)
        warm = costs["ended"] if right is None else self.hosts.warm(group, right)
        count = wires.total()
        one = Measurement(
            name,
            case,
            len(group),
            rtt,
            seconds=costs["ended"] - costs["began"],
            warm=warm - costs["began"],
            cpu=costs["cpu"],
            memory=int(costs["memory"]),
            connections=count.connections,
            commands=self.hosts.commands(group),
            exchanges=count.exchanges,
            sent=count.sent,
            received=count.received,
        )
        self.tell(
            f"{time.monotonic() - self.began:5.0f} s {name:10} {case:9} {len(group):2} hosts"
            f" {rtt:3} ms: {one.seconds:6.2f} s, warm {one.warm:6.2f} s, CPU {one.cpu:.2f} s,"
            f" {one.connections} connections, {one.commands} commands, {one.sent / 1000:.0f} KB"
        )
        return one


def _clocked(run: Run, home: Path) -> dict[str, float]:
    """What a program cost. Raises NotLive with its last words if it fails."""
    result, out = home / "costs.json", home / "out.txt"
    argv = [sys.executable, str(CLOCK), str(result), *run.argv]
    with out.open("wb") as to:
        code = subprocess.run(
            argv,
            cwd=run.cwd,
            env=dict(run.env),
            stdin=subprocess.DEVNULL,
            stdout=to,
            stderr=subprocess.STDOUT,
            timeout=LIMIT,
            check=False,
        ).returncode
    if code:
        said = out.read_text(errors="replace")[-2000:]
        raise NotLive(f"{' '.join(run.argv[-3:])} ended with {code}:\n{said}")
    costs: dict[str, float] = json.loads(result.read_text())
    return costs
