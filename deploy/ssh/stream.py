"""Bytes to and from a program on a host."""

import time
from contextlib import suppress
from typing import Protocol

from paramiko import Channel, SSHException

from deploy.ssh.runner import exec_in_time

_PIECE = 1 << 18


class Stream(Protocol):
    """Both directions may be used at once, from different threads."""

    def send(self, data: bytes) -> None:
        """Send all of it; raises OSError when the other side is gone."""

    def recv(self, timeout: float) -> bytes:
        """Some bytes; none at the end. Raises TimeoutError when there are none in time."""

    def close(self) -> None:
        """Let go of both directions; the program sees the end of its input."""


class SshStream:
    """A program started on a Paramiko channel, its errors among its output."""

    def __init__(self, raw: Channel, command: str, timeout: float, patience: float) -> None:
        """Start it, within `timeout` seconds. Raises SSHException.

        `patience`: seconds that the program may take no bytes before it counts as gone.
        """
        self._raw = raw
        self._patience = patience
        raw.set_combine_stderr(True)
        exec_in_time(raw, command, timeout)

    @property
    def exit_code(self) -> int:
        """How the program ended; -1 while that is not known."""
        return int(self._raw.recv_exit_status()) if self._raw.exit_status_ready() else -1

    def send(self, data: bytes) -> None:
        """Send all of it; raises OSError when the other side is gone."""
        until = time.monotonic() + self._patience
        while data:
            try:
                sent = self._raw.send(data)
            except TimeoutError:
                if time.monotonic() > until:
                    raise
                continue  # the reader's short timeout holds for both directions
            except (SSHException, EOFError) as error:
                raise OSError(str(error)) from error
            data = data[sent:]
            until = time.monotonic() + self._patience

    def recv(self, timeout: float) -> bytes:
        """Some bytes; none at the end. Raises TimeoutError when there are none in time."""
        self._raw.settimeout(timeout)
        data: bytes = self._raw.recv(_PIECE)
        return data

    def close(self) -> None:
        """Let go of both directions; the program sees the end of its input."""
        with suppress(OSError, EOFError, SSHException):  # it may be gone already
            self._raw.close()
