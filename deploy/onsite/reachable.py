"""Asks what the site depends on - databases, caches, the mail server - whether it answers."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

from database import connect, first_line
from envfile import NotReady
from patience import SECONDS, NoAnswer, patience
from places import addresses, listens_everywhere, on_a_server

BACKENDS = "django.core.cache.backends."
KINDS = {
    f"{BACKENDS}locmem": "memory",
    f"{BACKENDS}dummy": "dummy",
    f"{BACKENDS}filebased": "files",
    f"{BACKENDS}db": "database",
    f"{BACKENDS}memcached": "server",
    f"{BACKENDS}redis": "server",
}
"""By the module of Django that a cache's class, whatever its name, is made of."""


def databases(release: Path) -> dict[str, Any]:
    """Each database: whether it answers, and how many connections it has for all its clients."""
    from django.db import connections

    # libpq's own default is to wait for as long as TCP does.
    os.environ.setdefault("PGCONNECT_TIMEOUT", str(SECONDS))
    return {"databases": [_database(connections, alias, release) for alias in connections]}


def _database(known: Any, alias: str, release: Path) -> dict[str, Any]:
    try:
        return _tried(known[alias], release)
    except Exception as error:  # one that is odd must not hide what there is to say of the others
        said = {"alias": alias, "vendor": "", "host": "", "conn_max_age": None, "pool": False}
        return {**said, "fault": f"cannot use DATABASES[{alias!r}]: {_told(error)}"}


def _tried(database: Any, release: Path) -> dict[str, Any]:
    settings = database.settings_dict
    said = {
        "alias": database.alias,
        "vendor": database.vendor,
        "host": settings.get("HOST") or "",
        "conn_max_age": settings.get("CONN_MAX_AGE"),
        "pool": bool(settings.get("OPTIONS", {}).get("pool")),
        "fault": "",
    }
    try:
        if database.vendor == "sqlite":
            said.update(_sqlite(str(settings["NAME"]), release))
        if not said["fault"] and said.get("there", True):  # to open it would make it
            with patience(2 * SECONDS):  # libpq may try two addresses
                connect(database.alias)
                said["connections"] = _limit(database)
    except (NotReady, NoAnswer) as error:
        said["fault"] = str(error).partition("\n")[0]
    finally:
        database.close()
    return said


def _sqlite(name: str, release: Path) -> dict[str, Any]:
    """Where the file is. It need not be there before the first migration, but its folder does."""
    if ":memory:" in name or name.startswith("file:"):
        return {"in_release": False, "in_memory": ":memory:" in name}
    file = Path(name).resolve()
    fault = "" if file.parent.is_dir() else f"there is no folder {file.parent}"
    inside = release.parent in file.parents
    return {"in_release": inside, "in_memory": False, "fault": fault, "there": file.is_file()}


def _limit(database: Any) -> int:
    """The connections that the server allows; 0 if it does not say, or there is no limit."""
    from django.db import Error

    ask = {"postgresql": "SHOW max_connections", "mysql": "SELECT @@max_connections"}
    if database.vendor not in ask:
        return 0
    try:
        with database.cursor() as cursor:
            cursor.execute(ask[database.vendor])
            return int(cursor.fetchone()[0])
    except Error:  # a pooler may know no such question
        return 0


def caches(_release: Path) -> dict[str, Any]:
    """Each cache: whether what is put into it comes out again."""
    from django.conf import settings
    from django.core.cache import caches as known

    return {"caches": [_cache(known, name, of) for name, of in settings.CACHES.items()]}


def _cache(known: Any, alias: str, settings: dict[str, Any]) -> dict[str, Any]:
    location = settings.get("LOCATION", "")
    said = {"alias": alias, "kind": "", "addresses": [], "open": [], "fault": ""}
    try:
        said["kind"] = _kind(settings["BACKEND"], location)
        if said["kind"] == "server":
            said["addresses"] = list(addresses(location))
            said["open"] = [one for one in said["addresses"] if listens_everywhere(one)]
            said["fault"] = _asked(known, alias)
    except Exception as error:  # one that is odd must not hide what there is to say of the others
        said["fault"] = _told(error)
    return said


def may_open_all_caches() -> bool:
    """Whether no cache could make files as whoever opens it, in place of the site's user."""
    from django.conf import settings

    try:
        kinds = [_kind(one["BACKEND"], one.get("LOCATION", "")) for one in settings.CACHES.values()]
    except Exception:  # what is wrong with it is told with the cache
        return False
    return "other" not in kinds


def _kind(backend: str, location: Any) -> str:
    """One of KINDS, server, or other: it is only known when it is opened."""
    from django.utils.module_loading import import_string

    for base in getattr(import_string(backend), "__mro__", ()):
        if base.__module__ in KINDS:
            return KINDS[base.__module__]
    return "server" if on_a_server(location) else "other"


def _asked(known: Any, alias: str) -> str:
    key, value = f"deploy-check-{secrets.token_hex(8)}", secrets.token_hex(8)
    try:
        with patience():
            cache = known[alias]
            cache.set(key, value, 10)
            kept = cache.get(key) == value
            cache.delete(key)
    except NoAnswer as late:
        return str(late)
    except Exception as error:  # each client library has errors of its own
        return _told(error)
    return "" if kept else "it takes a value and does not give it back"


def _told(error: Exception) -> str:
    """The error in one line; of one of Python itself, other than of a socket, the type alone.

    Those come of what is wrong with a setting, and quote it: int() does so with half a password.
    """
    own = type(error).__module__ == "builtins" or isinstance(error, ValueError)
    if own and not isinstance(error, (OSError, ImportError)):
        return type(error).__name__
    return first_line(error)


def email(_release: Path) -> dict[str, Any]:
    """Whether the mail server lets the site in; nothing is sent."""
    from django.conf import settings
    from django.core.mail import get_connection

    backend = settings.EMAIL_BACKEND
    said = {"email": {"backend": backend, "host": "", "fault": ""}}
    if backend != "django.core.mail.backends.smtp.EmailBackend":
        return said
    said["email"]["host"] = f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}"
    try:
        with patience():
            server = get_connection(timeout=SECONDS)
            server.open()
            server.close()
    except NoAnswer as late:
        said["email"]["fault"] = str(late)
    except Exception as error:  # whatever smtplib, ssl or the resolver raise
        said["email"]["fault"] = _told(error)
    return said
