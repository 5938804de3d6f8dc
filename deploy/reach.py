"""What the runner needs of a machine: one interface for hosts, for this machine, and for tests."""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from deploy.command import Action, Command, OnLine, Result
from deploy.errors import DeployError, Refused

LOGINS = 8
"""Logins at once towards one SSH server: more, and OpenSSH starts to drop them (MaxStartups)."""


class LinkLost(DeployError):
    """A host went away, or fell silent, while something ran there: what it did is not known."""

    exit_code = 7

    def __init__(self, host: str, what: str, doing: str) -> None:
        during = f" during: {doing}" if doing else ""
        super().__init__(f"{host}: {what}{during}", "fab recover")
        self.host = host
        self.doing = doing


@contextmanager
def only_looking() -> Iterator[None]:
    """In the block nothing is being changed: a host that is lost leaves nothing to recover from."""
    try:
        yield
    except LinkLost as lost:
        raise Refused(f"nothing was changed: {lost.what}", "fab status") from None


class Reach(Protocol):
    """A machine that actions can be run on, one at a time."""

    @property
    def name(self) -> str:
        """The host's name, as messages say it."""

    @property
    def door(self) -> str:
        """What answers logins, `address:port`; hosts behind one gateway share it."""

    def open(self) -> None:
        """Log in and get ready. Raises `Refused`, naming the host and the cause."""

    def execute(self, action: Action, on_line: OnLine) -> Result:
        """Run `action` to its end; each line it says goes to `on_line`, control characters shown,
        or what a `whole` command says, as it is.

        A failing action is a `Result`; one that says nothing for its `quiet_limit` is stopped
        and ends with exit code 124. Raises `LinkLost` when the machine is no longer there.
        """

    def execute_here(self, command: Command) -> Result:
        """Run a word in the process that lives as long as the link, such as taking the lock."""

    def stop(self) -> None:
        """End what runs there now, from any thread; the link stays usable."""

    def close(self) -> None:
        """Log out; whatever still ran there is ended."""


def open_all(links: Sequence[Reach]) -> dict[str, DeployError]:
    """Open all at once, at most `LOGINS` at one door. Returns what failed, by the host's name."""
    doors: defaultdict[str, threading.Semaphore] = defaultdict(lambda: threading.Semaphore(LOGINS))
    failed: dict[str, DeployError] = {}

    def open_one(link: Reach, door: threading.Semaphore) -> None:
        with door:
            try:
                link.open()
            except DeployError as error:
                failed[link.name] = error

    each([_bound(open_one, link, doors[link.door]) for link in links])
    return {link.name: failed[link.name] for link in links if link.name in failed}


def each(jobs: Sequence[Callable[[], None]]) -> None:
    """Run all jobs at once, each in a thread; raises the first error once all have ended."""
    errors: list[BaseException] = []

    def guard(job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as error:
            errors.append(error)

    # Daemons, so that a second Ctrl-C is not held up by a thread that waits for a host.
    threads = [threading.Thread(target=guard, args=(job,), daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def _bound(
    opener: Callable[[Reach, threading.Semaphore], None], link: Reach, door: threading.Semaphore
) -> Callable[[], None]:
    return lambda: opener(link, door)
