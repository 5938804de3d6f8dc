"""Runs a database's own client programs, with nothing secret in their arguments or environment."""

from __future__ import annotations

import os
import shutil
import subprocess  # noqa: TID251 - the programs that come with the database
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import IO

from envfile import NotReady

CHUNK = 1024 * 1024
LAST = 5
"""Lines of what a failing program said that are shown."""
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")


def program(package: str, *names: str) -> str:
    """The first of these programs that is on this host. NotReady if none is, with the package."""
    for name in names:
        path = shutil.which(name)
        if path:
            return path
    raise NotReady(f"{' or '.join(names)} is not on this host: apt-get install {package}")


@contextmanager
def hidden(text: str) -> Iterator[tuple[str, int]]:
    """A file with `text` that has no name and is on no disk: its path for a child, and its number.

    It is gone with the last process that has it open, however that ends.
    """
    number = os.memfd_create("hidden", 0)
    try:
        os.fchmod(number, 0o600)
        os.write(number, text.encode())
        yield f"/proc/self/fd/{number}", number
    finally:
        os.close(number)


def output(argv: list[str], env: dict[str, str], share: tuple[int, ...] = ()) -> Iterator[bytes]:
    """What the program prints, piece by piece. NotReady with its last words if it fails."""
    with _words() as said:
        process = _started(argv, env, share, said, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        with _ended(process):
            while chunk := process.stdout.read(CHUNK):  # type: ignore[union-attr]
                yield chunk
        _must_be_well(argv, process, said)


def feed(
    argv: list[str], env: dict[str, str], pieces: Iterable[bytes], share: tuple[int, ...] = ()
) -> None:
    """Give the program these pieces to read. NotReady with its last words if it fails."""
    with _words() as said:
        process = _started(argv, env, share, said, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        with _ended(process):
            with suppress(BrokenPipeError):  # it has given up, and says why
                for piece in pieces:
                    process.stdin.write(piece)  # type: ignore[union-attr]
            with suppress(BrokenPipeError):
                process.stdin.close()  # type: ignore[union-attr]
        _must_be_well(argv, process, said)


def _started(
    argv: list[str],
    env: dict[str, str],
    share: tuple[int, ...],
    said: IO[bytes],
    stdin: int,
    stdout: int,
) -> subprocess.Popen[bytes]:
    """Begins the program without this process's environment, which holds the site's secrets."""
    usual = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return subprocess.Popen(
        argv, env={**usual, **env}, pass_fds=share, stdin=stdin, stdout=stdout, stderr=said
    )


@contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    except BaseException:
        process.kill()
        raise
    finally:
        for stream in (process.stdin, process.stdout):
            with suppress(OSError):
                if stream:
                    stream.close()
        process.wait()


@contextmanager
def _words() -> Iterator[IO[bytes]]:
    with os.fdopen(os.memfd_create("said"), "w+b") as said:
        yield said


def _must_be_well(argv: list[str], process: subprocess.Popen[bytes], said: IO[bytes]) -> None:
    if process.returncode:
        said.seek(0)
        lines = said.read().decode("utf-8", "replace").strip().splitlines()[-LAST:]
        why = "\n".join(lines) or f"exit code {process.returncode}, and no word"
        name = os.path.basename(argv[0])  # noqa: PTH119 - a name in a message
        raise NotReady(why if why.startswith(name) else f"{name}: {why}")
