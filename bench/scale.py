"""What our side costs for a number of hosts: measured, and drawn on to a thousand."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import linear_regression, median

from bench.result import FIRST, REDEPLOY, Measurement, Results

MODELLED = (100, 300, 1_000)


@dataclass(frozen=True)
class Line:
    """A cost that has a part for the run and a part for each host."""

    run: float
    host: float

    def at(self, hosts: int) -> float:
        """The cost for so many hosts."""
        return self.run + self.host * hosts


@dataclass(frozen=True)
class Scale:
    """CPU seconds and memory of the operator, and bytes that leave the machine, by hosts."""

    measured: Sequence[tuple[int, float, float, float]]
    cpu: Line
    memory: Line
    sent: Line
    first_sent: float


def scale(results: Results) -> Scale | None:
    """Our costs of a redeploy; None unless at least two numbers of hosts were measured."""
    ours = [one for one in results.measurements if one.contestant == "us"]
    by_hosts: dict[int, list[Measurement]] = {}
    for one in ours:
        if one.case == REDEPLOY:
            by_hosts.setdefault(one.hosts, []).append(one)
    if len(by_hosts) < 2:
        return None
    measured = [
        (
            hosts,
            median(one.cpu for one in runs),
            median(one.memory for one in runs),
            median(one.sent for one in runs),
        )
        for hosts, runs in sorted(by_hosts.items())
    ]
    counts = [float(hosts) for hosts, *_ in measured]

    def line(at: int) -> Line:
        slope, start = linear_regression(counts, [row[at] for row in measured])
        return Line(start, slope)

    first = [one.sent / one.hosts for one in ours if one.case == FIRST]
    return Scale(measured, line(1), line(2), line(3), max(first, default=0.0))
