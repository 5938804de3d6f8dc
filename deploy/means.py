"""How the world is reached: this machine, the hosts, the eyes of the operator."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from deploy.asked import Asked
from deploy.command import Command, Result
from deploy.fleet import Fleet, ReachHost, reached
from deploy.host import Host
from deploy.reach import Reach
from deploy.report import Emit, Note
from deploy.stage import Stage
from deploy.workshop import Workshop


@dataclass(frozen=True)
class Means:
    """What a task is given to work with; tests give their own.

    `terminal` runs a command on a host at the operator's terminal; None if there is none.
    `passes_on` if what the operator has commands print goes to a file or a program, which want it
    as it is.
    """

    here: Reach
    reach: ReachHost
    emit: Emit
    workshop: Callable[[str], Workshop]
    who: str
    terminal: Callable[[Host, Command], int] | None = None
    passes_on: bool = False

    def run_here(self, command: Command) -> Result:
        """Run a program on this machine."""
        return self.here.execute(command, lambda _line: None)


@contextmanager
def on_hosts(
    asked: Asked,
    means: Means,
    stage: Stage,
    hosts: Sequence[Host],
    witnesses: Sequence[Host] = (),
    needed: Sequence[Host] = (),
    *,
    some: bool = False,
) -> Iterator[Fleet]:
    """Reach these hosts and the needed witnesses, or Refused; all are left when the block ends.

    With `some`, one that can be reached is enough; `fleet.lost` says which others cannot, and why.
    """
    with reached(
        hosts,
        means.here,
        means.reach,
        stage.parallel,
        witnesses=witnesses,
        needed=needed,
        skip_bad=asked.skip_bad_hosts or some,
    ) as fleet:
        there = {host.name for host in (*fleet.hosts, *fleet.witnesses)}
        left = [host.name for host in (*hosts, *witnesses) if host.name not in there]
        if left and not some:
            means.emit(Note(f"left out, because they cannot be reached: {', '.join(left)}"))
        yield fleet
