"""The hosts of a run while it lasts: reached all at once, looked at, locked, and left again."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.resources import files
from types import MappingProxyType

from deploy.command import Action, Command, OnLine, Result
from deploy.errors import DeployError, Inconsistent, Locked, Refused
from deploy.findings import Findings
from deploy.host import Host
from deploy.journal import Run
from deploy.look import look, understand
from deploy.parallel import in_parallel
from deploy.reach import Reach, only_looking, open_all
from deploy.signals import too_late
from deploy.steps import HERE

ReachHost = Callable[[Host, str], Reach]
"""How a host is reached, given the shell words that it is to be taught."""
LOST = 255
"""The exit code of a command on a host that was lost."""
LOCKED, NOT_PREPARED = 73, 74
"""What take_lock says when somebody has the lock, and when there is no place for one."""


def words() -> str:
    """The shell words of deploy/remote, all but the loop that runs them."""
    folder = files("deploy") / "remote"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sh"))
    return "\n".join((folder / name).read_text() for name in names if name != "channel.sh")


class Fleet:
    """Hosts that are reached. Everything here that waits does so for all hosts at once.

    `witnesses` are hosts that take no part: they are looked at, and never changed. `lost` says of
    those that were left out why they could not be reached.
    """

    def __init__(
        self,
        hosts: Sequence[Host],
        witnesses: Sequence[Host],
        reached: Mapping[str, Reach],
        limit: int,
        lost: Mapping[str, DeployError] = MappingProxyType({}),
    ) -> None:
        self.lost = lost
        self.hosts = tuple(hosts)
        self.witnesses = tuple(witnesses)
        self._reached = reached
        self._limit = limit

    def without(self, lost: Mapping[str, DeployError]) -> "Fleet":
        """The same, but hosts of these names take no part; why, `lost` says."""
        rest = [host for host in self.hosts if host.name not in lost]
        return Fleet(rest, self.witnesses, self._reached, self._limit, {**self.lost, **lost})

    def execute(self, name: str, action: Action, on_line: OnLine) -> Result:
        """Run an action on the host of that name; what changes a host runs only under our lock."""
        if name == HERE or not action.changes:
            return self._reached[name].execute(action, on_line)
        host = next(host for host in self.hosts if host.name == name)
        if isinstance(action, Command):
            return self._reached[name].execute(_fenced(host, action), on_line)
        # rsync runs beside the channel, so the fence is asked first: a machine that slept while
        # others recovered and released must not send anything into what is live now. Should it
        # fall asleep right here, the directory is there, so that nobody takes its number.
        taken = _fenced(host, Command(("mkdir", "-p", action.target)))
        allowed = self._reached[name].execute(taken, on_line)
        return self._reached[name].execute(action, on_line) if allowed.ok else allowed

    def each(self, command: Callable[[Host], Command]) -> dict[str, Result]:
        """The result of a command on every host that takes part."""
        return self._ask(self.hosts, command)

    def each_left(self, command: Callable[[Host], Command]) -> dict[str, Result]:
        """The same, but a host that is lost meanwhile has failed: the others are not left alone."""

        def one(host: Host) -> Result:
            try:
                return self.execute(host.name, command(host), _ignore)
            except DeployError as lost:
                return Result(LOST, lost.what)

        results = in_parallel(self.hosts, one, self._limit)
        return {host.name: result for host, result in zip(self.hosts, results, strict=True)}

    def _ask(self, hosts: Sequence[Host], command: Callable[[Host], Command]) -> dict[str, Result]:
        def one(host: Host) -> Result:
            return self._reached[host.name].execute(command(host), _ignore)

        results = in_parallel(hosts, one, self._limit)
        return {host.name: result for host, result in zip(hosts, results, strict=True)}

    def look(
        self, *, ask_served: bool = False, before: Mapping[str, Findings] | None = None
    ) -> dict[str, Findings]:
        """What there is on every host, in one round trip each. Raises Refused if one cannot say.

        With what was found `before`, hosts are not asked for what does not change within a run.
        """
        found = {}
        known = before or {}
        everyone = (*self.hosts, *self.witnesses)

        def asked(host: Host) -> Command:
            return look(host, ask_served=ask_served, again=host.name in known)

        with only_looking():
            said = self._ask(everyone, asked)
        for name, result in said.items():
            if not result.ok:
                raise Refused(f"{name} could not be looked at: {result.output.strip()[-500:]}")
            found[name] = understand(name, result.output.splitlines(), known.get(name))
        return found

    def stop(self) -> None:
        """End whatever runs on any host, and here."""
        in_parallel(tuple(self._reached.values()), lambda reach: reach.stop(), len(self._reached))

    def leave(self) -> None:
        """Close every connection: hosts end what runs there, and nobody holds their locks."""
        links = [self._reached[host.name] for host in (*self.hosts, *self.witnesses)]
        in_parallel(links, lambda link: link.close(), max(1, len(links)))

    @contextmanager
    def locked(self, run: Run, *, take_over: bool = False) -> Iterator[None]:
        """Hold the lock of every host; Locked, with nothing changed, if one is held already.

        Hosts are asked in the order of their names, so that two runs never wait for each other.
        With `take_over`, the lock of a run that is gone is no obstacle.
        """
        word = "take_over" if take_over else "take_lock"
        taken: list[Host] = []
        try:
            for host in sorted(self.hosts, key=lambda host: host.name):
                # Before, since an interrupted run does not know whether it was given the lock.
                taken.append(host)
                self._take(word, host, run)
            yield
        finally:
            # Nothing can be interrupted any more, only left lying about.
            too_late()
            for host in reversed(taken):
                self._give(host)

    def _take(self, word: str, host: Host, run: Run) -> None:
        text = f"{run.id} {run.verb} by {run.who}, process {os.getpid()}"
        take = Command((word, host.project.root, run.id, text))
        result = self._reached[host.name].execute_here(take)
        if result.exit_code == LOCKED:
            raise locked_by(host.name, result.output)
        if not result.ok:
            raise Refused(f"{host.name} could not be locked: {result.output.strip()[-300:]}")

    def _give(self, host: Host) -> None:
        try:
            self._reached[host.name].execute_here(Command(("give_lock", host.project.root)))
        except DeployError:
            return  # a host that is lost keeps its lock; it is free to break, as nobody holds it


@contextmanager
def reached(
    hosts: Sequence[Host],
    here: Reach,
    reach: ReachHost,
    limit: int,
    *,
    witnesses: Sequence[Host] = (),
    needed: Sequence[Host] = (),
    skip_bad: bool = False,
) -> Iterator[Fleet]:
    """Reach all hosts at once. Raises Refused naming every host that cannot be reached.

    A witness that cannot be reached is left out, unless it is among the `needed` ones. With
    `skip_bad`, so are needed witnesses and hosts, unless all hosts are.
    """
    links = {host.name: reach(host, words()) for host in (*hosts, *witnesses)}
    try:
        failed = open_all(tuple(links.values()))
        bad = {host.name: failed[host.name] for host in (*hosts, *needed) if host.name in failed}
        if bad and (not skip_bad or bad.keys() >= {host.name for host in hosts}):
            raise not_reached("not started, nothing changed", bad)
        good = [host for host in hosts if host.name not in failed]
        seen = [host for host in witnesses if host.name not in failed]
        yield Fleet(good, seen, {HERE: here, **links}, limit, failed)
    finally:
        here.stop()
        for link in links.values():
            link.close()


def not_reached(what: str, bad: Mapping[str, DeployError]) -> Refused:
    """The error for hosts that cannot be reached, each with its cause."""
    causes = "\n".join(error.what for error in bad.values())
    hint = next((error.hint for error in bad.values() if error.hint), "")
    return Refused(f"{what}:\n{causes}", hint)


def locked_by(host: str, said: str) -> Locked:
    """The error for a lock that `look_lock` described."""
    line = next((line for line in said.splitlines() if line.startswith("lock ")), "lock alive ?")
    _, state, text = line.split(" ", 2)
    if state == "alive":
        return Locked(
            f"{host} is locked, and the run is alive: {text}; nothing was changed",
            hint="the same with --wait 600",
            alive=True,
        )
    return Locked(
        f"{host} has the lock of a run that is gone: {text}; nothing was changed",
        hint="fab recover",
    )


def unreachable(names: Sequence[str]) -> Inconsistent:
    """The error for hosts that were lost while they were being changed."""
    return Inconsistent(f"not known what these hosts serve: {', '.join(names)}", hint="fab status")


def _fenced(host: Host, command: Command) -> Command:
    line = command.shell()
    return Command(
        ("fenced", host.project.root, "eval", line),
        stdin=command.stdin,
        quiet_limit=command.quiet_limit,
    )


def _ignore(_line: str) -> None:
    return None
