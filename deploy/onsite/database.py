"""Reaches the database, with words for when that fails."""

from __future__ import annotations

from typing import Any

from envfile import NotReady

FULL = (
    "too many clients",
    "remaining connection slots",
    "too many connections",
    "max_user_connections",
)
BUSY = ("lock timeout", "lock wait timeout", "database is locked", "database table is locked")


def connect(alias: str) -> Any:
    """Django's connection to the database `alias`. NotReady, with host and port, if it fails."""
    from django.core.exceptions import ImproperlyConfigured
    from django.db import Error, connections

    if alias not in connections:
        raise NotReady(f"DATABASES has no {alias!r}")
    database = connections[alias]
    try:
        database.ensure_connection()
    except (Error, ImproperlyConfigured) as error:  # a pool is only looked at now
        full = any(words in str(error).lower() for words in FULL)
        more = "\nno connection is left: end some, or raise max_connections" if full else ""
        raise NotReady(f"cannot reach {where(database)}: {first_line(error)}{more}") from None
    return database


def busy(error: BaseException) -> bool:
    """Whether a statement gave up because somebody else held a table for too long."""
    return any(words in str(error).lower() for words in BUSY)


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
