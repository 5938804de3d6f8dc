"""One long-lived program on a host that takes scripts and answers with markers, over any stream."""

import secrets
import threading
import time

from deploy.command import OnLine, Result
from deploy.here import STOPPED_QUIET
from deploy.output import Kept, Output, Whole
from deploy.reach import LinkLost
from deploy.ssh.launch import program
from deploy.ssh.markers import Markers
from deploy.ssh.script import packed
from deploy.ssh.stream import Stream
from deploy.ssh.times import Times

_LOST = "the connection was lost"


class NotReady(Exception):
    """The program did not start; says what was there instead."""


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

    @property
    def closed(self) -> bool:
        """Whether it can no longer be used: closed by us, or lost."""
        return self._closed.is_set()

    def greet(self, words: str, timeout: float) -> None:
        """Start the program and teach it `words`, in one round trip. Raises `NotReady`."""
        noise, taught = Kept(), Kept()
        try:
            self._stream.send(
                program() + f"{self._nonce}\n".encode() + _framed("here", "0", packed(words))
            )
            self._await_words(noise, taught, time.monotonic() + timeout)
        except (OSError, TimeoutError) as error:
            raise NotReady((noise.text() + taught.text()).strip()) from error
        threading.Thread(target=self._ask, name=f"ask {self._name}", daemon=True).start()

    def run(
        self,
        text: str,
        doing: str,
        quiet_limit: float,
        on_line: OnLine,
        *,
        here: bool = False,
        whole: bool = False,
    ) -> Result:
        """Run a script as a job, or in the program's own process when `here`.

        `doing` names it in messages; `whole` is that of a `Command`. Raises `LinkLost`.
        """
        with self._one:
            if self.closed:
                raise self._lost(_LOST, doing)
            self._finish_interrupted()
            began = time.monotonic()
            self._count += 1
            self._stopping = False
            self._running = number = str(self._count)
            self._send(_framed("here" if here else "run", number, text), doing)
            output = (Whole if whole else Output)(on_line)
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

    def _await_words(self, noise: Kept, taught: Kept, until: float) -> None:
        """What a login shell says before the first marker is noise."""
        ready = False
        while data := self._stream.recv(max(0.01, until - time.monotonic())):
            for part in self._markers.feed(data):
                if isinstance(part, bytes):
                    (taught if ready else noise).add(part)
                elif part == ("done", "0", "0"):
                    return
                elif part[:1] == ("done",):
                    raise NotReady(taught.text().strip())
                else:
                    ready = True
        raise OSError("the program ended")

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
            raise self._lost(_LOST, doing) from error

    def _send_stop(self) -> None:
        if self._running:
            try:
                with self._sending:
                    self._stream.send(f"stop {self._running}\n".encode())
            except OSError:
                return  # whoever waits for the job finds out

    def _wait(self, number: str, output: Output, quiet_limit: float, doing: str) -> int:
        said = self._heard = time.monotonic()
        asked = 0.0
        quiet = False
        while True:
            for part in self._hear(min(0.5, self._times.beat / 2), doing):
                if isinstance(part, bytes):
                    said = time.monotonic()
                    output.feed(part)
                elif part[:2] == ("done", number):
                    return _quiet(output, quiet_limit) if quiet else _code(part)
            now = time.monotonic()
            if now - said > quiet_limit:
                quiet = self._stopping = True
            if self._stopping and now - asked > 1.0:
                # Again and again: a job that has only just begun cannot hear it.
                self._send_stop()
                asked = now

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
            raise self._lost(_LOST, doing) from error
        if not data:
            raise self._lost(_LOST, doing)
        self._heard = time.monotonic()
        return list(self._markers.feed(data))

    def _finish_interrupted(self) -> None:
        """After Ctrl-C in the middle of a wait: what ran must be over before the next begins."""
        if self._running:
            self._stopping = True
            limit = self._times.grace + self._times.dead
            self._wait(self._running, Output(lambda _: None), limit, "ending what ran")
            self._running = ""

    def _lost(self, what: str, doing: str) -> LinkLost:
        self.close()
        return LinkLost(self._name, what, doing)


def _framed(verb: str, number: str, text: str) -> bytes:
    data = text.encode("utf-8", "surrogateescape")
    return f"{verb} {number} {len(data)}\n".encode() + data


def _quiet(output: Output, quiet_limit: float) -> int:
    output.say(f"said nothing for {quiet_limit:g} seconds: stopped")
    return STOPPED_QUIET


def _code(marker: tuple[str, ...]) -> int:
    """A marker that says no number is not taken for success."""
    return int(marker[2]) if len(marker) == 3 and marker[2].isdigit() else 255
