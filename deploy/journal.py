"""What runs have done, as each host remembers it: one line a finished change, oldest first.

A line reads `commit RUN VERB KIND RELEASE WHO`: VERB is `deploy` or `rollback`, KIND is `web` or
`static`. Lines are only ever added, by copy and rename, so that no reader meets half of one.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from deploy.errors import Inconsistent
from deploy.release import ID


@dataclass(frozen=True)
class Entry:
    """One finished change on one host."""

    run: str
    verb: str
    kind: str
    release: str
    who: str

    def line(self) -> str:
        """The entry as it is written on the host."""
        return f"commit {self.run} {self.verb} {self.kind} {self.release} {self.who}"


def parse(host: str, lines: Iterable[str]) -> tuple[Entry, ...]:
    """The entries of a host's journal; Inconsistent, never a guess, where a line cannot be read."""
    entries = []
    for number, line in enumerate(lines, 1):
        words = line.split(" ")
        if len(words) != 6 or words[0] != "commit" or not ID.fullmatch(words[4]):
            raise Inconsistent(
                f"{host}: line {number} of the journal cannot be read: {line[:80]!r}",
                hint=f"look at .deploy/journal on {host}; nothing was changed",
            )
        entries.append(Entry(*words[1:]))
    return tuple(entries)


def history(entries: Iterable[Entry], kind: str, live: str | None) -> tuple[str, ...]:
    """The stack of releases that led to `live`, oldest first.

    A deploy puts a release on the stack; a rollback takes off everything above its target, or
    puts the target on if it was no longer there. If a run was cut off before it wrote its line,
    `live` is on the host but not in the journal: it counts as the newest.
    """
    stack: list[str] = []
    for entry in entries:
        if entry.kind != kind:
            continue
        if entry.release in stack:
            del stack[stack.index(entry.release) :]
        stack.append(entry.release)
    if live is not None and live not in stack:
        stack.append(live)
    return tuple(stack)
