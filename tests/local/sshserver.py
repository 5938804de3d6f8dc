"""An SSH server in this process: the real protocol, commands run by the local shell."""

import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paramiko

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass
class Habits:
    """How a server misbehaves."""

    noise: bytes = b""
    """Said before the output of every program, as a .bashrc does."""
    path: str = PATH
    shell: str = "/bin/bash"
    starts: bool = True
    """Whether it runs programs at all."""
    ponders: float = 0.0
    """Seconds until it answers the request to run one."""
    drops: int = 0
    """Connections that are closed at once, as MaxStartups does."""
    banner: bool = True
    """Whether it greets; without, it accepts and is silent."""
    logins: int = 0
    """How many have been let in."""
    at_once: int = 0
    most_at_once: int = 0
    delay: float = 0.0
    """Seconds between a connection and the greeting."""
    programs: list[str] = field(default_factory=list)


class Door(paramiko.ServerInterface):  # type: ignore[misc]  # Paramiko ships no types
    """Who is let in, and what runs for them."""

    def __init__(self, home: Path, keys: set[str], habits: Habits) -> None:
        self._home = home
        self._keys = keys
        self._habits = habits

    def get_allowed_auths(self, _username: str) -> str:
        """Keys only."""
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        """The user is always called deploy."""
        if username != "deploy" or key.get_base64() not in self._keys:
            return int(paramiko.AUTH_FAILED)
        self._habits.logins += 1
        return int(paramiko.AUTH_SUCCESSFUL)

    def check_channel_request(self, _kind: str, _number: int) -> int:
        """Sessions, as many as they like."""
        return int(paramiko.OPEN_SUCCEEDED)

    def check_channel_direct_tcpip_request(
        self, number: int, _origin: tuple[str, int], target: tuple[str, int]
    ) -> int:
        """Be a gateway."""
        try:
            far = socket.create_connection(target, 2)
        except OSError:
            return int(paramiko.OPEN_FAILED_CONNECT_FAILED)
        threading.Thread(target=self._forward, args=(number, far), daemon=True).start()
        return int(paramiko.OPEN_SUCCEEDED)

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        """Run it as sshd does: by the login shell, in a session of its own."""
        self._habits.programs.append(command.decode())
        time.sleep(self._habits.ponders)
        if self._habits.starts:
            threading.Thread(target=self._run, args=(channel, command), daemon=True).start()
        return self._habits.starts

    def _forward(self, number: int, far: socket.socket) -> None:
        channel = None
        while channel is None or channel.get_id() != number:
            channel = self.transport.accept(5)
        threading.Thread(target=_copy, args=(far.recv, channel.sendall), daemon=True).start()
        _copy(channel.recv, far.sendall)
        far.close()

    transport: paramiko.Transport

    def _run(self, channel: paramiko.Channel, command: bytes) -> None:
        process = subprocess.Popen(
            [self._habits.shell, "-c", command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self._home,
            env={"HOME": str(self._home), "PATH": self._habits.path},
            start_new_session=True,
        )
        assert process.stdin
        assert process.stdout
        assert process.stderr
        if self._habits.noise:
            channel.sendall(self._habits.noise)
        out = process.stdout.fileno()
        err = process.stderr.fileno()
        threads = [
            threading.Thread(target=_copy, args=arguments, daemon=True)
            for arguments in (
                (lambda size: os.read(out, size), channel.sendall),
                (lambda size: os.read(err, size), channel.sendall_stderr),
            )
        ]
        stdin = process.stdin
        threading.Thread(target=_feed, args=(channel, stdin), daemon=True).start()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with suppress(OSError, EOFError, paramiko.SSHException):
            code = process.wait()
            channel.send_exit_status(code if code >= 0 else 128 - code)
            channel.close()


class Listener:
    """A port of 127.0.0.1, bound once and kept; each connection is given to `greet`."""

    def __init__(self, greet: Callable[[socket.socket], object]) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._socket.getsockname()[1]
        self._greet = greet
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take no more connections.

        A thread that still accepts would hold the port. Once it is interrupted, it would go on with
        the number of the closed socket, and so take connections from the next one of that number.
        """
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self._greet(connection)


def _feed(channel: paramiko.Channel, stdin: Any) -> None:
    def send(data: bytes) -> None:
        stdin.write(data)
        stdin.flush()

    _copy(channel.recv, send)
    with suppress(OSError):
        stdin.close()


def _copy(recv: Callable[[int], bytes], send: Callable[[bytes], object]) -> None:
    with suppress(OSError, EOFError, paramiko.SSHException):
        while data := recv(1 << 16):
            send(data)


class SshServer:
    """Listens on a free port of 127.0.0.1 until it is closed."""

    def __init__(self, home: Path, keys: set[str], host_key: paramiko.PKey) -> None:
        self.habits = Habits()
        self.host_key = host_key
        self._home = home
        self._keys = keys
        self._transports: list[paramiko.Transport] = []
        self._silent: list[socket.socket] = []
        self._listener = Listener(self._take)
        self.port = self._listener.port

    def drop(self) -> None:
        """Break all connections."""
        for transport in self._transports:
            transport.close()

    def close(self) -> None:
        """Break all connections and take no more."""
        self._listener.close()
        self.drop()
        for silent in self._silent:
            silent.close()

    def _take(self, connection: socket.socket) -> None:
        threading.Thread(target=self._greet, args=(connection,), daemon=True).start()

    def _greet(self, connection: socket.socket) -> None:
        habits = self.habits
        if habits.drops > 0:
            habits.drops -= 1
            connection.close()
            return
        if not habits.banner:
            self._silent.append(connection)
            return
        habits.at_once += 1
        habits.most_at_once = max(habits.most_at_once, habits.at_once)
        time.sleep(habits.delay)
        habits.at_once -= 1
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport = paramiko.Transport(connection)
        transport.add_server_key(self.host_key)
        self._transports.append(transport)
        door = Door(self._home, self._keys, habits)
        door.transport = transport
        with suppress(paramiko.SSHException, EOFError, OSError):
            transport.start_server(server=door)


class Proxy:
    """Passes bytes on to a port, until it is told to be silent or to cut the line."""

    def __init__(self, port: int, silent_after: int = 0) -> None:
        """`silent_after`: bytes towards the server after which nothing passes any more."""
        self._target = port
        self._silent_after = silent_after
        self._passed = 0
        self._silent = threading.Event()
        self._sockets: list[socket.socket] = []
        self._listener = Listener(self._take)
        self.port = self._listener.port

    def silence(self) -> None:
        """From now on nothing passes, and nothing is closed."""
        self._silent.set()

    def close(self) -> None:
        """Cut the line."""
        self._listener.close()
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _take(self, near: socket.socket) -> None:
        try:
            far = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            near.close()
            return
        self._sockets += [near, far]
        for source, sink, counted in ((near, far, True), (far, near, False)):
            threading.Thread(target=self._pass, args=(source, sink, counted), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                if counted:
                    self._passed += len(data)
                    if self._silent_after and self._passed > self._silent_after:
                        self._silent.set()
                while self._silent.is_set():
                    if sink.fileno() < 0:
                        return
                    time.sleep(0.05)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
