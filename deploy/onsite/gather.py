"""Gathers the static files of a release where it will be live, or links those of another one.

gather.py ROOT RELEASE STATIC_ROOT [BEFORE]: as `manage.py collectstatic` would. If the release
BEFORE has gathered the same files in the same way, they are linked from there, which takes a
fraction of the time. Exit code 2 if nothing was started; else that of collectstatic.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from enter import release_of
from started import started

RECORD = ".gathered"
"""In a release: what its static files were gathered from, and what came of it, as digests."""
READ = re.compile("STATIC|STORAGES$|FILE_UPLOAD_|FORCE_SCRIPT_NAME$|INSTALLED_APPS$|DEBUG$")
"""The settings that Django's own storages, finders and collectstatic read."""


def main(arguments: list[str]) -> int:
    """Link or collect. Returns the exit code."""
    if len(arguments) not in (3, 4):
        sys.stderr.write("usage: gather.py ROOT RELEASE STATIC_ROOT [BEFORE]\n")
        return 2
    root, name, static = Path(arguments[0]), arguments[1], arguments[2]
    before = root / "releases" / arguments[3] if arguments[3:] else None

    def work() -> int:
        _gather(release_of(root, name), static, before)
        return 0

    return started(root, name, work, "collectstatic fails")


def _gather(release: Path, static: str, before: Path | None) -> None:
    target = release / static
    made_from = _made_from(release, target)
    made = _made(before / static) if before and made_from else ""
    same = before and made and _record(before) == [made_from, made]
    if not (before and same and _linked(before / static, target)):
        from django.core.management import execute_from_command_line

        execute_from_command_line(["manage.py", "collectstatic", "--noinput", "--verbosity", "0"])
        made = _made(target)
    if made_from:
        (release / RECORD).write_text(f"{made_from}\n{made}\n", encoding="utf-8")


def _linked(before: Path, target: Path) -> bool:
    try:
        shutil.copytree(before, target, symlinks=True, copy_function=os.link)
    except OSError:  # such as files of root, which nobody else may link
        shutil.rmtree(target, ignore_errors=True)
        return False
    return True


def _record(release: Path) -> list[str]:
    try:
        return (release / RECORD).read_text(encoding="utf-8").split()
    except OSError:
        return []


def _made_from(release: Path, target: Path) -> str:
    """A digest of all that tells what will be gathered; empty where that cannot be told.

    What the release has in common with another one are the same files, by number and time: they
    are linked. Code that takes part has to be Django's own: any other may have changed, or read
    what no finder lists.
    """
    import django
    from django.conf import settings
    from django.contrib.staticfiles.finders import get_finders
    from django.contrib.staticfiles.storage import staticfiles_storage
    from django.core.files.storage import FileSystemStorage
    from django.core.management import get_commands

    try:
        staticfiles_storage._setup()
        storage, finders = staticfiles_storage._wrapped, list(get_finders())
        files = sorted(_sources(finders))
        known = all(map(_of_django, (storage, *finders)))
        usual = isinstance(storage, FileSystemStorage) and Path(storage.location) == target
    except Exception:  # whatever it is, collectstatic meets it, too, and says it
        return ""
    command = get_commands()["collectstatic"] == "django.contrib.staticfiles"
    if not (known and usual and command) or target.exists():
        return ""
    names = [name for name in sorted(dir(settings)) if READ.match(name)]
    values = [f"{name}={getattr(settings, name)!r}".replace(str(release), "") for name in names]
    if any(" at 0x" in value for value in values):  # an object of which nothing can be told
        return ""
    # Python finds the virtualenv by the link in the release; only what that leads to is the same.
    packages = str(Path(django.__file__).resolve())
    return _digest((packages, django.VERSION, values, files))


def _of_django(thing: object) -> bool:
    modules = {one.__module__.partition(".")[0] for one in type(thing).__mro__}
    return modules <= {"django", "builtins"}


def _sources(finders: Iterable[Any]) -> Iterator[tuple[str, int, int, int]]:
    from django.apps import apps

    ignored = apps.get_app_config("staticfiles").ignore_patterns
    for number, finder in enumerate(finders):
        for path, storage in finder.list(ignored):
            if not _of_django(storage):
                raise TypeError(type(storage))
            place = f"{number} {getattr(storage, 'prefix', None) or ''} {path}"
            yield (place, *_same(storage.path(path)))


def _made(target: Path) -> str:
    """A digest of the files that are there now."""
    top = len(str(target)) + 1
    files = (f"{folder}/{name}" for folder, _, names in os.walk(target) for name in names)
    return _digest(sorted((file[top:], *_same(file)) for file in files))


def _same(file: str) -> tuple[int, int, int]:
    found = os.stat(file)  # noqa: PTH116  # of thousands, pathlib is felt
    return (found.st_ino, found.st_size, found.st_mtime_ns)


def _digest(said: object) -> str:
    return hashlib.sha256(repr(said).encode("utf-8", "surrogateescape")).hexdigest()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
