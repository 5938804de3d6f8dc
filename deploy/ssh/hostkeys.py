"""Refuses hosts whose key is not the trusted one, before anything is sent to them."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from paramiko import PKey, SSHClient, Transport
from paramiko.client import MissingHostKeyPolicy

from deploy.errors import Refused
from deploy.ssh.known_hosts import KnownHosts, fingerprint

_RSA = ("rsa-sha2-512", "rsa-sha2-256")


class StrictHostKeys(MissingHostKeyPolicy):  # type: ignore[misc]  # Paramiko ships no types
    """Paramiko asks this for every key, since its own list of keys is left empty."""

    def __init__(self, known: KnownHosts, file: Path, host: str, name: str, port: int) -> None:
        """`host` is for messages; `name` and `port` are what the file is searched for."""
        self._known = known
        self._file = file
        self._host = host
        self._name = name
        self._port = port

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of key that are trusted, so that the host is asked for one of these."""
        kinds = [entry.kind for entry in self._known.trusted(self._name, self._port)]
        wanted = [k for kind in kinds for k in (_RSA if kind == "ssh-rsa" else (kind,))]
        return tuple(dict.fromkeys(wanted))

    def missing_host_key(self, _client: SSHClient, _hostname: str, key: PKey) -> None:
        """Return when the key is trusted; raises `Refused` otherwise."""
        if self._known.is_revoked(self._name, self._port, key):
            raise Refused(
                f"{self._host}: its key {fingerprint(key.asbytes())} is revoked in {self._file}"
            )
        trusted = self._known.trusted(self._name, self._port)
        if any(entry.blob == key.asbytes() for entry in trusted):
            return
        offered = f"{_short(key.get_name())} {fingerprint(key.asbytes())}"
        if not trusted:
            raise Refused(
                f"{self._host}: unknown host key {offered}, not in {self._file}",
                f"compare the fingerprint with the host's own, then: ssh-keyscan "
                f"-p {self._port} {self._name} >> {shlex.quote(str(self._file))}",
            )
        known = ", ".join(f"{_short(e.kind)} {e.fingerprint}" for e in trusted)
        raise Refused(
            f"{self._host}: the host key has CHANGED: it is now {offered}, but {self._file} "
            f"knows {known}. Somebody may be listening in, or the host was set up anew",
            f"if it was: ssh-keygen -R {shlex.quote(self._form())} "
            f"-f {shlex.quote(str(self._file))}",
        )

    def _form(self) -> str:
        return self._name if self._port == 22 else f"[{self._name}]:{self._port}"


def preferring(kinds: tuple[str, ...]) -> Callable[..., Any]:
    """What makes Paramiko's transport, asking the host for these kinds of key first."""

    def transport(*args: Any, **settings: Any) -> Any:
        made = Transport(*args, **settings)
        options = made.get_security_options()
        usual = tuple(options.key_types)
        first = tuple(kind for kind in kinds if kind in usual)
        options.key_types = first + tuple(kind for kind in usual if kind not in first)
        return made

    return transport


def _short(kind: str) -> str:
    return kind.removeprefix("ssh-").upper() if kind.startswith("ssh-") else kind
