"""Why settings or apps do not load, in one line that names the place and shows no value."""

from __future__ import annotations

import re
import traceback
from pathlib import Path

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
UNSET = re.compile(r"Set the ([A-Za-z_][A-Za-z0-9_]*) environment variable")


def fault_of(error: BaseException, release: Path) -> str:
    """The exception, the name that it is about if it tells one, and the line of the site.

    The message itself is left out: it may quote what somebody wrote into a secret variable.
    """
    said = type(error).__name__ + _about(error)
    file, line = _place(error, release)
    return f"{said} at {file}:{line}" if file else said


def _about(error: BaseException) -> str:
    if isinstance(error, ImportError) and error.name:
        return f" ({error.name})"
    if isinstance(error, KeyError) and error.args and NAME.fullmatch(str(error.args[0])):
        return f" ({error.args[0]})"
    unset = UNSET.match(str(error))
    return f" ({unset[1]} is not set)" if unset else ""


def _place(error: BaseException, release: Path) -> tuple[str, int]:
    """The last line of the site's own code that was at work; else the last line at all."""
    if isinstance(error, SyntaxError) and error.filename:
        return _shown(error.filename, release), error.lineno or 0
    frames = [
        (_shown(frame.filename, release), frame.lineno or 0)
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<")
    ]
    own = [frame for frame in frames if not frame[0].startswith(("/", "venv/"))]
    return (own or frames or [("", 0)])[-1]


def _shown(file: str, release: Path) -> str:
    try:
        return str(Path(file).relative_to(release))
    except ValueError:
        return file
