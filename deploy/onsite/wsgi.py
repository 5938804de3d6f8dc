"""The WSGI script that Apache runs: it loads the release of its slot once, and says how that went.

Each mod_wsgi process is pinned to the directory that slots/<slot> led to when it started. Under
another server than mod_wsgi's daemons it serves `current`.
"""

from __future__ import annotations

import json
import locale
import os
import sys
import time
from collections.abc import Callable, Collection, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "entry"))

from enter import enter, facts  # noqa: E402 - they lie beside this file, which is on no path
from envfile import NotReady, mask  # noqa: E402
from status import explain, write  # noqa: E402

Application = Callable[..., Iterable[bytes]]
SLOTS = ("blue", "green")
LONGEST_WAIT = 30.0
"""Seconds that a process waits for its release to be complete."""


def begin() -> Application:
    """The application of this process's slot, or one that refuses. Written to ROOT/run either way.

    Never raises: a process that could not load is asked, found out and reported, not restarted.
    """
    slot = _slot()
    link = ROOT / "slots" / slot if slot else ROOT / "current"
    if not link.is_dir():
        _tell(slot, "empty")
        return saying("503 Service Unavailable")
    release = link.resolve()
    values: dict[str, str] = {}
    try:
        if slot and not complete(link, release):
            _tell(slot, "empty")
            return saying("503 Service Unavailable")
        site = facts(ROOT, release)
        values = enter(ROOT, release, site["settings"])
        package = site["settings"].partition(".settings")[0]
        application = load(site.get("wsgi") or f"{package}.wsgi:application")
        check()
    except (Exception, SystemExit) as error:
        _tell(slot, f"failed {release.name}", mask(explain(error), values))
        return labelled(saying("500 Internal Server Error"), release.name)
    _tell(slot, f"loaded {release.name}", "".join(f"pending {name}\n" for name in pending()))
    ports = {str(port) for port in site.get("private_ports", ())}
    return labelled(answering(application, release.name, slot, ports), release.name)


def complete(link: Path, release: Path) -> bool:
    """Whether the release is sealed, which is waited for: meanwhile this process has been started.

    No longer than the slot is this release's, and not for long: mod_wsgi hears no signal while it
    imports its script, so that an Apache that is reloaded has to kill this process after a while.
    What is live is served, whatever became of its seal.
    """
    until = time.monotonic() + LONGEST_WAIT
    while not (release / "release.json").exists() and (ROOT / "current").resolve() != release:
        if link.resolve() != release or not release.exists() or time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def _slot() -> str:
    try:
        import mod_wsgi
    except ImportError:
        return ""
    slot: str = mod_wsgi.process_group.rpartition("-")[2]
    return slot if slot in SLOTS else ""


def _tell(slot: str, line: str, reason: str = "") -> None:
    sys.stderr.write(f"{slot or 'current'}: {line}\n{reason}")
    try:
        write(ROOT / "run", slot or "current", line, reason)
    except OSError as error:
        # Visitors come first: a site that loaded is served even if it cannot say so.
        sys.stderr.write(f"{ROOT}/run cannot be written: {error.strerror}\n")


def load(target: str) -> Application:
    """The callable that MODULE:CALLABLE names, imported from the release."""
    module, _, name = target.partition(":")
    application: Application = getattr(import_module(module), name or "application")
    return application


def check() -> None:
    """Find now what a first visitor would find: NotReady on a failed system check or URLconf."""
    from django.core import checks
    from django.urls import get_resolver

    faults = [m for m in checks.run_checks() if m.is_serious() and not m.is_silenced()]
    if faults:
        raise NotReady("system checks failed: " + "; ".join(f"{m.id}: {m.msg}" for m in faults))
    if not get_resolver().url_patterns:
        raise NotReady("the URLconf has no patterns: every page would be a 404")


def pending() -> list[str]:
    """The migrations that this release knows and the database has not; none if it cannot say."""
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    try:
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except Exception:  # a database that is down is told by the pages that need it
        return []
    finally:
        connection.close()
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def saying(status: str) -> Application:
    """An application that has only this to say."""
    body = f"{status}\n".encode()

    def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        kind = ("Content-Type", "text/plain; charset=utf-8")
        start_response(status, [kind, ("Content-Length", str(len(body)))])
        return [body]

    return application


def labelled(inner: Application, release: str) -> Application:
    """`inner`, whose every response says which release gave it."""

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
            return start_response(status, [*headers, ("X-Release", release)], *exc_info)

        return inner(environ, start)

    return application


def answering(inner: Application, release: str, slot: str, ports: Collection[str]) -> Application:
    """`inner`, which answers /-/ready, and /-/release on the private ports, without Django.

    /-/ready is for load balancers: the vhost answers 404 in its place while the host leaves.
    """
    about = {
        "release": release,
        "pid": os.getpid(),
        "slot": slot,
        "python": ".".join(map(str, sys.version_info[:3])),
        "locale": locale.setlocale(locale.LC_CTYPE),
        "encoding": sys.getfilesystemencoding(),
    }
    body = json.dumps(about).encode()
    ready = saying("200 OK")

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO")
        if path == "/-/ready":
            return ready(environ, start_response)
        # SERVER_PORT can be what a visitor wrote into the Host header; the listener's cannot.
        port = environ.get("mod_wsgi.listener_port") or environ.get("SERVER_PORT", "")
        if path != "/-/release" or str(port) not in ports:
            return inner(environ, start_response)
        kind = ("Content-Type", "application/json")
        start_response("200 OK", [kind, ("Content-Length", str(len(body)))])
        return [body]

    return application


application = begin()
