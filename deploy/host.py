"""One machine of a stage: how to reach it, what it is for, and the settings that hold on it."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from deploy import rules
from deploy.project import Project
from deploy.rules import each, one_of, or_empty, within
from deploy.settings import key

ROLES = ("web", "static", "db", "worker", "lb", "cache", "media")
CODE = ("web", "db", "worker")
"""The roles of hosts that hold the site's code, each in the same releases."""


def runs_code(roles: Iterable[str]) -> bool:
    """Whether a host of these roles holds the site's code."""
    return not set(CODE).isdisjoint(roles)


@dataclass(frozen=True)
class Ssh:
    """How to log in: `[ssh]` of a stage, or the same keys on a host. Paths are absolute here."""

    user: str = key(
        "Who logs in; empty: what the SSH configuration says.", "", or_empty(rules.account)
    )
    port: int = key(
        "The SSH port; 0: what the SSH configuration says, else 22.", 0, within(0, 65535)
    )
    identity: str = key("A private key file; empty: the agent and the usual files.", "")
    known_hosts: str = key("The file of trusted host keys; empty: ~/.ssh/known_hosts.", "")
    config: str = key("An OpenSSH client configuration; empty: ~/.ssh/config.", "")
    gateway: str = key(
        "USER@HOST:PORT to go through to reach the host.", "", or_empty(rules.gateway)
    )
    connect_timeout: float = key(
        "Seconds until a host counts as unreachable.", 10.0, within(0.1, 3600)
    )


@dataclass(frozen=True)
class Host:
    """A machine. `project` holds the site's settings as they are for this very host."""

    name: str
    address: str = key(
        "The host name or IP address to log in to; empty: the NAME in [hosts.NAME].",
        "",
        or_empty(rules.address),
    )
    roles: tuple[str, ...] = key(
        "What it is for: web, static, db, worker, lb, cache, media; the first db host migrates.",
        (),
        each(one_of(*ROLES)),
    )
    url: str = key(
        "Where the host itself is asked over HTTP; empty: by its address.", "", or_empty(rules.url)
    )
    ssh: Ssh = field(default_factory=Ssh)
    project: Project = field(default_factory=Project)
