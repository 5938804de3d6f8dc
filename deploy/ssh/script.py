"""A command as the script that the channel carries to the host."""

import shlex

from deploy.command import Command


def script(command: Command) -> str:
    """The shell text of `command`.

    Its standard input is written by a builtin of the shell, into a pipe: it is in no argument
    list, no environment and no file of the host.
    """
    if not command.stdin:
        return command.shell()
    text = command.stdin.replace("\\", "\\\\").replace("\0", "\\0000")
    return f"{command.shell()} < <(printf %b {shlex.quote(text)})"


def named(command: Command) -> str:
    """The command in a few words, for messages."""
    line = " ".join(shlex.quote(word) for word in command.argv)
    return line if len(line) <= 100 else line[:97] + "..."
