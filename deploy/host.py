"""One machine of a stage: how to reach it, what it is for, and the settings that hold on it."""

from dataclasses import dataclass, field

from deploy.project import Project
from deploy.settings import key


@dataclass(frozen=True)
class Ssh:
    """How to log in: `[ssh]` of a stage, or the same keys on a host. Paths are absolute here."""

    user: str = key("Who logs in; empty: what the SSH configuration says.", "")
    port: int = key("The SSH port; 0: what the SSH configuration says, else 22.", 0)
    identity: str = key("A private key file; empty: the agent and the usual files.", "")
    known_hosts: str = key("The file of trusted host keys; empty: ~/.ssh/known_hosts.", "")
    config: str = key("An OpenSSH client configuration; empty: ~/.ssh/config.", "")
    gateway: str = key("USER@HOST:PORT to go through to reach the host.", "")
    connect_timeout: float = key("Seconds until a host counts as unreachable.", 10.0)


@dataclass(frozen=True)
class Host:
    """A machine. `project` holds the site's settings as they are for this very host."""

    name: str
    address: str
    roles: tuple[str, ...] = ()
    url: str = ""
    ssh: Ssh = field(default_factory=Ssh)
    project: Project = field(default_factory=Project)
