"""Says in ROOT/run, in one small file a process, what that process has loaded.

The first line is `loaded RELEASE`, `failed RELEASE` or `empty`; the rest is why it failed.
"""

from __future__ import annotations

import os
import traceback
from contextlib import suppress
from pathlib import Path

LIMIT = 4096
"""Bytes of a file, at most: a terminal full, for each of many hosts."""


def write(run: Path, slot: str, line: str, reason: str = "") -> None:
    """Put this process's file in place at once, and remove those of this slot's dead processes."""
    said = f"{line}\n".encode()
    tail = reason.encode("utf-8", "backslashreplace")[len(said) - LIMIT :].decode("utf-8", "ignore")
    half = run / f".{slot}-{os.getpid()}.new"
    half.write_bytes(said + tail.encode())
    half.chmod(0o644)  # whoever deploys must be able to read it, and is seldom the site's user
    half.replace(run / f"{slot}-{os.getpid()}")
    sweep(run, slot)


def sweep(run: Path, slot: str) -> None:
    """Remove the files of processes of this slot that are no more."""
    ours = _command_line("self")
    for path in run.glob(f"{slot}-*"):
        # A number may be used again by another program; a sister process is called as we are.
        number = path.name[len(slot) + 1 :]
        if number.isdigit() and _command_line(number) != ours:
            with suppress(OSError):  # a sister may be sweeping too
                path.unlink()


def _command_line(process: str) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""


def explain(error: BaseException) -> str:
    """Where and why, for the operator: file and line of each frame, then the exception's words.

    Source lines are left out: they can hold values. What came before a chained exception is told
    in one line.
    """
    lines = [
        f"{frame.filename}:{frame.lineno} in {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<frozen")
    ]
    lines.append(_words(error))
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        lines.insert(0, f"after {_words(cause)}")
    return "\n".join(lines) + "\n"


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
