"""Backups of SQLite, by SQLite itself."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from envfile import NotReady

FILE = "sqlite.db"
IS_ONE_TRANSACTION = True
BUSY = 5
"""SQLITE_BUSY, which Python before 3.11 has no name for."""
PAGES = 4096
"""Pages that are copied at once: between two such pieces a signal is heard."""


def size(database: Any) -> int:
    """Bytes that a backup needs."""
    path = _path(database)
    return sum(one.stat().st_size for one in (path, Path(f"{path}-wal")) if one.exists())


def save(database: Any, target: Path) -> None:
    """Copy the database as it is at one moment; who writes meanwhile waits, or is not in it."""
    with closing(_opened(_path(database), "ro")) as source, closing(_new(target)) as copy:
        # In a transaction, or every write of somebody else would start the copy anew.
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_master")
        source.backup(copy, pages=PAGES, sleep=0)


def check(path: Path) -> None:
    """NotReady unless SQLite finds the file whole."""
    with closing(_opened(path, "ro&immutable=1")) as copy:
        said = copy.execute("PRAGMA quick_check").fetchone()[0]
    if said != "ok":
        raise NotReady(f"{path.name} is damaged: {said}")


def restore(database: Any, path: Path, into: str, lock_timeout: float) -> None:
    """Put the data in the place of what is there, or into a new file beside it, called `into`.

    NotReady, with nothing changed, if that fails: it is one transaction.
    """
    place = _path(database)
    target = place.with_name(into) if into else place
    if into and target.exists():
        raise NotReady(f"{target} is there already: nothing was restored")
    opened = _new(target) if into else _opened(target, "rw")
    with closing(_opened(path, "ro&immutable=1")) as source, closing(opened) as live:
        try:
            source.backup(live, pages=PAGES, progress=_patience(lock_timeout), sleep=0.1)
        except sqlite3.Error as error:
            raise NotReady(f"{target}: {error}") from None


def _patience(seconds: float) -> Callable[[int, int, int], None]:
    """What ends the wait for somebody who writes."""
    until = time.monotonic() + seconds

    def look(status: int, _remaining: int, _total: int) -> None:
        if status == BUSY and time.monotonic() > until:
            raise NotReady("database is locked: somebody writes to it; nothing was changed")

    return look


def _path(database: Any) -> Path:
    path = Path(database.settings_dict["NAME"])
    if not path.is_file():
        raise NotReady(f"there is no database {path}")
    return path


def _opened(path: Path, mode: str) -> sqlite3.Connection:
    # Not resolved: SQLite takes the path literally, apart from what a URI gives a meaning.
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=5)


def _new(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    return _opened(path, "rw")
