"""However the toolkit is installed, `fab -R web` means a role."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FABFILE = """
from deploy.cli import takeover

takeover()

from deploy.tasks.decorator import fleet_task


@fleet_task()
def who(c):
    print(*[host.name for host in c.select()])
"""
PYPROJECT = """
[project]
name = "shop"
version = "1"
requires-python = ">=3.11"
dependencies = ["django-fabric-deploy"]

[tool.uv.sources]
django-fabric-deploy = { path = "../toolkit" }

[tool.deploy]
name = "shop"
settings = "config.settings"
stage = "live"
"""
HOSTS = '[hosts.web1]\nroles = ["web"]\n[hosts.db1]\nroles = ["db"]\n'


def said(*argv: str | Path, cwd: Path) -> str:
    """What a program prints; the test fails if the program does."""
    # The environment that runs the tests must not lend its packages to the new one.
    plain = {name: of for name, of in os.environ.items() if name not in ("VIRTUAL_ENV",)}
    done = subprocess.run(
        [str(word) for word in argv], cwd=cwd, env=plain, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project beside a copy of the toolkit, which an installer may fill with its own files."""
    toolkit = tmp_path / "toolkit"
    toolkit.mkdir()
    for file in (ROOT / "pyproject.toml", *ROOT.glob("*.md"), *ROOT.glob("LICENSE")):
        shutil.copy(file, toolkit)
    shutil.copytree(
        ROOT / "deploy", toolkit / "deploy", ignore=shutil.ignore_patterns("__pycache__")
    )
    project = tmp_path / "project"
    (project / "inventories").mkdir(parents=True)
    (project / "inventories" / "live.toml").write_text(HOSTS)
    (project / "pyproject.toml").write_text(PYPROJECT)
    (project / "fabfile.py").write_text(FABFILE)
    return project


def means_roles(bin: Path, project: Path) -> bool:
    lines = (("-R", "web"), ("-Rweb",), ("--roles=web",))
    return all(said(bin / "fab", *line, "who", cwd=project) == "web1\n" for line in lines)


@pytest.mark.docker
def test_installed_by_pip_a_role_is_a_role(project: Path, tmp_path: Path) -> None:
    said(sys.executable, "-m", "venv", "env", cwd=tmp_path)
    bin = tmp_path / "env" / "bin"
    said(bin / "pip", "install", "--quiet", ".", cwd=tmp_path / "toolkit")
    assert means_roles(bin, project)
    assert said(bin / "fabd", "-R", "web", "who", cwd=project) == "web1\n"


@pytest.mark.docker
def test_installed_by_uv_a_role_is_a_role(project: Path, tmp_path: Path) -> None:
    said(sys.executable, "-m", "venv", "env", cwd=tmp_path)
    said(tmp_path / "env" / "bin" / "pip", "install", "--quiet", "uv", cwd=tmp_path)
    said(tmp_path / "env" / "bin" / "uv", "sync", "--quiet", cwd=project)
    assert means_roles(project / ".venv" / "bin", project)
    run = (tmp_path / "env" / "bin" / "uv", "run", "--quiet", "fab", "-R", "db", "who")
    assert said(*run, cwd=project) == "db1\n"
