"""Runs pip as if this Python were another one: pip_as.py PYTHON MACHINE PIP_WORD...

`pip download --python-version` finds the wheels of another Python, but asks this one which packages
that needs: what a requirement says of `python_version` is judged by the Python that pip runs in.
"""

import sys

from pip._internal.cli.main import main
from pip._vendor.packaging import markers


def run(python: str, machine: str, words: list[str]) -> int:
    """pip's exit code. `python` is a full version, such as 3.10.12."""
    own = markers.default_environment

    def theirs() -> dict[str, str]:
        return {
            **own(),
            "python_version": ".".join(python.split(".")[:2]),
            "python_full_version": python,
            "platform_machine": machine,
        }

    markers.default_environment = theirs
    return main(words)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], sys.argv[2], sys.argv[3:]))
