"""Made on this machine, once for all hosts: the exported code, the wheels, the collected files."""

import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from deploy.command import Action, Command
from deploy.findings import Findings
from deploy.host import runs_code
from deploy.steps import HERE, Target, step
from deploy.workshop import ONSITE, builds_alike, there, venv_key

BUILD = str(Path(__file__).parent.parent / "local" / "build.sh")
PIP_AS = str(Path(BUILD).with_name("pip_as.py"))
BUILD_QUIET = 300.0
"""Seconds that pip may be silent while it compiles a package."""


def _build(word: str, made: Path, *argv: object, env: tuple[tuple[str, str], ...] = ()) -> Command:
    words = ("sh", BUILD, word, str(made), *map(str, argv))
    return Command(words, env=env, quiet_limit=BUILD_QUIET, changes=False)


@step("code.export", roles=(HERE,))
def export(t: Target) -> Iterator[Action]:
    """take the revision's files out of git"""
    made = t.workshop.export(t.made_from)
    if not there(made):
        yield _build("export_code", made, t.made_from.top, t.made_from.tree)


@step("code.wheels", roles=(HERE,))
def wheels(t: Target) -> Iterator[Action]:
    """download and build the wheels that hosts lack"""
    lacking = {
        t.workshop.wheels(t.made_from, found): found
        for host, found in t.fleet
        if host.project.install == "wheels"
        and runs_code(host.roles)
        and venv_key(t.made_from, found) not in found.venvs
    }
    builder = t.workshop.builder()
    python = Path(sys.executable) if find_spec("pip") else builder / "bin/python"
    if (
        lacking and not find_spec("pip") and not there(builder)
    ):  # what pipx or uv installs has no pip
        yield _build("make_builder", builder, sys.executable)
    for made, found in lacking.items():
        if not there(made):
            pip = (python, *_how(found))
            source = t.workshop.export(t.made_from)
            # Of a folder of the code, pip downloads nothing, and says that it has.
            built = "" if builds_alike(found) else " ".join(t.made_from.brought)
            yield _build("fetch_wheels", made, source, t.project.requirements, built, *pip)


def _how(found: Findings) -> tuple[str, ...]:
    """pip's words: build here what runs there, or download what others built for there.

    The last word asks for the directory, which build.sh adds.
    """
    theirs = (PIP_AS, found.python, found.platform.removeprefix("linux-"), found.libc)
    if builds_alike(found):
        return (*theirs, "wheel", "-w")
    major, minor = found.python.split(".")[:2]
    words = [*theirs, "download", "--only-binary=:all:", "--implementation", "cp"]
    words += ["--python-version", f"{major}.{minor}"]
    for abi in (f"cp{major}{minor}", "abi3", "none"):
        words += ["--abi", abi]
    for platform in _platforms(found):
        words += ["--platform", platform]
    return (*words, "-d")


def _platforms(found: Findings) -> Iterator[str]:
    """The wheel platforms that a host of this machine type and C library can use, newest first."""
    machine = found.platform.removeprefix("linux-").replace("-", "_")
    libc, _, version = found.libc.partition("-")
    if libc == "glibc":
        for minor in range(int(version.split(".")[1]), 16, -1):
            yield f"manylinux_2_{minor}_{machine}"
        yield f"manylinux2014_{machine}"
    yield f"linux_{machine}"


@step("static.collect", roles=(HERE,))
def collect(t: Target) -> Iterator[Action]:
    """gather the static files, as production settings say"""
    source, project = t.made_from, t.project
    if project.static.mode == "web":
        return
    made, venv = t.collected, t.workshop.venv(source)
    code, sends = t.workshop.export(source), project.static.mode == "storage"
    if not there(venv) and (sends or not there(made)):
        yield _build("make_venv", venv, sys.executable, code, project.requirements)
    if there(made):
        return
    yield _build(
        "collect_static",
        made,
        code,
        venv / "bin/python",
        ONSITE / "collect.py",
        project.settings,
        project.static.root,
        project.static.mode,
        sys.executable,
        t.workshop.newest_collected() or "",
        *(["--brotli"] if project.static.brotli else ()),
        env=project.static.env,
    )


@step("static.check", roles=(HERE,))
def check_files(t: Target) -> Iterator[Action]:
    """see that the static hosts have every file that the pages name"""
    if t.web is None or t.static is not None or t.project.static.mode != "server":
        return
    digests = [
        f"{host.name}={','.join(dict.fromkeys(found.static.files.values()))}"
        for host, found in t.witnesses
        if "static" in host.roles
    ]
    if digests:
        yield _build("same_files", t.collected, t.project.static.root, *digests)
