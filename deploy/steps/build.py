"""Made on this machine, once for all hosts: the exported code, the wheels, the collected files."""

import sys
from collections.abc import Iterator
from pathlib import Path

from deploy.command import Action, Command
from deploy.errors import Refused
from deploy.findings import Findings
from deploy.steps import HERE, Target, step
from deploy.workshop import ONSITE, builds_alike, venv_key

ATOMIC = 'target=$1; new=$1.$2; shift 2; rm -rf "$new"; mkdir -p "$(dirname "$target")"\n'
"""How every local script begins: the result is made under another name, and renamed when whole."""
DONE = 'if [ -e "$target" ]; then rm -rf "$new"; else mv -T "$new" "$target"; fi'
BUILD_QUIET = 300.0
"""Seconds that pip may be silent while it compiles a package."""


def _script(target: Target, made: Path, body: str, *argv: str, cwd: str = "") -> Command:
    words = ("sh", "-ec", ATOMIC + body + DONE, "sh", str(made), target.run.id, *argv)
    env = (("PYTHONDONTWRITEBYTECODE", "1"), ("PIP_DISABLE_PIP_VERSION_CHECK", "1"))
    return Command(words, cwd=cwd, env=env, quiet_limit=BUILD_QUIET, changes=False)


@step("code.export", roles=(HERE,))
def export(t: Target) -> Iterator[Action]:
    """take the revision's files out of git"""
    made = t.workshop.export(t.made_from)
    if not made.exists():
        body = 'mkdir "$new"; git -C "$1" archive --format=tar --output="$new.tar" "$2"\n'
        body += 'tar -xf "$new.tar" -C "$new"; rm -f "$new.tar"\n'
        yield _script(t, made, body, str(t.made_from.top), t.made_from.tree)


@step("code.wheels", roles=(HERE,))
def wheels(t: Target) -> Iterator[Action]:
    """download and build the wheels that hosts lack"""
    lacking = {
        venv_key(t.made_from, found): found
        for host, found in t.fleet
        if host.project.install == "wheels"
        and {"web", "db"} & set(host.roles)
        and venv_key(t.made_from, found) not in found.venvs
    }
    export_dir = t.workshop.export(t.made_from)
    for key, found in lacking.items():
        made = t.workshop.wheels(key)
        if not made.exists():
            yield from _builder(t)
            pip = (str(t.workshop.builder() / "bin/python"), "-m", "pip")
            body = f'mkdir "$new"; "$@" -q --no-input {_destination(found)} "$new"\n'
            yield _script(
                t, made, body, *pip, *_how(found), "-r", t.project.requirements, cwd=str(export_dir)
            )


def _destination(found: Findings) -> str:
    return "-w" if builds_alike(found) else "-d"


def _how(found: Findings) -> tuple[str, ...]:
    """pip's words: build here what runs there, or download what others built for there."""
    if builds_alike(found):
        return ("wheel",)
    major, minor = found.python.split(".")[:2]
    tag = f"cp{major}{minor}"
    words = ["download", "--only-binary=:all:", "--implementation", "cp", "--abi", tag, "--abi"]
    words += ["abi3", "--abi", "none", "--python-version", f"{major}.{minor}"]
    for platform in _platforms(found):
        words += ["--platform", platform]
    return tuple(words)


def _platforms(found: Findings) -> Iterator[str]:
    """The wheel platforms that a host of this machine type and C library can use, newest first."""
    machine = found.platform.removeprefix("linux-").replace("-", "_")
    libc, _, version = found.libc.partition("-")
    if libc == "glibc":
        for minor in range(int(version.split(".")[1]), 16, -1):
            yield f"manylinux_2_{minor}_{machine}"
        yield f"manylinux2014_{machine}"
    yield f"linux_{machine}"


def _builder(t: Target) -> Iterator[Command]:
    made = t.workshop.builder()
    if not made.exists():
        yield _script(t, made, '"$1" -m venv "$new"\n', sys.executable)


@step("static.collect", roles=(HERE,))
def collect(t: Target) -> Iterator[Action]:
    """gather the static files, as production settings say"""
    source, project = t.made_from, t.project
    if project.static.mode != "server":
        return
    made = t.workshop.collected(source, project.static.env, project.settings)
    if made.exists():
        return
    export_dir, venv = t.workshop.export(source), t.workshop.venv(source)
    if not venv.exists():
        body = '"$1" -m venv "$new"; "$new/bin/python" -m pip install -q --no-input -r "$2"\n'
        # a venv cannot be renamed: its programs name its path; only its python is used here
        yield _script(t, venv, body, sys.executable, project.requirements, cwd=str(export_dir))
    if any(not name.isidentifier() for name, _ in project.static.env):
        raise Refused("static.env: names of variables are letters, digits and underscores")
    body = 'cp -al "$1" "$new"; cd "$new"; exec_in="$2"; shift 2; "$exec_in" "$@"\n'
    script = _script(
        t,
        made,
        body,
        str(export_dir),
        str(venv / "bin/python"),
        str(ONSITE / "collect.py"),
        project.settings,
    )
    yield Command(
        script.argv, env=(*script.env, *project.static.env), quiet_limit=BUILD_QUIET, changes=False
    )
