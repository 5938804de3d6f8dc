"""The record of what was migrated by which run: .deploy/migrations, lines that are only added."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

FILE = "migrations"


def note(root: Path, run: str, release: str, verb: str, names: Iterable[str]) -> None:
    """Add `VERB RUN RELEASE MIGRATION` for each name, and see it on the disk.

    `verb` is apply or unapply. The database knows what it has; this knows who brought it there.
    """
    lines = "".join(f"{verb} {run} {release} {name}\n" for name in names)
    folder = root / ".deploy"
    if not lines or not folder.is_dir():
        return
    with (folder / FILE).open("a", encoding="utf-8") as file:
        file.write(lines)
        file.flush()
        os.fsync(file.fileno())


def standing(root: Path) -> list[str]:
    """The migrations that runs have applied and none has taken back since, in their order."""
    try:
        lines = (root / ".deploy" / FILE).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    names: dict[str, None] = {}
    for line in lines:
        verb, _, _, name = line.split(" ", 3)
        if verb == "apply":
            names[name] = None
        else:
            names.pop(name, None)
    return list(names)
