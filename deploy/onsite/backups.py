"""The backups on this host, newest first: backups.py ROOT

Each is a folder of shared/backups that appears there whole, by one rename: the data, and
about.json, which says what it is. Prints a line of JSON for each. Needs neither Django nor the
database.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from envfile import NotReady

ABOUT = "about.json"
PART = ".part-"
HALF = ".deploy/restoring"
"""Below the site's root while its database may hold a part of a backup: which one."""
BEFORE = "before restoring"
"""How a backup begins to say why it was made, if it was for that."""
RESERVE = 64_000_000
"""Bytes of the disk that a backup leaves alone: the site and the journal are written, too."""
CHUNK = 1024 * 1024


def main(root: Path) -> int:
    """Print the lines."""
    for backup in listed(root):
        sys.stdout.write(json.dumps(backup) + "\n")
    return 0


def listed(root: Path) -> list[dict[str, Any]]:
    """What about.json says of each backup that is whole, and its `name`, newest first."""
    found = []
    for about in (root / "shared" / "backups").glob(f"[0-9]*/{ABOUT}"):
        try:
            facts = json.loads(about.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        found.append({"name": about.parent.name, **facts})
    return sorted(found, key=lambda facts: facts["made"], reverse=True)


def named(root: Path, name: str) -> dict[str, Any]:
    """The backup of that name; NotReady, naming those there are, if it is not there."""
    there = listed(root)
    for backup in there:
        if backup["name"] == name:
            return backup
    names = ", ".join(backup["name"] for backup in there) or "none"
    raise NotReady(f"there is no backup {name!r} on this host; there are: {names}")


def data(root: Path, backup: dict[str, Any]) -> Path:
    """Where the data of a backup lies. NotReady if it is not what was written there once."""
    path = root / "shared" / "backups" / backup["name"] / backup["file"]
    try:
        same = digest(path) == backup["sha256"]
    except OSError as error:
        raise NotReady(f"{path} cannot be read: {error.strerror}") from None
    if not same:
        raise NotReady(f"{path} is damaged: its digest is not the one that was written down")
    return path


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    summed = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            summed.update(chunk)
    return summed.hexdigest()


@contextmanager
def new(root: Path, release: str) -> Iterator[Path]:
    """A folder to write a backup into. It is listed once the block has ended well, or gone."""
    folder = root / "shared" / "backups"
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    for left in folder.glob(f"{PART}*"):  # of a run that was killed; the lock is ours now
        shutil.rmtree(left)
    name = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{release}"
    if (folder / name).exists():
        raise NotReady(f"there is a backup {name} already, made this very second: try again")
    part = folder / f"{PART}{name}"
    part.mkdir(mode=0o700)
    try:
        yield part
        part.rename(folder / name)
    except OSError as error:
        raise NotReady(f"{folder} cannot be written to: {error.strerror}; no backup") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)


def finish(part: Path, file: Path, facts: dict[str, Any]) -> dict[str, Any]:
    """See the data on the disk, and write down what it is; the facts, with digest and size."""
    file.chmod(0o600)
    known = {**facts, "file": file.name, "size": file.stat().st_size, "sha256": digest(file)}
    about = part / ABOUT
    about.write_text(json.dumps(known), encoding="utf-8")
    about.chmod(0o600)
    for path in (file, about):
        with path.open("rb") as written:
            os.fsync(written.fileno())
    return {"name": part.name[len(PART) :], **known}


def must_fit(folder: Path, needed: int) -> None:
    """NotReady, with figures, if the disk has no room for so many bytes beside the reserve."""
    free = shutil.disk_usage(folder).free
    if free < needed + RESERVE:
        raise NotReady(
            f"the backup may need {amount(needed)}, and {folder} has {amount(free)} free, of"
            f" which {amount(RESERVE)} are kept for the site: no backup was made"
        )


def write(target: Path, pieces: Iterable[bytes]) -> None:
    """The pieces become the file. NotReady, before the disk is full, if they are too many."""
    with target.open("wb") as file:
        for piece in pieces:
            if shutil.disk_usage(target.parent).free < RESERVE // 2 + len(piece):
                raise NotReady(
                    f"the backup does not fit: after {amount(file.tell())}, the disk of"
                    f" {target.parent.parent} has too little left for the site itself; what was"
                    " written is gone"
                )
            file.write(piece)


def amount(count: int) -> str:
    """Bytes as people say them."""
    return f"{count / 1000:.1f} kB" if count < 1_000_000 else f"{count / 1_000_000:.1f} MB"


def prune(root: Path, keep: int, *spare: str) -> list[str]:
    """Take away all but the newest, and never those of `spare`; the names of what is gone.

    Nor what was saved before a restore that left a part of a backup: only that has all data.
    """
    half = (root / HALF).exists()
    stays = {b["name"] for b in listed(root) if half and str(b.get("why")).startswith(BEFORE)}
    names = [backup["name"] for backup in listed(root)[keep:]]
    old = [name for name in names if name not in stays.union(spare)]
    folder = root / "shared" / "backups"
    for name in old:
        gone = folder / f"{PART}{name}"
        (folder / name).rename(gone)
        shutil.rmtree(gone)
    return old


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
