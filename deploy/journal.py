"""What runs have done, as each host remembers it: what was begun, and how it was decided.

Three kinds of line, oldest first:

    begin RUN VERB WHO DECIDER HOST,... KIND=FROM>TO ...
    commit RUN
    abort RUN

`begin` is on every host of a run before the first of them is switched, so that any host tells what
the run was about. The run is decided by `commit` on the DECIDER: before that it did not happen, and
has to be taken back; after that it did, and has to be finished. Lines are added by copy and
rename, so that no reader meets half of one, and so are old runs taken out of a long journal.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from deploy.errors import Inconsistent
from deploy.release import ID

NOTHING = "-"
"""What stands for a release where there is none."""
ENDINGS = ("commit", "abort")


@dataclass(frozen=True)
class Run:
    """One execution of a flow: its id, what was asked for, and by whom (`user@machine`)."""

    id: str
    verb: str
    who: str


@dataclass(frozen=True)
class Change:
    """What a run does to one kind of release on one host. None: there was none before."""

    before: str | None
    after: str


@dataclass(frozen=True)
class Entry:
    """A run as one host remembers it. `ended` is "commit", "abort", or empty while it is open."""

    run: Run
    decider: str
    hosts: tuple[str, ...]
    changes: Mapping[str, Change]
    ended: str = ""

    def line(self) -> str:
        """The line that begins the run on the host."""
        changes = [f"{k}={c.before or NOTHING}>{c.after}" for k, c in self.changes.items()]
        words = ("begin", self.run.id, self.run.verb, self.run.who, self.decider)
        return " ".join([*words, ",".join(self.hosts), *changes])


def parse(host: str, lines: Iterable[str]) -> tuple[Entry, ...]:
    """The runs in a host's journal; Inconsistent, never a guess, where a line cannot be read."""
    entries: dict[str, Entry] = {}
    for number, line in enumerate(lines, 1):
        words = line.split(" ")
        try:
            if words[0] == "begin":
                entry = _begun(words)
                entries[entry.run.id] = entry
            elif words[0] in ENDINGS and len(words) == 2:
                begun = entries[words[1]]
                entries[words[1]] = Entry(
                    begun.run, begun.decider, begun.hosts, begun.changes, words[0]
                )
            else:
                raise ValueError(line)
        except (ValueError, KeyError, IndexError):
            raise Inconsistent(
                f"{host}: line {number} of the journal cannot be read: {line[:80]!r}",
                hint=f"look at .deploy/journal on {host}; nothing was changed",
            ) from None
    return tuple(entries.values())


def _begun(words: list[str]) -> Entry:
    _, run, verb, who, decider, hosts, *said = words
    changes = {}
    for word in said:
        kind, _, change = word.partition("=")
        before, _, after = change.partition(">")
        if kind not in ("web", "static") or not ID.fullmatch(after):
            raise ValueError(word)
        if before != NOTHING and not ID.fullmatch(before):
            raise ValueError(word)
        changes[kind] = Change(None if before == NOTHING else before, after)
    return Entry(Run(run, verb, who), decider, tuple(hosts.split(",")), changes)


def committed(entries: Iterable[Entry], kind: str) -> tuple[str, ...]:
    """Every release of that kind that was ever live, in the order of the runs."""
    done = (entry for entry in entries if entry.ended == "commit" and kind in entry.changes)
    return tuple(dict.fromkeys(entry.changes[kind].after for entry in done))


def history(entries: Iterable[Entry], kind: str, live: str | None) -> tuple[str, ...]:
    """The stack of releases that led to `live`, oldest first.

    A deploy puts a release on the stack; a rollback takes off everything above its target, or
    puts the target on if it was no longer there. Runs that were not committed did not happen. If
    `live` got there in some other way, it counts as the newest.
    """
    stack: list[str] = []
    for entry in entries:
        change = entry.changes.get(kind)
        if entry.ended != "commit" or change is None:
            continue
        if change.after in stack:
            del stack[stack.index(change.after) :]
        stack.append(change.after)
    if live is not None and live not in stack:
        stack.append(live)
    return tuple(stack)
