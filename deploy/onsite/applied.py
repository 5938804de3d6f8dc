"""The record of what was migrated by which run: .deploy/migrations, lines that are only added."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

FILE = "migrations"


def note(root: Path, run: str, release: str, verb: str, names: Iterable[str]) -> None:
    """Add `VERB RUN RELEASE MIGRATION` for each name, and see it on the disk.

    `verb` is apply or unapply, or restore with the name of a backup. The database knows what it
    has; this knows who brought it there.
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
    names: dict[str, None] = {}
    for verb, name in _lines(root):
        if verb == "apply":
            names[name] = None
        else:
            names.pop(name, None)
    return list(names)


def reconcile(root: Path, run: str, release: str, applied: set[str]) -> None:
    """Write down what is applied now, after a backup took the place of the database."""
    stands = standing(root)
    note(root, run, release, "unapply", [name for name in stands if name not in applied])
    once = dict.fromkeys(name for _, name in _lines(root) if name in applied)
    note(root, run, release, "apply", [name for name in once if name not in stands])


def _lines(root: Path) -> list[tuple[str, str]]:
    try:
        lines = (root / ".deploy" / FILE).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    split = [line.split(" ", 3) for line in lines]
    return [(verb, name) for verb, _, _, name in split]
