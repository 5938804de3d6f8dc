"""Installs Debian packages on this machine, as root only, and says so."""

import os
import shutil
import subprocess
from collections.abc import Callable

from deploy.errors import Refused
from tests.sandbox.docker import last_lines


def install(packages: tuple[str, ...], tell: Callable[[str], None], why: str, root: bool) -> None:
    """Installs `packages` with apt-get; raises Refused where that cannot or may not be done."""
    line = f"apt-get install --no-install-recommends {' '.join(packages)}"
    if not shutil.which("apt-get"):
        raise Refused(f"{packages[0]} is not installed ({why})", hint=f"install {packages[0]}")
    if not root:
        raise Refused(f"{packages[0]} is not installed ({why})", hint=f"sudo {line}")
    tell(f"{line} (as root: {why})")
    said = ""
    for words in (("install", "-y"), ("update",), ("install", "-y")):
        more = ("--no-install-recommends", *packages) if words[0] == "install" else ()
        done = subprocess.run(
            ["apt-get", "-q", *words, *more],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            check=False,
        )
        said = done.stdout.decode(errors="replace")
        if words[0] == "install" and done.returncode == 0:
            return
    raise Refused(f"apt-get could not install {packages[0]}: {last_lines(said)}")
