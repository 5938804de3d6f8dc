"""The fleet of the trust suite, a project to deploy to it, and operators who do and are killed."""

import http.client
import itertools
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from tests.docker.checkout import Checkout, environment, make_checkout
from tests.sandbox import files
from tests.sandbox.fleet import up
from tests.sandbox.members import Fleet
from tests.trust.calls import Call, Point, read
from tests.trust.hosts import WEB, Hosts

TOP = Path(__file__).parents[2]
KILLED = -9
PATIENCE = 240.0
LEAN = ("--set", "web.processes=1")
"""One process a slot: what is tested here does not depend on how many there are."""
NO_CHECKLIST = ("--set", "checks.gate=false")
SHEET = re.compile(r'rel="stylesheet" href="([^"]+)"')


@dataclass(frozen=True)
class Ended:
    """How an operator's command ended: its exit code (-9: killed), what it said, its calls."""

    code: int
    said: str
    seconds: float
    calls: tuple[Call, ...] = ()


@dataclass
class Operator:
    """A command that goes on beside the test."""

    process: subprocess.Popen[bytes]
    out: Path
    log: Path
    began: float = field(default_factory=time.monotonic)

    def says(self, words: str, seconds: float = 60.0) -> None:
        """Wait until it has said these words; AssertionError if it ends before."""
        until = time.monotonic() + seconds
        while words not in self.out.read_text():
            if self.process.poll() is not None or time.monotonic() > until:
                raise AssertionError(f"{words!r} was not said:\n{self.out.read_text()}")
            time.sleep(0.01)

    def ended(self, patience: float = PATIENCE) -> Ended:
        """Wait for the end. One that hangs is killed, and counts as exit code 999."""
        try:
            code = self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            code = 999
        return Ended(code, self.out.read_text(), time.monotonic() - self.began, read(self.log))


@dataclass(frozen=True)
class Answer:
    """What a visitor was answered. Status 0: nothing."""

    status: int
    release: str = ""
    body: str = ""
    seconds: float = 0.0


def ask(url: str, timeout: float = 30.0) -> Answer:
    """What a visitor is answered, over a connection of his own."""
    place = urlsplit(url)
    began = time.monotonic()
    call = http.client.HTTPConnection(place.netloc, timeout=timeout)
    try:
        call.request("GET", url[len(f"{place.scheme}://{place.netloc}") :] or "/")
        said = call.getresponse()
        body = said.read().decode(errors="replace")
        release = said.getheader("X-Release") or ""
        return Answer(said.status, release, body, time.monotonic() - began)
    except (OSError, http.client.HTTPException) as error:
        return Answer(0, "", str(error), time.monotonic() - began)
    finally:
        call.close()


class World:
    """Everything a suite needs: the hosts, a checkout, and operators at other machines."""

    def __init__(self, fleet: Fleet, checkout: Checkout, home: Path, python: Path = TOP) -> None:
        """`python` is where the toolkit is imported from: another folder for a mutant."""
        self.fleet = fleet
        self.hosts = Hosts(fleet)
        self.checkout = checkout
        self.python = python
        self.home = home
        self.checked = True
        """Whether a deploy asks the checklist."""
        self._numbers = itertools.count(1)

    @property
    def web_urls(self) -> dict[str, str]:
        """Where the web hosts answer to visitors."""
        return {name: self.fleet.urls[name] for name in WEB}

    def start(
        self,
        verb: str,
        *words: str,
        at: Sequence[Point] = (),
        program: str = "",
        more: Sequence[str] = (),
        checkout: Checkout | None = None,
        umask: int = -1,
    ) -> Operator:
        """Begin a command, at another machine as it were, to which something happens `at` points.

        `program` is what then hurts a host. `umask` is the operator's.
        """
        number = next(self._numbers)
        log, out = self.home / f"calls{number}", self.home / f"out{number}"
        log.write_text("")
        top = (checkout or self.checkout).top
        argv = [sys.executable, "-m", "tests.trust.controller", verb, *words]
        argv += ["--top", str(top), "--log", str(log), *LEAN, *more]
        argv += () if self.checked else NO_CHECKLIST
        for point in at:
            argv += ["--at", str(point)]
            if point.mode == "late":
                program = self.holding(point.host)
        if program:
            argv += ["--program", program]
        with out.open("wb") as to:
            process = subprocess.Popen(
                argv,
                cwd=self.python,
                env={**(checkout or self.checkout).env, "PYTHONPATH": str(self.python)},
                stdin=subprocess.DEVNULL,
                stdout=to,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=umask,
            )
        return Operator(process, out, log)

    def holding(self, host: str) -> str:
        """The program that stops whatever of ours listens on the host."""
        return f"docker exec {self.fleet.container(host)} pkill -STOP -u deploy -f noprofile"

    def run(
        self,
        verb: str,
        *words: str,
        at: Sequence[Point] = (),
        program: str = "",
        more: Sequence[str] = (),
        checkout: Checkout | None = None,
        umask: int = -1,
    ) -> Ended:
        """A command from beginning to end."""
        started = self.start(
            verb, *words, at=at, program=program, more=more, checkout=checkout, umask=umask
        )
        return started.ended()

    def mutated(self, python: Path) -> "World":
        """The same hosts and checkout, with a toolkit that is imported from another folder."""
        mutated = World(self.fleet, self.checkout, python, python)
        mutated.checked = self.checked
        return mutated

    def must(self, verb: str, *words: str, more: Sequence[str] = ()) -> Ended:
        """A command that has to succeed; AssertionError with what it said."""
        ended = self.run(verb, *words, more=more)
        assert ended.code == 0, f"{verb} ended with {ended.code}: {ended.said[-1500:]}"
        return ended

    def page(self, name: str, path: str = "/") -> Answer:
        """What a visitor of the host is answered."""
        return ask(f"{self.fleet.urls[name]}{path}")

    def sheet_of(self, page: Answer) -> Answer:
        """The stylesheet that a page names."""
        found = SHEET.search(page.body)
        return ask(found[1]) if found else Answer(0, "", "the page names no stylesheet")

    def close(self) -> None:
        """Let go of the hosts."""
        self.hosts.close()


def make_world(state: Path, tell: Callable[[str], None], python: Path = TOP) -> World:
    """A fleet that is up, and a checkout of the sample project beside it."""
    fleet = up(state, tell=tell)
    home = state / "work"
    home.mkdir(exist_ok=True)
    # What one has built, the others need not build again, as on any machine that deploys.
    env = {**environment(home), "XDG_CACHE_HOME": str(state.parent / "cache")}
    folder = home / "project"
    # What a broken-off run has left there would be a change that is not committed.
    shutil.rmtree(folder, ignore_errors=True)
    checkout = make_checkout(folder, fleet.state / files.FLEET, env, ())
    return World(fleet, checkout, home, python)


def in_order(calls: Sequence[Call]) -> Iterator[tuple[str, tuple[Call, ...]]]:
    """The calls of each host, in the order in which they were made."""
    by_host: dict[str, list[Call]] = {}
    for call in calls:
        by_host.setdefault(call.host, []).append(call)
    for host, mine in by_host.items():
        yield host, tuple(sorted(mine, key=lambda call: call.number))
