"""The ./fab script: what it does before there is an environment; its Python only pretends."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent.parent / "fab"
TOOLS = ("cat", "chmod", "cksum", "cp", "flock", "mkdir", "readlink", "rm", "sh", "sleep")
PYTHON = """#!/bin/sh
echo "$*" >>"$LOG"
case "$1 $2" in
  *"< (3, 11)"*) exit "${TOO_OLD:-0}" ;;
  *ensurepip*) exit "${WITHOUT_VENV:-0}" ;;
  "-c "*) echo 3.12 ;;
  "-m venv")
    mkdir -p "$3/bin"
    cp "$0" "$3/bin/python"
    echo '#!/bin/sh' >"$3/bin/fabd"
    echo 'echo "in $PWD"; for word; do echo "word $word"; done' >>"$3/bin/fabd"
    chmod +x "$3/bin/fabd" ;;
  "-m pip") sleep "${PIP_TAKES:-0}"; exit "${PIP_FAILS:-0}" ;;
esac
"""

Call = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    top = tmp_path / "checkout"
    (top / "deep").mkdir(parents=True)
    shutil.copy(SCRIPT, top / "fab")
    (top / "pyproject.toml").write_text("one\n")
    return top


@pytest.fixture
def surroundings(tmp_path: Path) -> dict[str, str]:
    """A machine with the usual tools, and with a Python that writes down what it is asked."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for tool in TOOLS:
        (programs / tool).symlink_to(shutil.which(tool) or pytest.fail(f"{tool} is missing"))
    (programs / "python3").write_text(PYTHON)
    (programs / "python3").chmod(0o755)
    return {"PATH": str(programs), "LOG": str(tmp_path / "asked")}


@pytest.fixture
def fab(checkout: Path, surroundings: dict[str, str]) -> Call:
    def call(
        *words: str, cwd: Path = checkout, script: Path = checkout / "fab", **more: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [script, *words],
            cwd=cwd,
            env={**surroundings, **more},
            capture_output=True,
            text=True,
            check=False,
        )

    return call


def asked(surroundings: dict[str, str], what: str) -> int:
    """How often Python was called as `what`."""
    log = Path(surroundings["LOG"])
    return sum(line.startswith(what) for line in log.read_text().splitlines())


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The one line with which the script gave up."""
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    return done.stderr


def test_without_any_python_one_line_says_what_to_install(fab: Call, checkout: Path) -> None:
    assert "apt-get install python3 python3-venv" in refused(fab(PATH=""))
    assert not (checkout / ".venv").exists()


def test_a_python_that_is_too_old_is_as_good_as_none(fab: Call) -> None:
    assert "no Python 3.11 or newer was found" in refused(fab(TOO_OLD="1"))


def test_without_the_venv_module_its_very_package_is_named(fab: Call, checkout: Path) -> None:
    assert "sudo apt-get install python3.12-venv" in refused(fab(WITHOUT_VENV="1"))
    assert not (checkout / ".venv").exists()


def test_the_first_use_makes_the_environment_and_runs_fab(fab: Call, checkout: Path) -> None:
    done = fab("deploy", "two words", "*")
    assert done.stdout == f"in {checkout}\nword deploy\nword two words\nword *\n"
    assert done.stderr == f"fab: making {checkout}/.venv (once, about half a minute)\n"


def test_later_uses_start_fab_at_once(fab: Call, surroundings: dict[str, str]) -> None:
    fab()
    before = Path(surroundings["LOG"]).read_text()
    assert fab().stderr == ""
    assert Path(surroundings["LOG"]).read_text() == before


def test_a_changed_pyproject_is_installed_into_the_same_environment(
    fab: Call, checkout: Path, surroundings: dict[str, str]
) -> None:
    fab()
    (checkout / "pyproject.toml").write_text("two\n")
    assert "bringing .venv up to date" in fab().stderr
    assert fab().stderr == ""
    assert (asked(surroundings, "-m venv"), asked(surroundings, "-m pip")) == (1, 2)


def test_an_environment_that_was_not_finished_is_made_again(
    fab: Call, surroundings: dict[str, str]
) -> None:
    assert "pip could not install" in fab(PIP_FAILS="1").stderr
    assert "making" in fab().stderr
    assert asked(surroundings, "-m venv") == 2


def test_a_failed_update_is_tried_again(fab: Call, checkout: Path) -> None:
    fab()
    (checkout / "pyproject.toml").write_text("two\n")
    assert fab(PIP_FAILS="1").returncode == 2
    assert "bringing .venv up to date" in fab().stderr


def test_a_checkout_that_was_moved_gets_an_environment_of_its_own(
    fab: Call, checkout: Path, tmp_path: Path
) -> None:
    fab()
    moved = checkout.rename(tmp_path / "moved")
    done = fab(script=moved / "fab", cwd=moved)
    assert done.stderr.startswith(f"fab: making {moved}/.venv")


def test_two_first_uses_at_once_make_one_environment(
    checkout: Path, surroundings: dict[str, str]
) -> None:
    env = {**surroundings, "PIP_TAKES": "0.5"}
    both = [
        subprocess.Popen(
            [checkout / "fab"],
            cwd=checkout,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    said = sorted(b"".join(one.communicate()).decode() for one in both)
    assert [one.returncode for one in both] == [0, 0]
    assert all(f"in {checkout}" in each for each in said)
    assert asked(surroundings, "-m pip") == 1


def test_it_runs_where_it_was_called_inside_the_checkout(fab: Call, checkout: Path) -> None:
    deep = checkout / "deep"
    assert fab(cwd=deep).stdout == f"in {deep}\n"


def test_called_from_elsewhere_it_runs_in_the_checkout(
    fab: Call, checkout: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").symlink_to(checkout / "fab")
    assert fab(cwd=tmp_path).stdout == f"in {checkout}\n"
    assert fab(cwd=tmp_path, script=tmp_path / "elsewhere").stdout == f"in {checkout}\n"


def test_it_is_executable_as_it_is_checked_out() -> None:
    assert os.access(SCRIPT, os.X_OK)
