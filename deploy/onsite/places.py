"""Where cache servers are, and who can reach one that runs on this host."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LISTENS = "0A"
"""The state of a listening socket in /proc/net/tcp."""


def addresses(location: Any) -> Iterator[str]:
    """HOST:PORT of each server, without user and password."""
    for one in location if isinstance(location, (list, tuple)) else str(location).split(","):
        address = str(one).strip().rpartition("@")[2].partition("://")[2] or str(one).strip()
        if address and not address.startswith(("unix:", "/")):
            yield re.split("[/?#]", address.rpartition("@")[2])[0]


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
