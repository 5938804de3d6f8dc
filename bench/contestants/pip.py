"""Installs peers from PyPI, each in an environment of its own that stays."""

import sys
from pathlib import Path

from bench.contestants import Place
from bench.contestants.scripted import said


def installed(place: Place, name: str, *packages: str) -> Path:
    """The folder of the programs of an environment with these packages. Raises Missing."""
    venv = place.home / "venvs" / name
    mark = venv / "made-of"
    if not mark.exists() or mark.read_text() != " ".join(packages):
        said((sys.executable, "-m", "venv", "--clear", str(venv)))
        said((str(venv / "bin" / "pip"), "install", "--quiet", *packages))
        mark.write_text(" ".join(packages))
    return venv / "bin"
