"""Runs programs on this machine, so that it can be treated as one more host."""

import os
import re
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from deploy.command import Action, Command, OnLine, Result
from deploy.output import Output, Whole

NOT_FOUND = 127
"""The exit code of a program that is not there, as shells say it."""
NOT_RUN = 126
"""The exit code of a program that is there but cannot be run."""
SENT = re.compile(r"(\d+) bytes sent\n\Z")
"""The last words of a command that has sent something elsewhere."""
STOPPED_QUIET = 124
"""The exit code of what said nothing for too long."""


class Program:
    """One program and what it starts, in a process group of its own."""

    def __init__(
        self,
        argv: Sequence[str],
        stdin: bytes = b"",
        cwd: str = "",
        env: Sequence[tuple[str, str]] = (),
        grace: float = 5.0,
    ) -> None:
        """Start it. Raises FileNotFoundError; `grace` is the seconds from TERM to KILL."""
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=cwd or None,
            env=dict(os.environ, LC_ALL="C.UTF-8") | dict(env),
            process_group=0,
        )
        assert self._process.stdout is not None  # noqa: S101  # a pipe was asked for
        self._pipe = self._process.stdout
        self._grace = grace
        self._kill_at = 0.0
        if stdin:
            threading.Thread(target=self._write, args=(stdin,), daemon=True).start()

    def follow(
        self, output: Output, quiet_limit: float, sign: Callable[[], float] = lambda: 0.0
    ) -> int:
        """Feed `output` until the program has ended; returns its exit code.

        `sign` is asked a few times a second for the time of another sign of life, by the
        monotonic clock; what it raises ends the program. Nothing is left running.
        """
        said = time.monotonic()
        quiet = False
        try:
            for data in self._pieces():
                if data:
                    output.feed(data)
                    said = time.monotonic()
                said = max(said, sign())
                if time.monotonic() - said > quiet_limit and not quiet:
                    quiet = True
                    self.stop()
                if self._kill_at and time.monotonic() > self._kill_at:
                    self._signal(signal.SIGKILL)
        finally:
            self._signal(signal.SIGKILL)
            code = self._process.wait()
            self._pipe.close()
        if quiet:
            output.say(f"said nothing for {quiet_limit:g} seconds: stopped")
            return STOPPED_QUIET
        return code if code >= 0 else 128 - code

    def stop(self) -> None:
        """End it, from any thread: TERM now, KILL after the grace."""
        self._kill_at = self._kill_at or time.monotonic() + self._grace
        self._signal(signal.SIGTERM)

    def _pieces(self) -> Iterator[bytes]:
        """What it says, as it comes; nothing, a few times a second, while it is silent."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._pipe, selectors.EVENT_READ)
            ended = False
            while selector.get_map():
                if selector.select(0 if ended else 0.1):
                    data = os.read(self._pipe.fileno(), 1 << 16)
                    if not data:
                        selector.unregister(self._pipe)
                    yield data
                elif ended:
                    return  # what still holds the pipe is a child that it has left behind
                else:
                    ended = self._process.poll() is not None
                    yield b""
        while not self._ended_within(0.1):
            yield b""

    def _ended_within(self, seconds: float) -> bool:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return self._process.returncode is not None

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _write(self, data: bytes) -> None:
        assert self._process.stdin is not None  # noqa: S101  # a pipe was asked for
        with suppress(OSError), self._process.stdin:
            self._process.stdin.write(data)


class Here:
    """This machine, with the interface of a host."""

    def __init__(self, name: str = "here", grace: float = 5.0) -> None:
        self._name = name
        self._grace = grace
        self._running: Program | None = None

    @property
    def name(self) -> str:
        """How messages call this machine."""
        return self._name

    @property
    def door(self) -> str:
        """Nobody logs in."""
        return self._name

    def open(self) -> None:
        """Nothing is needed."""

    def execute(self, action: Action, on_line: OnLine) -> Result:
        """Run a command. An `Upload` is a defect of the plan: there is nothing to send here."""
        if not isinstance(action, Command):
            raise TypeError(f"nothing is uploaded to this machine: {action}")
        output = (Whole if action.whole else Output)(on_line, action.keep)
        began = time.monotonic()
        code = self._run(action, output)
        said = output.end()
        sent = SENT.search(said)
        return Result(code, said, time.monotonic() - began, int(sent[1]) if sent else 0)

    def execute_here(self, command: Command) -> Result:
        """The same as `execute`, in silence."""
        return self.execute(command, lambda _: None)

    def stop(self) -> None:
        """End what runs now, from any thread."""
        if self._running:
            self._running.stop()

    def close(self) -> None:
        """End what runs now."""
        self.stop()

    def _run(self, command: Command, output: Output) -> int:
        stdin = command.stdin.encode("utf-8", "surrogateescape")
        try:
            self._running = Program(
                command.argv, stdin, command.cwd, command.env, grace=self._grace
            )
        except FileNotFoundError as error:
            output.say(f"{error.filename} is not there")
            return NOT_FOUND
        except OSError as error:
            output.say(f"{command.argv[0]} cannot be run: {error.strerror}")
            return NOT_RUN
        try:
            return self._running.follow(output, command.quiet_limit)
        finally:
            self._running = None


def run_here(command: Command, on_line: OnLine) -> Result:
    """Run a command on this machine; each line it says goes to `on_line`."""
    return Here().execute(command, on_line)
