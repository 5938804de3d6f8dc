"""Joins the local rsync to a remote one, through a channel of the connection that is open."""

import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from paramiko import Channel, SSHException

from deploy.output import Kept
from deploy.ssh import rsh
from deploy.ssh.markers import START
from deploy.ssh.runner import cut

_PIECE = 1 << 18
_GONE = (OSError, EOFError, SSHException)


class Wire:
    """Serves one rsync. `touched` is when the last byte went through, by the monotonic clock."""

    def __init__(self, open_channel: Callable[[], Channel]) -> None:
        self._open_channel = open_channel
        # Made short and private: the path of a socket has at most 108 bytes.
        self._directory = TemporaryDirectory(prefix="wire")
        self._path = str(Path(self._directory.name) / "s")
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self._path)
        self._listener.listen(1)
        self._channel: Channel | None = None
        self._nonce = secrets.token_hex(8)
        self.said = Kept()
        self.sent = 0
        self.touched = 0.0
        self.code = -1
        self._thread = threading.Thread(target=self._serve, name="wire", daemon=True)
        self._thread.start()

    @property
    def remote_shell(self) -> str:
        """What rsync is to start as its `-e`, quoted as rsync reads it."""
        words = (sys.executable, "-I", "-S", rsh.__file__, self._path)
        return " ".join("'" + word.replace("'", "''") + "'" for word in words)

    def finish(self) -> None:
        """After the local rsync: let the remote one end by itself, it may still be complaining."""
        if self._channel is not None:
            self._thread.join(1)

    def close(self) -> None:
        """End the remote rsync if it is still there."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        if self._channel is not None and self.code < 0:
            cut(self._channel)
        self._thread.join(5)
        self._directory.cleanup()

    def _serve(self) -> None:
        try:
            local, _ = self._listener.accept()
        except OSError:
            return
        with local:
            words, (source, sink) = _asked(local)
            with os.fdopen(source, "rb", 0) as reader, os.fdopen(sink, "wb", 0) as writer:
                # Rsync leaves its end of a pipe non-blocking.
                os.set_blocking(source, True)
                os.set_blocking(sink, True)
                with suppress(*_GONE):
                    self._join(words, reader.fileno(), writer.fileno())
            with suppress(OSError):
                local.send(bytes([self.code if 0 <= self.code < 256 else 255]))

    def _join(self, words: bytes, source: int, sink: int) -> None:
        self._channel = channel = self._open_channel()
        # Joined as ssh joins them: rsync has quoted what needs it. What the login shell says
        # before the marker, a .bashrc for example, would be taken for rsync's own words.
        command = b" ".join(words.split(b"\0"))
        channel.exec_command(f"printf '\\036{self._nonce}'; exec ".encode() + command)
        up = threading.Thread(target=self._up, args=(channel, source), daemon=True)
        errors = threading.Thread(target=self._errors, args=(channel,), daemon=True)
        up.start()
        errors.start()
        try:
            for data in self._received(channel):
                self.touched = time.monotonic()
                view = memoryview(data)
                while view:
                    view = view[os.write(sink, view) :]
        finally:
            errors.join(5)
            self.code = channel.recv_exit_status()
            channel.close()

    def _received(self, channel: Channel) -> Iterator[bytes]:
        begin, noise = START + self._nonce.encode(), b""
        while begin not in noise:
            data = channel.recv(_PIECE)
            if not data:
                return
            noise += data
            if len(noise) > _PIECE:
                raise OSError("the login shell says too much")
        yield noise.partition(begin)[2]
        while data := channel.recv(_PIECE):
            yield data

    def _up(self, channel: Channel, source: int) -> None:
        with suppress(*_GONE):
            while data := os.read(source, _PIECE):
                channel.sendall(data)
                self.sent += len(data)
                self.touched = time.monotonic()
            channel.shutdown_write()

    def _errors(self, channel: Channel) -> None:
        with suppress(*_GONE):
            while data := channel.recv_stderr(1 << 15):
                self.said.add(data)


def _asked(local: socket.socket) -> tuple[bytes, list[int]]:
    data, descriptors, _, _ = socket.recv_fds(local, 1 << 16, 2)
    size = int.from_bytes(data[: rsh.LENGTH], "big")
    while len(data) < rsh.LENGTH + size:
        data += local.recv(1 << 16)
    return data[rsh.LENGTH :], descriptors
