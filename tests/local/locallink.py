"""A host that is a directory: the same channel, driven over pipes, without a network."""

import os
import selectors
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

from deploy.command import Action, Command, OnLine, Result, Upload
from deploy.errors import Refused
from deploy.here import Program
from deploy.output import Output
from deploy.ssh.channel import Channel, NotReady
from deploy.ssh.launch import launch
from deploy.ssh.rsync import arguments, listed
from deploy.ssh.script import named, script
from deploy.ssh.times import Times
from deploy.ssh.tree import check_tree


class LocalLink:
    """Commands run in `root` as their home; everything else is as on a real host."""

    def __init__(
        self, root: Path, words: str = "", name: str = "local", times: Times | None = None
    ) -> None:
        self.root = root
        self._words = words
        self._name = name
        self._times = times or Times()
        self._channel: Channel | None = None
        self._program: Program | None = None
        self.pid = 0

    @property
    def name(self) -> str:
        """The host's name."""
        return self._name

    @property
    def door(self) -> str:
        """Each its own."""
        return self._name

    def open(self) -> None:
        """Start the channel."""
        process = subprocess.Popen(
            ["/bin/sh", "-c", launch(self._times)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.root,
            env={"HOME": str(self.root), "PATH": os.environ["PATH"]},
            start_new_session=True,
        )
        self.pid = process.pid
        channel = Channel(PipeStream(process), self._name, self._times)
        try:
            channel.greet(self._words, 10.0)
        except NotReady as error:
            raise Refused(f"{self._name}: {error}") from None
        self._channel = channel

    def execute(self, action: Action, on_line: OnLine) -> Result:
        """Run a command, or copy a directory by rsync."""
        assert self._channel
        if isinstance(action, Upload):
            return self._upload(action, on_line)
        text, limit = script(action), action.quiet_limit
        return self._channel.run(text, named(action), limit, on_line, whole=action.whole)

    def execute_here(self, command: Command) -> Result:
        """Run a word in the channel's own process."""
        assert self._channel
        text, limit = script(command), command.quiet_limit
        return self._channel.run(text, named(command), limit, lambda _: None, here=True)

    def stop(self) -> None:
        """End what runs."""
        if self._program:
            self._program.stop()
        if self._channel:
            self._channel.stop()

    def close(self) -> None:
        """End the channel."""
        if self._channel:
            self._channel.close()

    def _upload(self, upload: Upload, on_line: OnLine) -> Result:
        check_tree(upload)
        began = time.monotonic()
        output = Output(on_line)
        argv = arguments(upload, "", f"{upload.target}/")
        self._program = Program([word for word in argv if word != "--rsh="], listed(upload))
        code = self._program.follow(output, upload.quiet_limit)
        self._program = None
        return Result(code, output.end(), time.monotonic() - began)


class PipeStream:
    """The pipes of a process as a stream of bytes."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdin
        assert process.stdout
        self._process = process
        self._in = process.stdin
        self._out = process.stdout

    def send(self, data: bytes) -> None:
        """Send all of it."""
        try:
            self._in.write(data)
            self._in.flush()
        except ValueError as error:
            raise OSError("closed") from error

    def recv(self, timeout: float) -> bytes:
        """Some bytes, none at the end."""
        if self._out.closed:
            return b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._out, selectors.EVENT_READ)
            if not selector.select(timeout):
                raise TimeoutError
        return os.read(self._out.fileno(), 1 << 18)

    def close(self) -> None:
        """Close both directions, and collect the process when it has ended."""
        for pipe in (self._in, self._out):
            with suppress(OSError):
                pipe.close()
        threading.Thread(target=self._process.wait, daemon=True).start()
