"""pip, run here for another Python."""

import platform
import re
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
from pip._internal.utils.compatibility_tags import get_supported
from pip._vendor.packaging import markers

import deploy

PROGRAM = Path(deploy.__file__).parent / "local" / "pip_as.py"


@pytest.fixture
def pip_as(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The program, whose traces in pip are gone after the test."""
    spec = spec_from_file_location("pip_as", PROGRAM)
    assert spec
    assert spec.loader
    program = module_from_spec(spec)
    spec.loader.exec_module(program)
    monkeypatch.setattr(markers, "default_environment", markers.default_environment)
    monkeypatch.setitem(sys.modules, "_manylinux", ModuleType("_manylinux"))
    return program


def test_what_a_package_needs_on_an_older_python_is_judged_by_that_one(
    monkeypatch: pytest.MonkeyPatch, pip_as: ModuleType
) -> None:
    judged: list[bool] = []

    def main(words: list[str]) -> int:
        judged.extend(markers.Marker(word).evaluate() for word in words)
        return 3

    monkeypatch.setattr(pip_as, "main", main)
    asked = ['python_version < "3.11"', 'python_full_version == "3.10.12"']
    asked += ['platform_machine == "aarch64"', 'sys_platform == "linux"']
    assert pip_as.run("3.10.12", "aarch64", "-", asked) == 3
    assert judged == [True, True, True, True]
    assert sys.version_info[:2] != (3, 10)


def test_no_wheel_is_taken_that_an_older_c_library_of_the_host_cannot_load(
    monkeypatch: pytest.MonkeyPatch, pip_as: ModuleType
) -> None:
    newest: list[int] = []

    def main(_words: list[str]) -> int:
        offered = "".join(f"{tag.platform} " for tag in get_supported())
        newest.append(max(int(minor) for minor in re.findall(r"manylinux_2_(\d+)_", offered)))
        return 0

    monkeypatch.setattr(pip_as, "main", main)
    for libc in ("glibc-2.28", "-", "glibc-2.999"):
        monkeypatch.setitem(sys.modules, "_manylinux", ModuleType("_manylinux"))
        pip_as.run("3.11.2", "x86_64", libc, [])
    ours = int(platform.libc_ver()[1].split(".")[1])
    assert newest == [28, ours, ours]
