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
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import source_from_cache
from pathlib import Path
from types import ModuleType
from typing import Any, Optional

HERE = Path(__file__).resolve().parent
NOBODY_KNOWS = {
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.posix_spawn",
    "os.system",
    "pty.spawn",
    "socket.connect",
    "socket.getaddrinfo",
    "socket.gethostbyname",
    "sqlite3.connect",
    "subprocess.Popen",
}
"""What Python's audit hooks call the ways to learn something that no later look can compare."""
HARMLESS = "/sbin/ldconfig"
"""What ctypes asks where a library is, as psycopg does when it is imported."""
OF_THE_LOGIN = ("SSH_", "XDG_", "DBUS_")
Same = Optional[tuple[int, int, int]]  # noqa: UP045  # Python 3.9 evaluates this line


class Trace:
    """Listens, from now until the process ends, to what is opened and listed.

    `made` is a path in the release that the work itself writes, and `but` are others that say
    nothing. What is only asked whether it exists is not heard: inside of the release the names of
    all files stand for that. Nothing here raises: what cannot be told is no reason to fail.
    """

    def __init__(self, release: Path, made: Path, but: Iterable[Path] = ()) -> None:
        self._release, self._heard, self._lost = release, {}, False
        self._passed_by = tuple(f"{path}/" for path in (made, release / "venv", *but))
        self._packages, self._python = f"{Path(sys.prefix).resolve()}/", f"{_standard()}/"
        self._about: list[str] = []
        try:
            self._about = about(release, made)
        except OSError:
            self.give_up()
        sys.addaudithook(self._hear)

    def give_up(self) -> None:
        """Something was learned that cannot be compared later."""
        self._lost = True

    def _hear(self, event: str, said: tuple[Any, ...]) -> None:
        if event == "open":
            if (said[2] or 0) & os.O_ACCMODE != os.O_WRONLY:
                self._note(said[0])
        elif event in ("os.listdir", "os.scandir"):
            self._note(said[0])
        elif event == "os.chdir":
            self._lost = self._lost or str(said[0]) != str(self._release)
        elif event in NOBODY_KNOWS:
            self._lost = self._lost or not said or str(said[0]) != HARMLESS

    def _note(self, path: object) -> None:
        if isinstance(path, os.PathLike):
            path = path.__fspath__()
        if isinstance(path, (str, bytes)):  # else a number, of what was opened before
            name = _source(os.path.abspath(os.fsdecode(path)))  # noqa: PTH100  # of thousands
            if name not in self._heard and self._matters(name):
                self._heard[name] = found(name)

    def _matters(self, path: str) -> bool:
        folder = f"{path}/"
        if folder.startswith(self._passed_by) or folder.startswith(self._packages):
            return False
        return not folder.startswith(self._python) or "/site-packages/" in folder

    def told(self, more: Mapping[str, Same]) -> str:
        """What was read, and `more`, as a text for `holds`; empty if something cannot be told."""
        try:
            for path in (*_modules(), *sys.path, *map(str, HERE.iterdir())):
                self._note(path)
            read = {**self._heard, **more}
            return "" if self._lost else json.dumps([self._about, dict(self._named(read))])
        except Exception:  # the work is done; next time it is done again
            return ""

    def _named(self, read: Mapping[str, Same]) -> Iterator[tuple[str, Same]]:
        inside = f"{self._release}/"
        for path, one in read.items():
            folder = f"{os.path.realpath(path)}/" if os.path.isdir(path) else ""  # noqa: PTH112
            if not folder.startswith(inside):  # the names stand for folders of the release
                yield path.removeprefix(inside), one


def _modules() -> Iterator[str]:
    for module in list(sys.modules.values()):
        if isinstance(module, ModuleType):  # others, and those that load late, may not be touched
            file = object.__getattribute__(module, "__dict__").get("__file__")
            if isinstance(file, str):
                yield file


def holds(text: str, release: Path, made: Path) -> bool:
    """Whether what the text tells is the same for this release, so that the same would be made.

    Raises OSError where the release cannot be read.
    """
    try:
        then, read = json.loads(text)
    except ValueError:
        return False
    if then != about(release, made):
        return False
    return all(found(str(release / path)) == (one and tuple(one)) for path, one in read.items())


def about(release: Path, made: Path) -> list[str]:
    """The Python, its packages, the login's variables, and the names of the release's files."""
    env = {
        name: value.replace(str(release), "")
        for name, value in sorted(os.environ.items())
        if not name.startswith(OF_THE_LOGIN) and name not in ("_", "OLDPWD", "SHLVL")
    }
    standard, venv = _standard(), str((release / "venv").resolve())
    folders = (standard, f"{venv}/lib/{Path(standard).name}/site-packages")
    packages = [(folder, found(folder)) for folder in folders]
    python = (sys.version, packages, str(made.relative_to(release)))
    return [digest(python), digest(env), digest(list(_names(str(release))))]


def _standard() -> str:
    return str(Path(os.__file__).parent)


def _names(folder: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda one: one.name):
            if entry.is_symlink():
                yield f"{entry.name} -> {os.readlink(entry.path)}"  # noqa: PTH115  # of thousands
            elif entry.name != "__pycache__":
                yield entry.name
                if entry.is_dir():
                    yield from ("(", *_names(entry.path), ")")


def _source(path: str) -> str:
    try:
        return source_from_cache(path)
    except (NotImplementedError, ValueError):
        return path


def found(path: str) -> Same:
    """What tells this file from others, and from itself once it is changed; None: there is none."""
    try:
        one = os.stat(path)  # noqa: PTH116  # of thousands, pathlib is felt
    except (OSError, ValueError):
        return None
    if stat.S_ISCHR(one.st_mode):  # such as /dev/null, whose time means nothing
        return (0, 0, 0)
    return (one.st_ino, one.st_size, one.st_mtime_ns)


def digest(said: object) -> str:
    """A short text that is the same for the same."""
    return hashlib.sha256(repr(said).encode("utf-8", "surrogateescape")).hexdigest()
