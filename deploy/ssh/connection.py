"""fabric.Connection as a deployment needs it: strict, quick, and never waiting for ever."""

import random
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fabric
from paramiko import SSHException

from deploy.ssh.dial import dial
from deploy.ssh.failures import Login, closed_early, explained, hanging
from deploy.ssh.hostkeys import StrictHostKeys, preferring
from deploy.ssh.identity import load_identity
from deploy.ssh.runner import FastRemote

TRIES = 3
"""Attempts at a login that the server drops at once, as it does when too many come together."""


class Connection(fabric.Connection):  # type: ignore[misc]  # Fabric ships no types
    """Made by `deploy.ssh.connect.connect`. May be opened from several threads."""

    def __init__(
        self,
        name: str,
        address: str,
        config: fabric.Config,
        host_keys: Callable[[str, int], StrictHostKeys],
        user: str | None = None,
        port: int | None = None,
        identity: str = "",
        gateway: "Connection | str | bool" = False,
        timeout: float = 10.0,
    ) -> None:
        """`name` is the host's in messages; `host_keys` gives the policy for a name and port."""
        super().__init__(address, user, port, config=config, gateway=gateway, connect_kwargs={})
        policy = host_keys(self.host, self.port)
        self.client.set_missing_host_key_policy(policy)
        self._set(
            _name=name,
            _identity_file=identity,
            _opening=threading.RLock(),
            _waiting_for="",
            _usual=_with_keys_that_are_there(self.connect_kwargs),
            _policy=policy,
            _timeout=timeout,
        )
        self._set(connect_timeout=timeout)

    @property
    def door(self) -> str:
        """Where logins are counted: this server, or the gateway before it."""
        if isinstance(self.gateway, Connection):
            return self.gateway.door
        return f"{self.host}:{self.port}"

    def open(self) -> None:
        """Log in, within the host's `connect_timeout`. Raises `Refused`, which says why not."""
        with self._opening:
            if not self.is_connected:
                self._open_in_time()

    def close(self) -> None:
        """Log out, also of the gateway, which is this connection's own."""
        super().close()
        if isinstance(self.gateway, Connection):
            self.gateway.close()

    def _remote_runner(self) -> FastRemote:
        return FastRemote(context=self, inline_env=self.inline_ssh_env)

    def _open_in_time(self) -> None:
        """Names are resolved and gateways opened without any time limit, hence the thread."""
        login = Login(
            self._name, self.host, self.port, self.user, self._identity_file, self._timeout
        )
        until = time.monotonic() + self._timeout
        failed: list[Exception] = []

        def attempt() -> None:
            try:
                self._try_often(until)
            except Exception as error:
                failed.append(error)

        thread = threading.Thread(target=attempt, name=f"login {self._name}", daemon=True)
        thread.start()
        thread.join(self._timeout + 0.5)
        if thread.is_alive() or failed:
            waiting_for = self._waiting_for
            self._abandon()
            if thread.is_alive() or _ran_out(failed[0], until):
                raise hanging(login, waiting_for) from None
            raise explained(failed[0], login) from None

    def _try_often(self, until: float) -> None:
        for left in reversed(range(TRIES)):
            try:
                self._open_once(until - time.monotonic())
                return
            except Exception as error:
                pause = random.uniform(0.2, 1.0)  # noqa: S311  # spreads the crowd, no secret
                if not closed_early(error) or not left or time.monotonic() + pause > until:
                    raise
                time.sleep(pause)

    def _open_once(self, timeout: float) -> None:
        settings: dict[str, Any] = {
            "banner_timeout": timeout,
            "auth_timeout": timeout,
            "channel_timeout": self._timeout,
            "transport_factory": preferring(self._policy.kinds),
        }
        if self._identity_file:
            settings["pkey"] = load_identity(self._name, Path(self._identity_file))
            settings |= {"allow_agent": False, "look_for_keys": False}
        else:
            settings |= self._usual
        self._set(_waiting_for="answer")
        if not self.gateway:
            settings["sock"] = dial(self.host, self.port, timeout)
        self._set(connect_kwargs=settings, _waiting_for="end of the SSH greeting and login")
        super().open()

    def _abandon(self) -> None:
        """Close what may be half open, which also ends a thread that still waits for it."""
        self.client.close()
        half_open = self.connect_kwargs.get("sock")
        if isinstance(half_open, socket.socket):
            half_open.close()
        if isinstance(self.gateway, Connection):
            self.gateway.close()


def _with_keys_that_are_there(settings: dict[str, Any]) -> dict[str, Any]:
    """As OpenSSH does: an IdentityFile that does not exist is passed by, and the agent is asked."""
    files = settings.get("key_filename")
    if not files:
        return dict(settings)
    named = [files] if isinstance(files, str) else list(files)
    there = [file for file in named if Path(file).expanduser().exists()]
    rest = {key: value for key, value in settings.items() if key != "key_filename"}
    return {**rest, "key_filename": there} if there else rest


def _ran_out(error: Exception, until: float) -> bool:
    """Paramiko's own time limits end in errors that say something else."""
    return isinstance(error, SSHException) and time.monotonic() > until
