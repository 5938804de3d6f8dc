"""What a suite counted: cases, violations, figures, and the lines that a person reads."""

import json
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

EVERY = 20
"""After so many cases the suite says how far it is."""


class Stopped(Exception):
    """Somebody does not want to wait for the rest."""


@dataclass
class Ledger:
    """The account of one suite. `tell` gets a line for each case that a person may watch.

    Once `stop` is set, the next case raises Stopped.
    """

    suite: str
    tell: Callable[[str], None]
    stop: threading.Event = field(default_factory=threading.Event)
    cases: int = 0
    violations: list[str] = field(default_factory=list)
    figures: dict[str, object] = field(default_factory=dict)
    rows: list[tuple[str, str, str]] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    seconds: float = 0.0

    def case(self, name: str, faults: Iterable[str]) -> bool:
        """Count a case. `name` is what reproduces it; each fault is a violation."""
        if self.stop.is_set():
            raise Stopped
        self.cases += 1
        found = [f"{self.suite}: {name}: {fault}" for fault in faults]
        self.violations += found
        for line in found:
            self.tell(f"VIOLATION {line}")
        if self.cases % EVERY == 0:
            self.tell(f"{self.cases} cases, {len(self.violations)} wrong")
        return not found

    def row(self, name: str, how: str, outcome: str) -> None:
        """A line of the suite's own table."""
        self.rows.append((name, how, outcome))
        self.tell(f"{time.monotonic() - self.began:5.0f} s {name:5} {outcome:12} {how}")

    def more(self, figure: str, amount: int = 1) -> None:
        """Count something that is no violation, such as a refusal that had to come."""
        self.figures[figure] = int(str(self.figures.get(figure, 0))) + amount

    def longest(self, figure: str, seconds: float) -> None:
        """Keep the largest of these."""
        self.figures[figure] = max(float(str(self.figures.get(figure, 0.0))), round(seconds, 2))

    def close(self) -> "Ledger":
        """The account is complete."""
        self.seconds = time.monotonic() - self.began
        return self


def table(ledgers: Iterable[Ledger]) -> str:
    """All figures in one table, then what is wrong."""
    ledgers = tuple(ledgers)
    lines = [f"{'suite':12} {'cases':>6} {'wrong':>6} {'seconds':>8}  figures"]
    for one in ledgers:
        figures = ", ".join(f"{name} {value}" for name, value in one.figures.items())
        lines.append(
            f"{one.suite:12} {one.cases:6} {len(one.violations):6} {one.seconds:8.0f}  {figures}"
        )
    cases, wrong = sum(one.cases for one in ledgers), sum(len(o.violations) for o in ledgers)
    lines.append(f"{'all':12} {cases:6} {wrong:6} {sum(one.seconds for one in ledgers):8.0f}")
    for one in ledgers:
        if one.rows:
            lines += ["", f"{one.suite}:"]
            lines += [f"  {name:5} {outcome:14} {how}" for name, how, outcome in one.rows]
    found = [line for one in ledgers for line in one.violations]
    if found:
        lines += ["", "violations:", *(f"  {line}" for line in found)]
    return "\n".join(lines)


def result_line(ledgers: Iterable[Ledger], seed: int) -> str:
    """The figures as one line of JSON."""
    suites = {
        one.suite: {
            "cases": one.cases,
            "violations": one.violations,
            "seconds": round(one.seconds, 1),
            "figures": one.figures,
            "rows": one.rows,
        }
        for one in ledgers
    }
    ok = not any(one["violations"] for one in suites.values())
    return json.dumps(
        {"event": "result", "task": "trust", "ok": ok, "seed": seed, "suites": suites}
    )
