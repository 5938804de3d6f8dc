"""Steps into a release: its environment, its packages, its directory.

Used by everything that runs in the site's own Python on a host. Nothing goes through `current`:
a process keeps the release that it entered, wherever that link points later.
"""

from __future__ import annotations

import json
import os
import site
import sys
from pathlib import Path
from typing import Any

from envfile import NotReady, read

HERE = Path(__file__).resolve().parent
OURS = tuple(path.stem for path in HERE.glob("*.py"))


def facts(root: Path, release: Path) -> dict[str, Any]:
    """What the toolkit wrote about the site in entry/site.json. NotReady if it cannot be read.

    A release has its own word on what is its own: it is loaded by the settings that it was made
    for, also when a later one, or one that never went live, has others.
    """
    path = root / "entry" / "site.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise NotReady(f"{path} cannot be read: {error}; `fab setup` writes it") from None
    if not isinstance(found, dict) or not found.get("settings"):
        raise NotReady(f"{path} names no settings module; `fab setup` writes it")
    return found | _own(release)


def _own(release: Path) -> dict[str, Any]:
    try:
        made = json.loads((release / "release.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):  # not sealed yet: then entry/site.json is about this release
        return {}
    site = made.get("site") if isinstance(made, dict) else None
    return site if isinstance(site, dict) else {}


def release_of(root: Path, name: str) -> Path:
    """The directory of the release `name` (an id, or `current`). NotReady if it is not there."""
    link = root / "current" if name == "current" else root / "releases" / name
    if not name or "/" in name or name.startswith(".") or not link.is_dir():
        raise NotReady(f"there is no release {name!r} in {root}/releases")
    return link.resolve()


def enter(root: Path, release: Path, settings: str) -> dict[str, str]:
    """Make this process one of `release`, which is a path without links.

    Returns the variables of shared/env, whose values must not be shown. NotReady if shared/env
    or the virtualenv is not fit.
    """
    values = read(root / "shared" / "env")
    os.environ.update(values)
    os.environ["DJANGO_SETTINGS_MODULE"] = settings
    _make_room()
    _activate(release / "venv")
    sys.path.insert(0, str(release))
    os.chdir(release)
    return values


def _make_room() -> None:
    """Take our own names off the path again: a site may have modules that are called the same."""
    sys.path[:] = [entry for entry in sys.path if entry and Path(entry).resolve() != HERE]
    for name in OURS:
        sys.modules.pop(name, None)


def _activate(venv: Path) -> None:
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    packages = venv.resolve() / "lib" / version / "site-packages"
    if not packages.is_dir():
        there = ", ".join(sorted(path.name for path in venv.glob("lib/python*"))) or "no virtualenv"
        raise NotReady(f"{venv} is not for this process, which runs {version}; found: {there}")
    if any(Path(entry).resolve() == packages for entry in sys.path):
        return
    # addsitedir appends; what the release brings must come before what the system has.
    before, sys.path[:] = list(sys.path), []
    site.addsitedir(str(packages))
    sys.path.extend(entry for entry in before if entry not in sys.path)
