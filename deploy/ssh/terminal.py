"""A terminal on a host, for programs that talk with a person."""

import codecs
import os
import sys
from dataclasses import replace

from deploy.command import Command
from deploy.host import Host
from deploy.ssh.connect import connect


class Keyboard:
    """Standard input as Invoke reads it: whole characters, as soon as they are there.

    Of a text stream it would ask for as many characters as there are bytes, and wait for the rest.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def fileno(self) -> int:
        """The descriptor, whose terminal Invoke puts into the mode that it needs."""
        return sys.stdin.fileno()

    def isatty(self) -> bool:
        """Whether a person types."""
        return sys.stdin.isatty()

    def read(self, count: int) -> str | None:
        """What was typed, at most `count` bytes of it; None for a part of a character."""
        typed = os.read(self.fileno(), count)
        return self._decoder.decode(typed) or (None if typed else "")


def at_terminal(host: Host, command: Command) -> int:
    """Run the command there with this terminal's keyboard and window; its exit code.

    Ctrl-C is passed on, and ends nothing here. Raises `Refused` if the host cannot be reached.
    """
    # Fabric asks for a vt100, whatever this terminal can do.
    shown = replace(command, env=(*command.env, ("TERM", os.environ.get("TERM", "xterm"))))
    connection = connect(host)
    try:
        connection.open()
        done = connection.run(shown.shell(), pty=True, warn=True, in_stream=Keyboard())
        return int(done.exited)
    finally:
        connection.close()
