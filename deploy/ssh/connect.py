"""What an inventory and the SSH configuration say about a host, as a connection."""

import logging
from pathlib import Path

import fabric
from paramiko import SSHConfig
from paramiko.ssh_exception import ConfigParseError

from deploy.errors import Refused
from deploy.host import Host, Ssh
from deploy.ssh.connection import Connection
from deploy.ssh.hostkeys import StrictHostKeys
from deploy.ssh.known_hosts import load

SYSTEM_KNOWN_HOSTS = Path("/etc/ssh/ssh_known_hosts")


def connect(host: Host, config: fabric.Config | None = None) -> Connection:
    """A connection to `host`, not yet open. `config` is the task's, if there is one.

    Raises `Refused` when the SSH configuration cannot be read.
    """
    # Without this, errors in Paramiko's threads appear on the terminal.
    logging.getLogger("paramiko").addHandler(logging.NullHandler())
    ssh_config = _ssh_config(host.ssh.config)
    return _connection(host.name, host.address, host.ssh, _configured(config, ssh_config))


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
        identity=ssh.identity,
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
        with file.open() as lines:
            config.parse(lines)
    except FileNotFoundError:
        if path:
            raise Refused(f"the SSH configuration {path} does not exist") from None
    except (OSError, UnicodeDecodeError, ConfigParseError) as error:
        raise Refused(f"the SSH configuration {file} cannot be read: {error}") from None
    return config


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
