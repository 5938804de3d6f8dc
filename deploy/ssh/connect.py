"""What an inventory and the SSH configuration say about a host, as a connection."""

import logging
import shlex
from io import StringIO
from pathlib import Path

import fabric
from paramiko import SSHConfig
from paramiko.ssh_exception import ConfigParseError, CouldNotCanonicalize

from deploy.errors import Refused
from deploy.host import Host, Ssh
from deploy.ssh.connection import Connection
from deploy.ssh.hostkeys import StrictHostKeys
from deploy.ssh.known_hosts import load

INCLUDED = 16
"""How deep files may include each other, as in OpenSSH."""
SYSTEM_KNOWN_HOSTS = Path("/etc/ssh/ssh_known_hosts")


def connect(host: Host, config: fabric.Config | None = None) -> Connection:
    """A connection to `host`, not yet open. `config` is the task's, if there is one.

    Raises `Refused` when the SSH configuration cannot be read.
    """
    # Without this, errors in Paramiko's threads appear on the terminal.
    logging.getLogger("paramiko").addHandler(logging.NullHandler())
    ssh_config = _ssh_config(host.ssh.config)
    try:
        return _connection(host.name, host.address, host.ssh, _configured(config, ssh_config))
    except (KeyError, ValueError, RecursionError, CouldNotCanonicalize) as error:
        raise Refused(
            f"{host.name}: what the SSH configuration says of {host.address} is not understood:"
            f" {type(error).__name__}: {str(error)[:200]}",
            hint="fab -S FILE names another one; config = under [ssh] does so for a stage",
        ) from None


def _connection(name: str, address: str, ssh: Ssh, config: fabric.Config) -> Connection:
    found = config.base_ssh_config.lookup(address)

    def host_keys(resolved: str, port: int) -> StrictHostKeys:
        file = Path(ssh.known_hosts or _first(found.get("userknownhostsfile", "")))
        known = load([file] if ssh.known_hosts else [file, SYSTEM_KNOWN_HOSTS])
        return StrictHostKeys(known, file, name, found.get("hostkeyalias", resolved), port)

    return Connection(
        name,
        address,
        config,
        host_keys,
        user=ssh.user or None,
        port=ssh.port or None,
        identity=ssh.identity,
        gateway=_gateway(name, address, ssh, config),
        timeout=ssh.connect_timeout,
    )


def _gateway(name: str, address: str, ssh: Ssh, config: fabric.Config) -> Connection | str | bool:
    """The inventory's gateway, else ProxyJump or ProxyCommand of the SSH configuration."""
    found = config.base_ssh_config.lookup(address)
    hops = ssh.gateway or found.get("proxyjump", "")
    if not hops or hops == "none":
        command: str | bool = found.get("proxycommand", False)
        return False if command == "none" else command
    before, _, last = hops.rpartition(",")
    user, port = "", ""
    target = last.strip()
    if "@" in target:
        user, _, target = target.rpartition("@")
    if target.count(":") == 1:
        target, _, port = target.partition(":")
    through = Ssh(
        user=user,
        port=int(port or 0),
        # A gateway that has a key of its own in the SSH configuration is entered with that.
        identity="" if config.base_ssh_config.lookup(target).get("identityfile") else ssh.identity,
        known_hosts=ssh.known_hosts,
        config=ssh.config,
        gateway=before,
        connect_timeout=ssh.connect_timeout,
    )
    if target == address and not ssh.gateway:
        return False  # a pattern of the SSH configuration that also fits the gateway itself
    return _connection(f"{name} (gateway {target})", target, through, config)


def _ssh_config(path: str) -> SSHConfig:
    file = Path(path or Path.home() / ".ssh" / "config")
    config = SSHConfig()
    try:
        config.parse(StringIO(_with_included(file)))
    except FileNotFoundError:
        if path:
            raise Refused(f"the SSH configuration {path} does not exist") from None
    except (OSError, UnicodeDecodeError, ConfigParseError) as error:
        raise Refused(f"the SSH configuration {file} cannot be read: {error}") from None
    return config


def _with_included(file: Path, depth: int = 0) -> str:
    """The text of the file, with what it includes at its top: Paramiko passes `Include` by."""
    lines, blocks = [], False
    for line in file.read_text().splitlines():
        keyword, _, rest = line.strip().replace("=", " ", 1).partition(" ")
        blocks = blocks or keyword.lower() in ("host", "match")
        if keyword.lower() != "include" or blocks or depth > INCLUDED:
            lines.append(line)
            continue
        for pattern in shlex.split(rest):
            path = Path.home() / ".ssh" / Path(pattern).expanduser()
            found = sorted(Path("/").glob(str(path)[1:]))
            lines += [_with_included(one, depth + 1) for one in found]
            lines.append("Host *")  # what follows is for all hosts again
    return "\n".join(lines) + "\n"


def _configured(config: fabric.Config | None, ssh_config: SSHConfig) -> fabric.Config:
    if config is None:
        return fabric.Config(
            ssh_config=ssh_config, overrides={"run": {"in_stream": False}}, lazy=True
        )
    # Each its own: Invoke's configuration is not safe to share between threads.
    clone = config.clone()
    clone._set(base_ssh_config=ssh_config)
    return clone


def _first(files: str) -> Path:
    first = files.split()[0] if files.split() else "~/.ssh/known_hosts"
    return Path(first).expanduser()
