"""Shows results: tables on a terminal, Markdown in the pages, curves as SVG."""

import os
import platform
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from bench.result import CASES, FIRST, REDEPLOY, ROLLBACK, STATIC, Cell, Measurement, Results
from bench.scale import MODELLED, scale
from deploy.errors import Refused

HEADS = (
    "contestant",
    "runs",
    "seconds",
    "until warm",
    "to floor",
    "CPU s",
    "connections",
    "commands",
    "round trips",
    "KB sent",
)
PAGES = ("README.md", "docs/performance.md")
WIDTH = 120
"""Columns of a table that goes to a file."""
MARK = "<!-- bench {name} {edge} -->"


def rows(results: Results, cell: Cell) -> list[list[str]]:
    """The table of a cell, the fastest first. Counts are per host."""
    floor = results.seconds(cell, "floor")
    return [_row(name, runs, floor, cell) for name, runs in results.in_cell(cell)]


def _row(name: str, runs: Sequence[Measurement], floor: float | None, cell: Cell) -> list[str]:
    def mid(of: Callable[[Measurement], float]) -> float:
        return median(of(one) for one in runs)

    seconds = mid(lambda one: one.seconds)
    # Without a delay, an exchange is not a round trip that anybody waited for.
    trips = f"{mid(lambda one: one.exchanges) / cell.hosts:.0f}" if cell.rtt_ms else "-"
    return [
        name,
        str(len(runs)),
        f"{seconds:.2f}",
        "-" if cell.case == STATIC else f"{mid(lambda one: one.warm):.2f}",
        f"{seconds / floor:.2f}" if floor else "-",
        f"{mid(lambda one: one.cpu):.2f}",
        f"{mid(lambda one: one.connections) / cell.hosts:.0f}",
        f"{mid(lambda one: one.commands) / cell.hosts:.0f}",
        trips,
        f"{mid(lambda one: one.sent) / cell.hosts / 1000:.0f}",
    ]


def tables(results: Results) -> None:
    """Print a table for each cell, who took part, and who is missing."""
    console = Console()
    if not console.is_terminal:
        console.width = WIDTH
    for cell in results.cells:
        table = Table(*HEADS, title=str(cell), title_justify="left")
        for column in table.columns[1:]:
            column.justify = "right"
        for row in rows(results, cell):
            table.add_row(*row, style="bold" if row[0] == "us" else "")
        console.print(table)
    for line in _who(results):
        console.print(line, highlight=False, markup=False)


def markdown(results: Results) -> str:
    """Every table as Markdown."""
    parts = [f"**{cell}**\n\n{_table(HEADS, rows(results, cell))}" for cell in results.cells]
    return "\n\n".join([*parts, "\n".join(f"- {line}" for line in _who(results))])


def summary(results: Results) -> str:
    """One table of medians of both clocks: a line a cell, a column a contestant."""
    names = list(results.versions)
    lines = [
        [str(cell), *(_seconds(cell, results.of(cell, name)) for name in names)]
        for cell in results.cells
    ]
    return _table(["seconds until the command ends / until warm", *names], lines)


def growth(results: Results) -> str:
    """Our costs by hosts: measured, then modelled. Raises Refused without two numbers of hosts."""
    found = scale(results)
    if not found:
        raise Refused("only one number of hosts was measured", hint="--hosts 1,8,32")
    heads = ["hosts", "CPU s", "CPU s a host", "memory, MB", "sent, MB", "first deploy, MB sent"]
    lines = [
        _grown(str(hosts), hosts, (cpu, memory, sent), found.first_sent)
        for hosts, cpu, memory, sent in found.measured
    ]
    for hosts in MODELLED:
        costs = (found.cpu.at(hosts), found.memory.at(hosts), found.sent.at(hosts))
        lines.append(_grown(f"{hosts:,} (modelled)", hosts, costs, found.first_sent))
    fit = f"CPU seconds: {found.cpu.run:.2f} a run and {found.cpu.host:.3f} a host."
    return f"{_table(heads, lines)}\n\n{fit}"


def _grown(label: str, hosts: int, costs: Sequence[float], first: float) -> list[str]:
    cpu, memory, sent = costs
    sizes = (memory / 1e6, sent / 1e6, first * hosts / 1e6)
    return [label, f"{cpu:.2f}", f"{cpu / hosts:.3f}", *(f"{size:.1f}" for size in sizes)]


def targets(results: Results) -> str:
    """What was aimed at, and what was measured."""
    lines: list[list[str]] = []
    for ratio in results.ratios():
        goals = GOALS.get(ratio.cell.case)
        if not goals:
            continue
        found = (ratio.vs_floor, ratio.vs_limit, ratio.vs_fastest_peer)
        for against, goal, value in zip(AGAINST, goals, found, strict=True):
            if goal is not None and value is not None:
                shown = (f"{goal:.2f}", f"{value:.2f}", _met(value, goal))
                lines.append([str(ratio.cell), against, *shown])
    lines += [
        [name, "-", f"{WAITS[name]:.2f} s", f"{found:.2f} s", _met(found, WAITS[name])]
        for name, found in results.startup.items()
    ]
    lines += [_cost(*cost) for cost in costs(results)]
    return _table(["case", "ours to", "goal, at most", "measured", ""], lines)


