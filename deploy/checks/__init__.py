"""The deployment checklist: what is asked of a site and its hosts, and what an answer means.

Hosts tell facts (deploy/onsite/checklist.py); what they mean is decided here, by functions that
look at nothing else. So a verdict can be tested without any host, and compares all hosts.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

ERROR, WARNING, OFF = "error", "warning", "off"
"""How grave a check is: errors stop a release, warnings are counted."""


class NotTold(Exception):
    """A host did not tell the fact that a rule wants: there is no verdict on it."""


@dataclass(frozen=True)
class Seen:
    """A host, the settings that its facts are measured by, and the facts.

    `names` are those that visitors use; `workers` is how many requests the site's own processes can
    be at work on, in both slots, and 0 where it runs in those of Apache. `clock` is by how
    many seconds its clock is ahead of ours, None if unknown; `redirects`: Apache itself
    sends visitors to HTTPS. `static_root` is seen from the release.
    """

    name: str
    roles: tuple[str, ...] = ("web",)
    names: tuple[str, ...] = ()
    workers: int = 0
    redirects: bool = False
    static_mode: str = "web"
    static_root: str = ""
    static_url: str = "/static/"
    unfit: tuple[str, ...] = ()
    clock: float | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, fact: str) -> Any:
        """The fact of that name. Raises NotTold where the host has not told it."""
        if fact not in self.facts:
            raise NotTold(fact)
        return self.facts[fact]


Rule = Callable[[Seen], str]
"""What is wrong on one host, in words; nothing if all is well."""
Across = Callable[[Sequence[Seen]], str]
"""The same for what only hosts together can tell."""


@dataclass(frozen=True)
class Check:
    """One line of the checklist. `why` is why it matters, `write` what to write, and where.

    `asks` is what has to be so. Exactly one of `rule` and `across` is there; `roles` are those of
    hosts that it is asked of.
    """

    name: str
    severity: str
    asks: str
    why: str
    write: str
    roles: tuple[str, ...] = ("web",)
    rule: Rule | None = None
    across: Across | None = None


def check(
    name: str, severity: str, *, why: str, write: str, roles: tuple[str, ...] = ("web",)
) -> Callable[[Rule], Check]:
    """Make a Check of a rule about one host."""
    return lambda rule: Check(name, severity, _said(rule), why, write, roles, rule=rule)


def check_across(
    name: str, severity: str, *, why: str, write: str, roles: tuple[str, ...] = ("web",)
) -> Callable[[Across], Check]:
    """Make a Check of a rule about all hosts together."""
    return lambda rule: Check(name, severity, _said(rule), why, write, roles, across=rule)


def _said(rule: Callable[..., str]) -> str:
    said = (rule.__doc__ or "").strip()
    if not said:
        raise TypeError(f"{rule.__name__} needs a docstring: it is shown to people")
    return " ".join(said.split())


def some(words: Iterable[str], most: int = 4) -> str:
    """The first few of many words, and how many there are more."""
    there = list(words)
    more = f" and {len(there) - most} more" if len(there) > most else ""
    return ", ".join(there[:most]) + more
