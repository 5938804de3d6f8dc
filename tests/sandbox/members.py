"""The hosts of a fleet as values: their names, roles and ports, and where its files are."""

import hashlib
import random
import socket
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

SSH = 22
HTTP = 80
SERVING = ("web", "static")


@dataclass(frozen=True)
class Machine:
    """A host as it is asked for."""

    name: str
    roles: tuple[str, ...]

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports inside the container that are published on this machine."""
        return (SSH, HTTP) if any(role in SERVING for role in self.roles) else (SSH,)


MACHINES = (
    Machine("web1", ("web",)),
    Machine("web2", ("web",)),
    Machine("static1", ("static",)),
    Machine("db1", ("db",)),
)


@dataclass(frozen=True)
class Member:
    """A host as it is.

    `state` is Docker's word (running, exited, paused), or absent; `image` is what it was made of.
    """

    name: str
    roles: tuple[str, ...]
    container: str
    ssh_port: int
    http_port: int = 0
    state: str = "running"
    image: str = ""

    @property
    def url(self) -> str:
        """Where the host answers to browsers on this machine; empty if it serves no pages."""
        return f"http://127.0.0.1:{self.http_port}" if self.http_port else ""


@dataclass(frozen=True)
class Fleet:
    """A fleet: its hosts, and the directory `state` that holds everything it keeps on disk."""

    state: Path
    members: tuple[Member, ...]

    @property
    def urls(self) -> dict[str, str]:
        """The URL of each host that serves pages, by the host's name."""
        return {member.name: member.url for member in self.members if member.url}

    def container(self, name: str) -> str:
        """What Docker calls the host `name`; KeyError if the fleet has no such host."""
        return {member.name: member.container for member in self.members}[name]


def prefix(state: Path) -> str:
    """What the Docker objects of the fleet in `state` begin with; another path, another prefix."""
    return f"sandbox-{hashlib.sha256(str(state.resolve()).encode()).hexdigest()[:6]}"


def free_port(taken: Container[int]) -> int:
    """A port of 127.0.0.1 that nobody listens on and that is not among `taken`.

    It lies below the range from which systems take the ports of outgoing calls: a host of the
    fleet needs the same port again when it is restarted.
    """
    while True:
        port = random.randrange(20_000, 32_000)  # noqa: S311 - nothing secret about a port
        if port not in taken and not _answers(port):
            return port


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
        return False
