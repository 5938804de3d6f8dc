"""How a command line ends when something goes wrong: the words, the hint, the exit code."""

import re
import traceback
from dataclasses import dataclass

from invoke.exceptions import Failure, ParseError, UnexpectedExit

from deploy.errors import DeployError, Interrupted, Refused


class TaskEnded(Exception):
    """A task was ended by its `__cause__`, after so many seconds."""

    def __init__(self, task: str, seconds: float) -> None:
        super().__init__(task)
        self.task = task
        self.seconds = seconds


@dataclass(frozen=True)
class Ending:
    """An error as it is told. `trace` is set for a defect, which nobody foresaw."""

    error: DeployError
    exit_code: int
    trace: str = ""


def ending(error: BaseException) -> Ending:
    """What to tell about anything that was raised."""
    if isinstance(error, DeployError):
        return Ending(error, error.exit_code)
    if isinstance(error, KeyboardInterrupt):
        return Ending(Interrupted("stopped by Ctrl-C or a signal"), Interrupted.exit_code)
    if isinstance(error, ParseError):
        return Ending(Refused(in_our_words(str(error)), "fab --help TASK"), Refused.exit_code)
    if isinstance(error, UnexpectedExit):
        return Ending(DeployError(said(error)), error.result.exited or 1)
    if isinstance(error, Failure):
        return Ending(DeployError(said(error)), 1)
    what = f"a defect: unexpected {said(error)}"
    return Ending(DeployError(what), 1, "".join(traceback.format_exception(error)))


def said(error: BaseException) -> str:
    """An error in one line."""
    if isinstance(error, UnexpectedExit):
        return f"`{error.result.command}` ended with exit code {error.result.exited}"
    if isinstance(error, Failure) and error.reason is None:
        return f"`{error.result.command}` failed"
    if isinstance(error, DeployError):
        return error.what
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def in_our_words(message: str) -> str:
    """Invoke's complaint about a command line, without its internal notation."""
    flag = re.search(r"<Argument: ([\w-]+)[^>]*>", message)
    if flag and "needed value" in message:
        return f"--{flag[1].replace('_', '-')} needs a value"
    missing = re.fullmatch(r"'(.+)' did not receive required positional arguments: (.+)", message)
    if missing:
        return f"{missing[1]} needs a value for {missing[2]}"
    return message
