"""Where static files and cache servers are, and who can reach one that runs on this host."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LISTENS = "0A"
"""The state of a listening socket in /proc/net/tcp."""
SERVER = re.compile(r"unix:.+|(?!file:)[A-Za-z][A-Za-z0-9+.-]*://.+|[^\s/]+:[0-9]+")
"""An address of a server, with its protocol or without."""


def static_place(root: Path, release: Path) -> dict[str, Any]:
    """STATIC_ROOT seen from the release, or from the link to the live one; empty if elsewhere.

    Settings may reach either by links, such as /srv/www -> /data/www, or with these resolved.
    """
    from django.conf import settings

    set_to = Path(os.path.normpath(settings.STATIC_ROOT or os.curdir))
    if not set_to.is_absolute():  # it would depend on where a process was started
        return {"static_place": ""}
    current = root / "current"
    homes = (release, root / "releases" / release.name, current.resolve(), current)
    for place in (set_to, set_to.parent.resolve() / set_to.name):
        for home in homes:
            if home in place.parents:
                return {"static_place": str(place.relative_to(home))}
    return {"static_place": ""}


def addresses(location: Any) -> Iterator[str]:
    """HOST:PORT of each server, without user and password."""
    for one in location if isinstance(location, (list, tuple)) else str(location).split(","):
        address = str(one).strip().rpartition("@")[2].partition("://")[2] or str(one).strip()
        if address and not address.startswith(("unix:", "/")):
            yield re.split("[/?#]", address.rpartition("@")[2])[0]


def on_a_server(location: Any) -> bool:
    """Whether a LOCATION is an address or a socket, and not a folder or a mere name."""
    several = location if isinstance(location, (list, tuple)) else re.split("[,;]", str(location))
    places = [str(one).strip() for one in several]
    return any(SERVER.fullmatch(one) or _is_socket(one) for one in places)


def _is_socket(place: str) -> bool:
    try:
        return Path(place).is_socket()
    except OSError:  # it lies where only the site's user may look
        return False


def listens_everywhere(address: str, tables: Path = Path("/proc/net")) -> bool:
    """Whether a server on this very host accepts calls on all of its addresses."""
    host, _, port = address.rpartition(":")
    if host not in ("127.0.0.1", "localhost", "[::1]") or not port.isdigit():
        return False
    wanted = f"{int(port):04X}"
    for name in ("tcp", "tcp6"):
        if not (tables / name).exists():  # a kernel without IPv6
            continue
        lines = (tables / name).read_text(encoding="ascii").splitlines()[1:]
        for local, state in ((line.split()[1], line.split()[3]) for line in lines):
            place, _, number = local.partition(":")
            if number == wanted and state == LISTENS and not place.strip("0"):
                return True
    return False
