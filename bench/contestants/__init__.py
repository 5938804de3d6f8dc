"""Who takes part, and what a contestant has to bring."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bench.fleet import PEERS, Host
from bench.site import Site

RECIPES = Path(__file__).parents[1] / "recipes"


class Missing(Exception):
    """A contestant cannot take part on this machine; the text says why."""


@dataclass(frozen=True)
class Run:
    """A program to run, as a person would type it."""

    argv: Sequence[str]
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """What all contestants find on this machine, and the folder that is each one's own."""

    home: Path
    site: Site
    wheelhouse: Path
    site_python: Path
    ssh_config: Path
    key: Path
    known_hosts: Path

    def own(self, name: str) -> Path:
        """The folder of the contestant of this name."""
        folder = self.home / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def told(self, name: str, hosts: Sequence[Host]) -> dict[str, str]:
        """What every recipe of a peer reads from its environment."""
        return {
            "HOSTS": " ".join(host.name for host in hosts),
            "PORTS": " ".join(str(host.port) for host in hosts),
            "ROOT": f"{PEERS}/{name}",
            "SHARED": f"{PEERS}/shared",
            "REPO": str(self.site.top),
            "WHEELHOUSE": str(self.wheelhouse),
            "SITE_PYTHON": str(self.site_python),
            "SSH_CONFIG": str(self.ssh_config),
            "KEY": str(self.key),
            "KNOWN_HOSTS": str(self.known_hosts),
            "WORK": str(self.own(name)),
        }


class Contestant(Protocol):
    """One way to release the site."""

    @property
    def name(self) -> str:
        """What it is called; also its directory on the hosts."""

    @property
    def is_peer(self) -> bool:
        """Whether it is a tool that people choose instead of this one."""

    @property
    def has_caches(self) -> bool:
        """Whether its first run makes here what others are given ready: wheels, packages."""

    def prepare(self, place: Place) -> str:
        """Install what it needs on this machine; its versions. Raises Missing."""

    def deploy(self, place: Place, hosts: Sequence[Host]) -> Run:
        """Release the newest revision to these web hosts."""

    def rollback(self, place: Place, hosts: Sequence[Host]) -> Run:
        """Go back to the release before."""

    def static(self, place: Place, hosts: Sequence[Host]) -> Run | None:
        """Release static files alone to these hosts; None where it has no word for it."""
