"""Reaches the database and waits for its turn to migrate it, with words for when that fails."""

from __future__ import annotations

import sys
import time
from typing import Any

from envfile import NotReady

TURN = 0x6465706C6F79
"""The advisory lock's number, "deploy" in ASCII. Such locks belong to one database, so that one
number is enough, and end with their connection, so that none is ever left behind."""


def connect(alias: str) -> Any:
    """Django's connection to the database `alias`. NotReady, with host and port, if it fails."""
    from django.db import Error, connections

    if alias not in connections:
        raise NotReady(f"DATABASES has no {alias!r}")
    database = connections[alias]
    try:
        database.ensure_connection()
    except Error as error:
        raise NotReady(f"cannot reach {where(database)}: {first_line(error)}") from None
    return database


def where(database: Any) -> str:
    """The database's kind, name, host and port, as a person looks for it."""
    settings = database.settings_dict
    place = f"{database.vendor} database {settings['NAME']}"
    if settings.get("HOST"):
        port = settings.get("PORT") or "the default port"
        return f"{place} at {settings['HOST']}:{port}"
    return f"{place} on this host"


def first_line(error: BaseException) -> str:
    """The exception in one line, which is all that a log of many hosts has room for."""
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0] if text else 'no further words'}"


def take_turn(database: Any, lock_timeout: float, wait: float) -> None:
    """Let no other migration run beside this one (PostgreSQL only; elsewhere this does nothing).

    `lock_timeout` is how many seconds a statement may wait for a table's lock: beyond it, every
    visitor's query would queue up behind the migration. `wait` is how many seconds to wait for
    another migration; then NotReady. The turn ends with the connection.
    """
    if database.vendor != "postgresql":
        return
    with database.cursor() as cursor:
        timeout = f"{int(lock_timeout * 1000)}ms"
        cursor.execute("SELECT set_config('lock_timeout', %s, false)", [timeout])
        # Since version 14 a statement can end with its client; before, it went on without one.
        cursor.execute(
            "SELECT set_config(name, '1000', false) FROM pg_settings"
            " WHERE name = 'client_connection_check_interval'"
        )
        last_said, began = 0.0, time.monotonic()
        while not _is_ours(cursor):
            waited = time.monotonic() - began
            if waited >= wait:
                raise NotReady(
                    f"another migration of {where(database)} has not ended within {wait:g} s"
                    f" ({_holder(cursor)}); nothing was changed"
                )
            if not last_said or waited - last_said >= 10:
                sys.stderr.write(f"waiting for another migration ({_holder(cursor)})\n")
                sys.stderr.flush()
                last_said = waited or 0.001
            time.sleep(0.25)


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
