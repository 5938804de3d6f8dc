"""The limit: one connection and one command a host, and nothing that could be left out."""

import sys
from collections.abc import Sequence

from bench.contestants import Place, Run
from bench.contestants.scripted import Scripted, said
from bench.fleet import Host


class Limit(Scripted):
    """A yardstick that nobody would release with."""

    name = "limit"
    is_peer = False
    file = "limit.py"

    def prepare(self, place: Place) -> str:
        """Nothing but Python and OpenSSH."""
        return f"Python {sys.version.split()[0]}; {said(('ssh', '-V'))}"

    def program(self, place: Place) -> list[str]:
        """The Python that runs the benchmark."""
        return [sys.executable]

    def static(self, place: Place, hosts: Sequence[Host]) -> Run | None:
        """It has no word for it: the floor does the least there, too."""
        return None
