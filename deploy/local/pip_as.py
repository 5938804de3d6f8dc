"""Runs pip as if this Python were another one: pip_as.py PYTHON MACHINE LIBC PIP_WORD...

`pip download --python-version` finds the wheels of another Python, but asks this one which packages
that needs: what a requirement says of `python_version` is judged by the Python that pip runs in.
`pip wheel` takes wheels that run here, and a host whose C library is older cannot load them all.
"""

import sys
from types import ModuleType

from pip._internal.cli.main import main
from pip._vendor.packaging import markers


def run(python: str, machine: str, libc: str, words: list[str]) -> int:
    """pip's exit code. `python` is a full version, such as 3.10.12; `libc` such as glibc-2.36."""
    own = markers.default_environment

    def theirs() -> dict[str, str]:
        return {
            **own(),
            "python_version": ".".join(python.split(".")[:2]),
            "python_full_version": python,
            "platform_machine": machine,
        }

    markers.default_environment = theirs
    name, _, version = libc.partition("-")
    if name == "glibc":
        sys.modules["_manylinux"] = _no_newer_than(version)
    return main(words)


def _no_newer_than(version: str) -> ModuleType:
    """What PEP 600 asks which of the wheels for Linux may be taken."""
    newest = tuple(map(int, version.split(".")[:2]))
    asked = ModuleType("_manylinux")
    vars(asked)["manylinux_compatible"] = lambda major, minor, _arch: (major, minor) <= newest
    return asked


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]))