def costs(results: Results) -> Iterator[tuple[str, str, float, float]]:
    """What is aimed at for our costs: where, what, at most, measured."""
    ours = [one for one in results.measurements if one.contestant == "us"]
    slow = [one for one in ours if (one.case, one.hosts) == (REDEPLOY, 1) and one.rtt_ms]
    if slow:
        yield "redeploy, 1 host", "connections", 1, median(one.connections for one in slow)
        yield "redeploy, 1 host", "KB sent", 40, median(one.sent for one in slow) / 1000
    if ours:
        most = max(one.hosts for one in ours)
        runs = [one for one in ours if (one.case, one.hosts) == (REDEPLOY, most)]
        if runs and most > 1:
            where = f"redeploy, {most} hosts"
            yield where, "CPU seconds a host", 0.15, median(one.cpu for one in runs) / most
            yield where, "memory, MB", 150, median(one.memory for one in runs) / 1e6


def _cost(where: str, what: str, goal: float, found: float) -> list[str]:
    return [where, what, f"{goal:g}", f"{found:.2f}", _met(found, goal)]


def _met(found: float, goal: float) -> str:
    return "met" if found <= goal else f"missed by {found / goal:.1f} x"


WAITS = {"fab --list": 0.35, "completion": 0.2}
"""Seconds that an operator may wait at most."""
AGAINST = ("floor", "limit", "fastest peer")
GOALS: dict[str, tuple[float | None, float | None, float | None]] = {
    FIRST: (1.1, None, None),
    REDEPLOY: (1.0, 1.5, 0.33),
    ROLLBACK: (1.0, None, 0.5),
    STATIC: (1.2, None, None),
}
"""Our time as a multiple of the floor's, the limit's and the fastest peer's, at most."""


def measured_on(results: Results) -> str:
    """Date, command, machine, and who took part."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    found = {len(runs) for cell in results.cells for _, runs in results.in_cell(cell)}
    runs = "one run" if found == {1} else f"{min(found)} to {max(found)} runs"
    return (
        f"Measured {results.when} by\n`{results.command}`:\n"
        f"{os.cpu_count()} cores, {memory:.0f} GiB,"
        f" Linux {platform.release().split('-')[0]}; hosts and operator share the machine;"
        f" {runs} a cell."
    )


PARTS: dict[str, Callable[[Results], str]] = {
    "summary": summary,
    "targets": targets,
    "scale": growth,
    "all": markdown,
}
"""What goes between marks of these names."""


def write(results: Results, top: Path, which: Sequence[str] = tuple(PARTS)) -> list[str]:
    """Put parts between the marks of the pages; the pages that were written.

    Raises Refused for a part that there is not.
    """
    if unknown := sorted(set(which) - set(PARTS)):
        raise Refused(f"no part is called {', '.join(unknown)}; there are {', '.join(PARTS)}")
    parts = {name: f"{measured_on(results)}\n\n{PARTS[name](results)}" for name in which}
    written = []
    for page in PAGES:
        path = top / page
        text = path.read_text()
        for name, part in parts.items():
            begin, end = (MARK.format(name=name, edge=edge) for edge in ("begins", "ends"))
            between = re.compile(f"{re.escape(begin)}.*{re.escape(end)}", re.DOTALL)
            text = between.sub(_literal(f"{begin}\n{part}\n{end}"), text)
        path.write_text(text)
        written.append(page)
    return written


def must_draw() -> None:
    """Raises Refused if the library that draws curves is not installed."""
    if not find_spec("pygal"):
        hint = ".venv/bin/pip install -e '.[bench]'"
        raise Refused("pygal, which draws the curves, is not installed", hint=hint)


def plot(results: Results, folder: Path) -> list[str]:
    """Curves of a redeploy: hosts against seconds, round-trip time against seconds."""
    import pygal

    cells = [cell for cell in results.cells if cell.case == REDEPLOY]
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    longest = max((cell.rtt_ms for cell in cells), default=0)
    fewest = min((cell.hosts for cell in cells), default=0)
    for file, title, drawn in (
        ("hosts.svg", "hosts", {one.hosts: one for one in cells if one.rtt_ms == longest}),
        (
            "rtt.svg",
            "round-trip time, ms",
            {one.rtt_ms: one for one in cells if one.hosts == fewest},
        ),
    ):
        chart = pygal.XY(js=[], title=f"{CASES[REDEPLOY]}: {title} against seconds", x_title=title)
        for name in results.versions:
            points = [(at, results.seconds(cell, name)) for at, cell in drawn.items()]
            chart.add(name, [point for point in points if point[1] is not None])
        chart.render_to_file(str(folder / file))
        written.append(str(folder / file))
    return written


def _literal(text: str) -> str:
    """As what a regular expression puts in place of something."""
    return text.replace("\\", "\\\\")


def today() -> str:
    """The date and time as the pages say it."""
    return datetime.now(UTC).strftime("%Y-%m-%d, %H:%M UTC")


def _who(results: Results) -> list[str]:
    present = [f"{name}: {version}" for name, version in results.versions.items()]
    return present + [f"{name} is missing: {why}" for name, why in results.missing.items()]


def _seconds(cell: Cell, runs: Sequence[Measurement]) -> str:
    if not runs:
        return "-"
    ended = f"{median(one.seconds for one in runs):.1f}"
    # Static files are served the instant they are switched to.
    return ended if cell.case == STATIC else f"{ended} / {median(one.warm for one in runs):.1f}"


def _table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    ruler = ["---", *("---:" for _ in heads[1:])]
    return "\n".join(f"| {' | '.join(line)} |" for line in (heads, ruler, *lines))
