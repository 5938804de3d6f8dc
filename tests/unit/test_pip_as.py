"""pip, run here for another Python."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from pip._vendor.packaging import markers

import deploy

PROGRAM = Path(deploy.__file__).parent / "local" / "pip_as.py"


def test_what_a_package_needs_on_an_older_python_is_judged_by_that_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = spec_from_file_location("pip_as", PROGRAM)
    assert spec
    assert spec.loader
    pip_as = module_from_spec(spec)
    spec.loader.exec_module(pip_as)
    judged: list[bool] = []

    def main(words: list[str]) -> int:
        judged.extend(markers.Marker(word).evaluate() for word in words)
        return 3

    monkeypatch.setattr(markers, "default_environment", markers.default_environment)
    monkeypatch.setattr(pip_as, "main", main)
    asked = ['python_version < "3.11"', 'python_full_version == "3.10.12"']
    asked += ['platform_machine == "aarch64"', 'sys_platform == "linux"']
    assert pip_as.run("3.10.12", "aarch64", asked) == 3
    assert judged == [True, True, True, True]
    assert sys.version_info[:2] != (3, 10)
