"""Many migrations in a line that can be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

FEW = 6
"""So many are told by name; of more, how many each app has. JSON and the log have all."""


def briefly(names: Iterable[str]) -> str:
    """These migrations for people, in one line."""
    names = list(names)
    if len(names) <= FEW:
        return ", ".join(names)
    apps = Counter(name.partition(".")[0] for name in names)
    return ", ".join(f"{app} {count}" for app, count in sorted(apps.items()))
