"""Collects the static files of the exported release in the current directory.

collect.py SETTINGS [storage]: with `storage` into STATIC_ROOT all the same, with the names and the
contents that the site's own storage would give them in its bucket.

Runs on the machine that deploys, opens no database, and writes beside the files `.hashed` (those
whose name holds a hash of their content) and `.release-files` (all of them), both in byte order,
a NUL after each path, and without the two themselves. The last line is JSON. Faults of the site
are one line on standard error and exit code 1.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from staticsite import Unfit, enter, one_line, static_root
from twin import use_twin

OWN = (".hashed", ".release-files")
HIDDEN = re.compile(
    r"{#.*?#}|{%\s*comment\b.*?%}.*?{%\s*endcomment\s*%}|{%\s*verbatim\b.*?%}.*?{%\s*endverbatim\b",
    re.DOTALL,
)
STATIC_TAG = re.compile(r"""{%-?\s*static\s+["']([^"']+)["']""")


def main(arguments: list[str]) -> int:
    """Collect, check, list. Returns the exit code."""
    if not arguments or arguments[1:] not in ([], ["storage"]):
        sys.stderr.write("usage: collect.py SETTINGS [storage]\n")
        return 2
    here = Path.cwd().resolve()
    enter(here, arguments[0])
    try:
        root = static_root(here)
        _check_links(here)
        for warning in use_twin(root) if arguments[1:] else ():
            sys.stderr.write(f"warning: {warning}\n")
        for warning in _shadowed():
            sys.stderr.write(f"warning: {warning}\n")
        _collect()
        hashed = _hashed(root)
        _check_templates(here)
        files = sorted(_below(root), key=os.fsencode)
        if not set(files) - {"staticfiles.json"}:
            raise Unfit("nothing was collected: no app or directory has static files")
    except Unfit as error:
        sys.stderr.write(one_line(error))
        return 1
    for name, paths in ((".hashed", hashed), (".release-files", files)):
        (root / name).write_bytes(b"".join(os.fsencode(path) + b"\0" for path in paths))
    said = {"root": str(root.relative_to(here)), "files": len(files), "hashed": len(hashed)}
    sys.stdout.write(json.dumps(said) + "\n")
    return 0


def _shadowed() -> Iterator[str]:
    """One sentence for each file that stays behind because another one takes its place."""
    first: dict[str, tuple[Any, str]] = {}
    for path, storage in _sources():
        place = str(Path(getattr(storage, "prefix", None) or "", path))
        winner, name = first.setdefault(place, (storage, path))
        if winner is not storage and _read(winner, name) != _read(storage, path):
            taken, left = winner.path(name), storage.path(path)
            yield f"{place} is there twice and differs: {taken} is used, {left} is not"


def _sources() -> Iterator[tuple[str, Any]]:
    """Every file that will be collected, as its path in a storage."""
    from django.apps import apps
    from django.contrib.staticfiles.finders import get_finders

    for finder in get_finders():
        yield from finder.list(apps.get_app_config("staticfiles").ignore_patterns)


def _check_links(here: Path) -> None:
    """Unfit if a link leads out: collecting would publish a file of this very machine."""
    for path, storage in _sources():
        file = Path(storage.path(path))
        allowed = (here, Path(storage.location).resolve())
        if not any(root in file.resolve().parents for root in allowed):
            raise Unfit(f"{file} leads to {file.resolve()}, which is not part of the site")


def _read(storage: Any, path: str) -> bytes:
    with storage.open(path) as file:
        content: bytes = file.read()
    return content


def _collect() -> None:
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import CommandError, call_command

    said = io.StringIO()
    try:
        how = {"interactive": False, "verbosity": 0, "skip_checks": False}
        call_command("collectstatic", stderr=said, **how)
    except (CommandError, ImproperlyConfigured, OSError, ValueError) as error:
        # With hashed names, Django says in one place which file it read, in the other what for.
        raise Unfit(f"collectstatic failed: {said.getvalue()} {error}") from None


def _hashed(root: Path) -> list[str]:
    """The files of the manifest whose names hold a hash; Unfit if one is missing."""
    from django.contrib.staticfiles.storage import staticfiles_storage

    manifest = root / getattr(staticfiles_storage, "manifest_name", "staticfiles.json")
    if not manifest.is_file():
        return []
    paths: dict[str, str] = json.loads(manifest.read_text(encoding="utf-8"))["paths"]
    for source, name in paths.items():
        if not (root / name).is_file():
            raise Unfit(f"{manifest.name} says that {source} is {name}, which is not there")
    return sorted({name for source, name in paths.items() if name != source}, key=os.fsencode)


def _check_templates(here: Path) -> None:
    """Unfit if a template of the project names a file that is not there: it would be a 500."""
    from django.contrib.staticfiles.storage import staticfiles_storage
    from django.template import engines

    if not getattr(staticfiles_storage, "manifest_strict", False):
        return
    for engine in engines.all():
        for directory in map(Path, engine.template_dirs):
            if here in directory.resolve().parents:
                _check_directory(directory, staticfiles_storage)


def _check_directory(directory: Path, storage: Any) -> None:
    for template in sorted(path for path in directory.rglob("*") if path.is_file()):
        text = template.read_bytes().decode("utf-8", "ignore")
        for name in STATIC_TAG.findall(HIDDEN.sub("", text)):
            if name.endswith("/"):  # a folder, to which the page adds a name, has no digest
                continue
            try:
                storage.stored_name(name)
            except ValueError:
                raise Unfit(f"{template} names {name}, which no app or directory has") from None


def _below(root: Path) -> Iterator[str]:
    for path in root.rglob("*"):
        if path.is_file() and str(path.relative_to(root)) not in OWN:
            yield str(path.relative_to(root))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
