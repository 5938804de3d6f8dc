"""One long-lived program on a host that takes scripts and answers with markers, over any stream."""

import secrets
import shlex
import threading
import time
from dataclasses import dataclass
from importlib.resources import files
from typing import Protocol

from deploy.command import OnLine, Result
from deploy.output import Kept, Output
from deploy.reach import LinkLost
from deploy.ssh.markers import Markers

STOPPED_QUIET = 124
"""The exit code of what said nothing for too long; timeout(1) says the same."""


@dataclass(frozen=True)
class Times:
    """When silence means something; all in seconds."""

    beat: float = 5.0
    """Between two questions whether the host is there."""
    dead: float = 15.0
    """Without an answer, the host or the network hangs."""
    gone: float = 60.0
    """Without a question, the host takes us for gone, and ends our work there."""
    grace: float = 5.0
    """From TERM to KILL."""


class Stream(Protocol):
    """Bytes to and from the program. Both ends of it may be used from different threads."""

    def send(self, data: bytes) -> None:
        """Send all of it; raises OSError when the other side is gone."""

    def recv(self, timeout: float) -> bytes:
        """Some bytes; none at the end. Raises TimeoutError when there are none in time."""

    def close(self) -> None:
        """Let go of both directions."""


class NotReady(Exception):
    """The program did not start; says what was there instead."""


def launch(times: Times) -> str:
    """The line for the host's login shell, whichever that is. The program itself follows it."""
    starter = 'LC_ALL=C; IFS= read -r -N "$1" p && eval "$p"'
    numbers = f"{len(_program())} {times.gone:g} {round(times.grace * 10)}"
    return f"exec bash --noprofile --norc -c {shlex.quote(starter)} deploy {numbers}"


class Channel:
    """Runs scripts one after the other. `name` is the host's, for messages."""

    def __init__(self, stream: Stream, name: str, times: Times) -> None:
        self._stream = stream
        self._name = name
        self._times = times
        self._nonce = secrets.token_hex(8)
        self._markers = Markers(self._nonce)
        self._sending = threading.Lock()
        self._one = threading.Lock()
        self._closed = threading.Event()
        self._count = 0
        self._running = ""
        self._stopping = False
        self._heard = time.monotonic()

    def greet(self, words: str, timeout: float) -> None:
        """Start the program and teach it `words`. Raises `NotReady`."""
        noise = Kept()
        until = time.monotonic() + timeout
        try:
            self._stream.send(_program() + self._nonce.encode() + b"\n")
            while not self._ready(noise, until):
                pass
        except (OSError, TimeoutError) as error:
            raise NotReady(noise.text().strip()) from error
        threading.Thread(target=self._ask, name=f"ask {self._name}", daemon=True).start()
        taught = self.run(words, "learning the words", timeout, lambda _: None, here=True)
        if not taught.ok:
            raise NotReady(taught.output.strip())

    def run(
        self, text: str, doing: str, quiet_limit: float, on_line: OnLine, *, here: bool = False
    ) -> Result:
        """Run a script as a job, or in the program's own process when `here`.

        `doing` names it in messages. Raises `LinkLost`.
        """
        with self._one:
            self._finish_interrupted()
            began = time.monotonic()
            self._count += 1
            self._stopping = False
            self._running = number = str(self._count)
            data = text.encode("utf-8", "surrogateescape")
            head = f"{'here' if here else 'run'} {number} {len(data)}\n".encode()
            self._send(head + data, doing)
            output = Output(on_line)
            code = self._wait(number, output, quiet_limit, doing)
            self._running = ""
            return Result(code, output.end(), time.monotonic() - began)

    def stop(self) -> None:
        """End the job that runs now, if any; from any thread."""
        self._stopping = True
        self._send_stop()

    def check(self, doing: str) -> None:
        """While no script runs: raises `LinkLost` when the host has been silent for too long."""
        with self._one:
            self._hear(0.0, doing)

    def close(self) -> None:
        """Leave; the program ends whatever it still runs, and itself."""
        self._closed.set()
        self._stream.close()

    def _ready(self, noise: Kept, until: float) -> bool:
        data = self._stream.recv(max(0.01, until - time.monotonic()))
        if not data:
            raise OSError("the program ended")
        ready = False
        for part in self._markers.feed(data):
            if isinstance(part, bytes):
                noise.add(part)
            else:
                ready = True
        return ready

    def _ask(self) -> None:
        while not self._closed.wait(self._times.beat):
            try:
                with self._sending:
                    self._stream.send(b"ping\n")
            except OSError:
                return

    def _send(self, data: bytes, doing: str) -> None:
        try:
            with self._sending:
                self._stream.send(data)
        except OSError as error:
            raise self._lost("the connection was lost", doing) from error

    def _send_stop(self) -> None:
        if self._running:
            try:
                with self._sending:
                    self._stream.send(f"stop {self._running}\n".encode())
            except OSError:
                return  # whoever waits for the job finds out

    def _wait(self, number: str, output: Output, quiet_limit: float, doing: str) -> int:
        said = asked = time.monotonic()
        self._heard = said
        quiet = False
        while True:
            for part in self._hear(min(0.5, self._times.beat / 2), doing):
                if isinstance(part, bytes):
                    said = time.monotonic()
                    output.feed(part)
                elif part[:2] == ("done", number):
                    return self._code(part, output, quiet_limit if quiet else 0.0)
            now = time.monotonic()
            if now - said > quiet_limit and not quiet:
                quiet = self._stopping = True
                asked = 0.0
            if self._stopping and now - asked > 1.0:
                # Again and again: a job that has only just begun cannot hear it.
                self._send_stop()
                asked = now

    @staticmethod
    def _code(marker: tuple[str, ...], output: Output, quiet_limit: float) -> int:
        if quiet_limit:
            output.say(f"said nothing for {quiet_limit:g} seconds: stopped")
            return STOPPED_QUIET
        return int(marker[2]) if len(marker) == 3 and marker[2].isdigit() else 255

    def _hear(self, timeout: float, doing: str) -> list[bytes | tuple[str, ...]]:
        try:
            data = self._stream.recv(timeout)
        except TimeoutError:
            silent = time.monotonic() - self._heard
            if silent > self._times.dead:
                what = f"hangs: neither the host nor the network answered for {silent:.0f} seconds"
                raise self._lost(what, doing) from None
            return []
        except OSError as error:
            raise self._lost("the connection was lost", doing) from error
        if not data:
            raise self._lost("the connection was lost", doing)
        self._heard = time.monotonic()
        return list(self._markers.feed(data))

    def _finish_interrupted(self) -> None:
        """After Ctrl-C in the middle of a wait: what ran must be over before the next begins."""
        if self._running:
            self._stopping = True
            self._send_stop()
            limit = self._times.grace + self._times.dead
            self._wait(self._running, Output(lambda _: None), limit, "ending what ran")
            self._running = ""

    def _lost(self, what: str, doing: str) -> LinkLost:
        self.close()
        return LinkLost(self._name, what, doing)


def _program() -> bytes:
    return files("deploy").joinpath("remote", "channel.sh").read_bytes()
