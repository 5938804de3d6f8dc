"""An upload as an rsync command line, and its run over a wire."""

import os
import re
import time
from collections.abc import Callable

from deploy.command import OnLine, Result, Upload
from deploy.errors import Refused
from deploy.here import NOT_FOUND, Program
from deploy.output import Output
from deploy.ssh.tree import check_tree
from deploy.ssh.wire import Wire

PROGRESS = 1.0
"""Seconds between two lines that say how much has been sent."""

_OPTIONS = (
    "--recursive",
    "--links",
    "--safe-links",
    "--perms",
    "--checksum",
    "--delete",
    "--no-owner",
    "--no-group",
    "--no-times",
    "--no-devices",
    "--no-specials",
    "--chmod=D755,Fu=rwX,Fgo=rX,Fug-s",
    "--protect-args",
    "--stats",
    "--no-human-readable",
)
_STAT = re.compile(
    r"(?:Number of [a-z ]+|Total [a-z ]+|Literal data|Matched data|File list [a-z ]+): .*"
    r"|sent \d+ bytes  received \d+ bytes .*|total size is \d+ .*"
)
"""A line of rsync's numbers, which are for us. What went wrong there may be said after them."""
_TRANSFERRED = re.compile(r"^Number of regular files transferred: (\d+)$", re.MULTILINE)


def arguments(upload: Upload, remote_shell: str, destination: str) -> list[str]:
    """The command line; `only` is to be written to its standard input, by `listed`."""
    options = [*_OPTIONS, f"--rsh={remote_shell}"]
    options += [f"--link-dest={path}" for path in upload.like]
    options += [f"--exclude=/{_literal(path.lstrip('/'))}" for path in upload.exclude]
    if upload.only:
        options += ["--files-from=-", "--from0"]
    # The dot keeps a name that begins with a dash, or holds a colon, from being taken otherwise.
    return ["rsync", *options, "--", f"{upload.source.absolute()}/", destination]


def listed(upload: Upload) -> bytes:
    """The paths of `only`, as --files-from reads them."""
    return b"".join(os.fsencode(path) + b"\0" for path in upload.only)


class Sending:
    """One upload on its way. `check` is asked now and then, and raises when the host is lost."""

    def __init__(self, upload: Upload, wire: Wire, host: str, grace: float = 5.0) -> None:
        """Start it. Raises `Refused` without an rsync here, `PrepareFailed` for a bad tree."""
        check_tree(upload)
        self._upload = upload
        self._wire = wire
        self._host = host
        argv = arguments(upload, wire.remote_shell, f"host:{upload.target}/")
        try:
            self._program = Program(argv, listed(upload), grace=grace)
        except FileNotFoundError:
            raise Refused(
                "rsync is not installed on this machine", "apt-get install rsync"
            ) from None

    def finish(self, on_line: OnLine, check: Callable[[], None]) -> Result:
        """Wait for its end. Silence in both directions for `quiet_limit` seconds ends it."""
        began = time.monotonic()
        output = Output(_without_stats(on_line))
        told = began

        def sign() -> float:
            nonlocal told
            check()
            if self._wire.touched > told + PROGRESS:
                told = self._wire.touched
                on_line(f"{self._wire.sent / 1e6:.1f} MB sent")
            return self._wire.touched

        try:
            code = self._program.follow(output, self._upload.quiet_limit, sign)
            self._wire.finish()
        finally:
            self._wire.close()
        output.feed(self._wire.said.text().encode())
        if code and self._wire.code == NOT_FOUND:
            output.say(f"rsync is not installed on {self._host}: apt-get install rsync")
            code = NOT_FOUND
        said = output.end()
        found = _TRANSFERRED.search(said)
        files = int(found[1]) if found else 0
        return Result(code, without_numbers(said), time.monotonic() - began, self._wire.sent, files)

    def stop(self) -> None:
        """End it on both sides, from any thread."""
        self._program.stop()


def without_numbers(said: str) -> str:
    """What rsync said, without the numbers that `--stats` adds, wherever they stand."""
    return "".join(line for line in said.splitlines(keepends=True) if _is_word(line))


def _is_word(line: str) -> bool:
    return bool(line.strip()) and not _STAT.fullmatch(line.rstrip("\n"))


def _without_stats(on_line: OnLine) -> OnLine:
    """Shows what rsync says, without its numbers."""

    def show(line: str) -> None:
        if _is_word(line):
            on_line(line)

    return show


def _literal(path: str) -> str:
    """The pattern that means just this path. Rsync takes a backslash as itself in plain ones."""
    if not any(mark in path for mark in "*?["):
        return path
    return "".join("\\" + mark if mark in "\\*?[" else mark for mark in path)
