"""Capistrano 3, Debian's package: its own flow, a command at a time."""

import os
import shutil
from collections.abc import Sequence

from bench.contestants import Missing, Place, Run
from bench.contestants.scripted import Scripted, said
from bench.fleet import Host
from deploy.errors import Refused
from tests.sandbox.packages import install


class Capistrano(Scripted):
    """It has no word for static files alone."""

    name = "cap"
    is_peer = True
    file = "capistrano.sh"

    def prepare(self, place: Place) -> str:
        """Install it, as root only."""
        if not shutil.which("cap"):
            try:
                install(("capistrano",), print, why="it takes part", root=os.geteuid() == 0)
            except Refused as why:
                raise Missing(why.what) from None
        return said(("cap", "--version"))

    def program(self, place: Place) -> list[str]:
        """Bash, which runs it."""
        return ["bash"]

    def static(self, place: Place, hosts: Sequence[Host]) -> Run | None:
        """It has no word for it."""
        return None
