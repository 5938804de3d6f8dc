"""What is wrong with the files of a release: who may write them, and which hold a secret."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TOLD = 5
"""How many files are named where many are alike."""
LARGE = 1024 * 1024
"""Bytes above which a file is no code, and is not searched for secrets."""
SHORTEST = 8
"""A shorter secret would be found in every second file."""


def code(
    root: Path, release: Path, secrets: list[tuple[str, str]], user: str, group: str
) -> dict[str, Any]:
    """What is wrong with the files of the release: who may write them, which hold a secret."""
    may_write = _rights(user, group)
    keep = [(name, value.encode()) for name, value in secrets if len(value) >= SHORTEST]
    writable: list[str] = []
    held: dict[str, str] = {}
    count, inside = 0, f"{release}/"
    for path, entry in _files(release, root / "entry", release / "venv"):
        if may_write(entry):
            count += 1
            writable.append(path.removeprefix(f"{root.resolve()}/"))
        if stat.S_ISREG(entry.st_mode) and entry.st_size < LARGE and path.startswith(inside):
            text = _content(path) if keep else b""
            for name, value in keep:
                if value in text:
                    held.setdefault(name, path.removeprefix(inside))
    return {"writable": {"count": count, "some": sorted(writable)[:TOLD]}, "secrets_in_code": held}


def _content(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123  # of thousands, this is felt
        return file.readall()


def _rights(user: str, group: str) -> Any:
    uid, gid = pwd.getpwnam(user).pw_uid, grp.getgrnam(group).gr_gid

    def may_write(entry: os.stat_result) -> bool:
        mode = entry.st_mode
        return bool(
            mode & stat.S_IWOTH
            or (entry.st_gid == gid and mode & stat.S_IWGRP)
            or (entry.st_uid == uid and mode & stat.S_IWUSR)
        )

    return may_write


def _files(*tops: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Directories and files below, and what is at the top of a linked one; links are not taken."""
    for top in tops:
        if top.is_dir():
            yield str(top.resolve()), top.stat()
            # Thousands of files of packages are alike: who may write the folder may write them all.
            yield from _below(str(top.resolve()), deep=not top.is_symlink())


def _below(folder: str, *, deep: bool) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            is_folder = entry.is_dir(follow_symlinks=False)
            passed_by = is_folder and (not deep or entry.name == "__pycache__")
            if entry.is_symlink() or passed_by:
                continue
            yield entry.path, entry.stat(follow_symlinks=False)
            if is_folder:
                yield from _below(entry.path, deep=deep)
