"""What a piece of work read, so that it need not be done again where all of that is the same.

Files are told apart as the file system does it: what a release has in common with the one before
is linked, so it has the same number, size and time there.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from importlib.util import source_from_cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
NOBODY_KNOWS = (
    "os.chdir",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.system",
    "socket.connect",
    "socket.getaddrinfo",
    "socket.gethostbyname",
    "sqlite3.connect",
    "subprocess.Popen",
)
"""What Python's audit hooks call the ways to learn something that no later look can compare."""
HARMLESS = "/sbin/ldconfig"
"""What ctypes asks where a library is, as psycopg does when it is imported."""
PASSED_BY = ("__pycache__", "venv")
"""Of a release: Python's own, and the packages, which are known by where that link leads."""
OF_THE_LOGIN = ("SSH_", "XDG_", "DBUS_")
Same = tuple[int, int, int]


class Trace:
    """Listens, from now until the process ends, to what is opened and listed.

    `made` is a path in the release that the work itself writes. What is only asked whether it
    exists is not heard: inside of the release the names of all files stand for that.
    """

    def __init__(self, root: Path, release: Path, made: Path) -> None:
        self._others, self._release, self._made = f"{root / 'releases'}/", release, made
        self._heard: set[str] = set()
        self._lost = False
        self._about = about(release, made)
        sys.addaudithook(self._hear)

    def _hear(self, event: str, said: tuple[Any, ...]) -> None:
        if event == "open":
            if (said[2] or 0) & os.O_ACCMODE != os.O_WRONLY:
                self._note(said[0])
        elif event in ("os.listdir", "os.scandir"):
            self._note(said[0])
        elif event in NOBODY_KNOWS:
            self._lost = self._lost or str(said[0]) not in (str(self._release), HARMLESS)

    def _note(self, path: object) -> None:
        if isinstance(path, (str, bytes)):  # else a number, of what was opened before
            self._heard.add(os.path.abspath(os.fsdecode(path)))  # noqa: PTH100  # of thousands

    def told(self, more: Iterable[str]) -> str:
        """What was read, and `more`, as a text for `holds`; empty if something cannot be told."""
        if self._lost:
            return ""
        modules = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
        own = (str(path) for path in HERE.iterdir() if path.is_file())
        paths = {*self._heard, *(path for path in modules if path), *own, *more}
        return json.dumps([self._about, dict(self._read(map(_source, sorted(paths))))])

    def _read(self, paths: Iterable[str]) -> Iterator[tuple[str, Same | None]]:
        inside = f"{self._release}/"
        venv = Path(sys.prefix).resolve()
        known = (f"{inside}venv/", f"{self._made}/", f"{venv}/", f"{Path(os.__file__).parent}/")
        for path in paths:
            one = found(path)
            ours = path.startswith(inside)
            listed = ours and one is not None and Path(path).is_dir()
            other = path.startswith(self._others) and not ours
            if not (listed or other or f"{path}/".startswith(known)):
                yield path.removeprefix(inside), one


def holds(text: str, release: Path, made: Path) -> bool:
    """Whether what the text tells is the same for this release, so that the same would be made."""
    try:
        then, read = json.loads(text)
    except ValueError:
        return False
    if then != about(release, made):
        return False
    return all(found(str(release / path)) == (one and tuple(one)) for path, one in read.items())


def about(release: Path, made: Path) -> list[str]:
    """The Python, the variables of the login, and the names of all files of the release."""
    env = {
        name: value.replace(str(release), "")
        for name, value in sorted(os.environ.items())
        if not name.startswith(OF_THE_LOGIN) and name not in ("_", "OLDPWD", "SHLVL")
    }
    python = [sys.version, str((release / "venv").resolve()), str(made.relative_to(release))]
    return [*python, digest(env), digest(list(_names(str(release), str(made))))]


def _names(folder: str, but: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda one: one.name):
            if entry.name in PASSED_BY or entry.name.startswith(".gathered") or entry.path == but:
                continue
            if entry.is_symlink():
                yield f"{entry.name} -> {os.readlink(entry.path)}"  # noqa: PTH115  # thousands
                continue
            yield entry.name
            if entry.is_dir():
                yield from ("(", *_names(entry.path, but), ")")


def _source(path: str) -> str:
    try:
        return source_from_cache(path)
    except (NotImplementedError, ValueError):
        return path


def found(path: str) -> Same | None:
    """What tells this file from others, and from itself once it is changed; None: there is none."""
    try:
        one = os.stat(path)  # noqa: PTH116  # of thousands, pathlib is felt
    except OSError:
        return None
    if stat.S_ISCHR(one.st_mode):  # such as /dev/null, whose time means nothing
        return (0, 0, 0)
    return (one.st_ino, one.st_size, one.st_mtime_ns)


def digest(said: object) -> str:
    """A short text that is the same for the same."""
    return hashlib.sha256(repr(said).encode("utf-8", "surrogateescape")).hexdigest()
