"""A command as the script that the channel carries to the host."""

import base64
import gzip
import shlex
from functools import cache

from deploy.command import Command


def script(command: Command) -> str:
    """The shell text of `command`.

    Its standard input is written by a builtin of the shell, into a pipe: it is in no argument
    list, no environment and no file of the host.
    """
    if not command.stdin:
        return command.shell()
    text = command.stdin.replace("\\", "\\\\").replace("\0", "\\0000")
    text = text.replace("'", "\\0047")  # quoting each would take bash a time quadratic in them
    return f"{command.shell()} < <(printf %b {shlex.quote(text)})"


@cache
def packed(text: str) -> str:
    """A short script that does what the long one `text` does: a third of the bytes, in base64.

    Lines that are comments are left out. The host needs gzip, and says so if it has none.
    """
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    data = gzip.compress("\n".join(lines).encode("utf-8", "surrogateescape"), 9, mtime=0)
    small = base64.b64encode(data).decode()
    return f'__text=$(printf %s {small} | base64 -d | gzip -dc) && eval "$__text"'


def named(command: Command) -> str:
    """The command in a few words, for messages."""
    line = " ".join(shlex.quote(word) for word in command.argv)
    return line if len(line) <= 100 else line[:97] + "..."
