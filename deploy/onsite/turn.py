"""Waits for the turn to migrate a database: never two migrations at once, whoever starts them."""

from __future__ import annotations

import fcntl
import hashlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from database import where
from envfile import NotReady

TURN = 0x6465706C6F79
"""The advisory lock's number, "deploy" in ASCII. PostgreSQL's locks belong to one database, so that
one number is enough, and end with their connection, so that none is ever left behind."""


@contextmanager
def take_turn(database: Any, root: Path, lock_timeout: float, wait: float) -> Iterator[None]:
    """Let no other migration run beside this one.

    An advisory lock of PostgreSQL, MySQL or MariaDB, which ends with the connection; elsewhere a
    lock on the site's folder on this host, where such a database lies. `lock_timeout` is how many
    seconds a statement may wait for a table's lock: beyond it, every visitor's query would queue
    up behind the migration. `wait` is how many seconds to wait for another migration; then
    NotReady.
    """
    if database.vendor == "postgresql":
        with database.cursor() as cursor:
            _be_patient_in_postgresql(cursor, lock_timeout)
            _wait(database, wait, partial(_is_ours, cursor), partial(_holder, cursor))
        yield
    elif database.vendor == "mysql":
        with database.cursor() as cursor:
            _be_patient_in_mysql(cursor, lock_timeout)
            name = _turn_in_mysql(database)
            taken, user = partial(_is_ours_in_mysql, cursor, name), partial(_user, cursor, name)
            _wait(database, wait, taken, user)
        yield
    else:
        folder = os.open(root, os.O_RDONLY)
        try:
            _wait(database, wait, partial(_locked, folder), lambda: "on this host")
            yield
        finally:
            os.close(folder)


def _wait(
    database: Any, seconds: float, is_ours: Callable[[], bool], holder: Callable[[], str]
) -> None:
    last_said, began = 0.0, time.monotonic()
    while not is_ours():
        waited = time.monotonic() - began
        if waited >= seconds:
            raise NotReady(
                f"another migration of {where(database)} has not ended within {seconds:g} s"
                f" ({holder()}); nothing was changed"
            )
        if not last_said or waited - last_said >= 10:
            sys.stderr.write(f"waiting for another migration ({holder()})\n")
            sys.stderr.flush()
            last_said = waited or 0.001
        time.sleep(0.25)


def _be_patient_in_postgresql(cursor: Any, lock_timeout: float) -> None:
    timeout = f"{int(lock_timeout * 1000)}ms"
    cursor.execute("SELECT set_config('lock_timeout', %s, false)", [timeout])
    # Since version 14 a statement can end with its client; before, it went on without one.
    cursor.execute(
        "SELECT set_config(name, '1000', false) FROM pg_settings"
        " WHERE name = 'client_connection_check_interval'"
    )


def _is_ours(cursor: Any) -> bool:
    cursor.execute("SELECT pg_try_advisory_lock(%s)", [TURN])
    return bool(cursor.fetchone()[0])


def _holder(cursor: Any) -> str:
    cursor.execute(
        "SELECT a.pid, a.usename, coalesce(host(a.client_addr), 'this host') FROM pg_locks l"
        " JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory' AND l.granted"
        " AND (l.classid::bigint << 32 | l.objid::bigint) = %s",
        [TURN],
    )
    row = cursor.fetchone()
    return f"PostgreSQL process {row[0]} of {row[1]} from {row[2]}" if row else "it just ended"


def _be_patient_in_mysql(cursor: Any, lock_timeout: float) -> None:
    seconds = max(1, int(lock_timeout))  # 0 would not be taken
    cursor.execute("SET SESSION lock_wait_timeout = %s", [seconds])
    cursor.execute("SET SESSION innodb_lock_wait_timeout = %s", [seconds])


def _turn_in_mysql(database: Any) -> str:
    """A name for this database alone: the server has one set of such locks for all of them."""
    digest = hashlib.sha256(str(database.settings_dict["NAME"]).encode()).hexdigest()
    return f"deploy-{digest[:16]}"


def _is_ours_in_mysql(cursor: Any, name: str) -> bool:
    cursor.execute("SELECT GET_LOCK(%s, 0)", [name])
    return bool(cursor.fetchone()[0])


def _user(cursor: Any, name: str) -> str:
    cursor.execute("SELECT IS_USED_LOCK(%s)", [name])
    row = cursor.fetchone()
    return f"connection {row[0]} of the server" if row and row[0] else "it just ended"


def _locked(folder: int) -> bool:
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
