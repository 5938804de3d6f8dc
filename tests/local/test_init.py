"""`fabd init` as it is typed in a project that has no fabfile yet."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = Path(sys.executable).parent


def typed(top: Path, *words: str) -> subprocess.CompletedProcess[str]:
    argv = [str(PROGRAMS / words[0]), *words[1:]]
    return subprocess.run(argv, cwd=top, capture_output=True, text=True, check=False)


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A project as Django makes it."""
    top = tmp_path / "shop"
    top.mkdir()
    assert typed(top, "django-admin", "startproject", "config", ".").returncode == 0
    return top


def test_from_then_on_fab_offers_the_tasks(top: Path) -> None:
    done = typed(top, "fabd", "init")
    assert (done.returncode, done.stderr) == (0, "")
    assert "inventories/production.toml: written" in done.stdout
    assert "deploy-static" in typed(top, "fab", "--list").stdout
    again = typed(top, "fab", "init", "--json")
    assert again.returncode == 0
    result = json.loads(again.stdout.splitlines()[-1])
    assert (result["task"], result["ok"], result["written"]) == ("init", True, [])


def test_a_fabfile_without_our_tasks_is_no_hindrance(top: Path) -> None:
    (top / "fabfile.py").write_text("from fabric import task\n\n@task\ndef mine(c): ...\n")
    done = typed(top, "fabd", "init")
    assert done.returncode == 0
    assert "fabfile.py does not offer these tasks yet" in done.stdout
    assert "mine" in typed(top, "fab", "--list").stdout


def test_without_a_fabfile_other_tasks_say_what_makes_one(top: Path) -> None:
    done = typed(top, "fabd", "deploy")
    assert done.returncode == 2
    assert "next: in a Django project, `fabd init` writes one" in done.stderr


def test_where_there_is_no_site_it_is_refused_in_two_lines(tmp_path: Path) -> None:
    done = typed(tmp_path, "fabd", "init")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: there is no manage.py in {tmp_path}\nnext: ")
    assert list(tmp_path.iterdir()) == []
