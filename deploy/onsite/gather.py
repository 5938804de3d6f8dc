"""Gathers the static files of a release where it will be live, or links those of another one.

gather.py ROOT RELEASE STATIC_ROOT [BEFORE]: as `manage.py collectstatic` would. If the release
BEFORE has gathered the same files in the same way, they are linked from there, which takes a
fraction of the time, and without Django if nothing has changed that was read for it. Exit code 2
if nothing was started; else that of collectstatic.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from enter import release_of
from envfile import NotReady
from started import started
from traced import Same, Trace, digest, found, holds

RECORD = ".gathered"
"""In a release: what its static files were gathered from and what came of it, as digests, and all
that was read for it."""
READ = re.compile("STATIC|STORAGES$|FILE_UPLOAD_|FORCE_SCRIPT_NAME$|INSTALLED_APPS$|DEBUG$")
"""The settings that Django's own storages, finders and collectstatic read."""


def main(arguments: list[str]) -> int:
    """Link or collect. Returns the exit code."""
    if len(arguments) not in (3, 4):
        sys.stderr.write("usage: gather.py ROOT RELEASE STATIC_ROOT [BEFORE]\n")
        return 2
    root, name, static = Path(arguments[0]), arguments[1], arguments[2]
    before = (root / "releases" / arguments[3]).resolve() if arguments[3:] else None
    try:
        release = release_of(root, name)
    except NotReady as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if before and _as_before(release, static, before):
        return 0
    trace = Trace(release, release / static, (before / static, before / RECORD) if before else ())

    def work() -> int:
        _gather(release, static, before, trace)
        return 0

    return started(root, name, work, "collectstatic fails")


def _as_before(release: Path, static: str, before: Path) -> bool:
    """Link what the release before has, if all that was read for it is the same."""
    made_from, made, read = _record(before)
    target = release / static
    try:
        same = read and holds(read, release, target) and made == _made(before / static)
    except OSError:
        same = False
    if not same or target.exists() or not _linked(before / static, target):
        return False
    _write(release, made_from, made, read)
    return True


def _gather(release: Path, static: str, before: Path | None, trace: Trace) -> None:
    _notice_databases(trace)
    target = release / static
    made_from, sources = _made_from(release, target, trace)
    made = _made(before / static) if before and made_from else ""
    same = before and made and _record(before)[:2] == (made_from, made)
    if not (before and same and _linked(before / static, target)):
        from django.core.management import execute_from_command_line

        execute_from_command_line(["manage.py", "collectstatic", "--noinput", "--verbosity", "0"])
        made = _made(target)
    if made_from:
        _write(release, made_from, made, trace.told(sources))


def _notice_databases(trace: Trace) -> None:
    """Their drivers connect without Python's knowledge, but Django knows."""
    from django.db import connections
    from django.db.backends.signals import connection_created

    connection_created.connect(lambda **_: trace.give_up(), weak=False)
    try:
        there = connections.all(initialized_only=True)
    except TypeError:  # before Django 4.1 nobody could ask without creating all of them
        trace.give_up()
        there = []
    if any(one.connection is not None for one in there):
        trace.give_up()


def _linked(before: Path, target: Path) -> bool:
    try:
        shutil.copytree(before, target, symlinks=True, copy_function=os.link)
    except OSError:  # such as files of root, which nobody else may link
        shutil.rmtree(target, ignore_errors=True)
        return False
    return True


def _record(release: Path) -> tuple[str, str, str]:
    try:
        made_from, made, read = json.loads((release / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return "", "", ""
    return made_from, made, read


def _write(release: Path, made_from: str, made: str, read: str) -> None:
    with suppress(OSError):  # without it, the next release is gathered anew
        (release / RECORD).write_text(json.dumps([made_from, made, read]), encoding="utf-8")


def _made_from(release: Path, target: Path, trace: Trace) -> tuple[str, dict[str, Same]]:
    """A digest of all that tells what will be gathered, and its files; empty if none can tell.

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
        files = sorted(_sources(finders))  # one place may have several: the first app's is taken
        sources = {path: found(path) for _, path in files}
        known = all(map(_of_django, (storage, *finders))) and all(sources.values())
        usual = isinstance(storage, FileSystemStorage) and Path(storage.location) == target
    except Exception:  # whatever it is, collectstatic meets it, too, and says it
        return "", {}
    command = get_commands()["collectstatic"] == "django.contrib.staticfiles"
    if not (known and usual and command) or target.exists():
        return "", {}
    names = [name for name in sorted(dir(settings)) if READ.match(name)]
    values = [f"{name}={getattr(settings, name)!r}".replace(str(release), "") for name in names]
    if any(" at 0x" in value for value in values):  # an object of which nothing can be told
        return "", {}
    listed = [(place, sources[path]) for place, path in files]
    if release.name in f"{values}{listed}":  # another release would get another name
        trace.give_up()
    # Python finds the virtualenv by the link in the release; only what that leads to is the same.
    packages = str(Path(django.__file__).resolve())
    places = {path: found(path) for path in _places(finders)}
    return digest((packages, django.VERSION, values, listed)), {**places, **sources}


def _places(finders: Iterable[Any]) -> Iterator[str]:
    """Where the finders look, also if nothing is there yet."""
    for finder in finders:
        for storage in getattr(finder, "storages", {}).values():
            yield str(storage.location)


def _of_django(thing: object) -> bool:
    modules = {one.__module__.partition(".")[0] for one in type(thing).__mro__}
    return modules <= {"django", "builtins"}


def _sources(finders: Iterable[Any]) -> Iterator[tuple[str, str]]:
    from django.apps import apps

    ignored = apps.get_app_config("staticfiles").ignore_patterns
    for number, finder in enumerate(finders):
        for path, storage in finder.list(ignored):
            if not _of_django(storage):
                raise TypeError(type(storage))
            place = f"{number} {getattr(storage, 'prefix', None) or ''} {path}"
            yield place, str(storage.path(path))


def _made(target: Path) -> str:
    """A digest of the files that are there now."""
    top = len(str(target)) + 1
    files = (f"{folder}/{name}" for folder, _, names in os.walk(target) for name in names)
    return digest(sorted((file[top:], found(file)) for file in files))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
