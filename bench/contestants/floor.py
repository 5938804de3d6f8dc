"""The floor: what somebody careful writes by hand with bash, OpenSSH and rsync."""

from bench.contestants import Place
from bench.contestants.scripted import Scripted, clone, said


class Floor(Scripted):
    """No lock, no journal, no verification, and a reload that visitors feel."""

    name = "floor"
    is_peer = False
    file = "floor.sh"

    def prepare(self, place: Place) -> str:
        """Clone the repository, so that files keep their times."""
        clone(place, self.name)
        return f"{said(('ssh', '-V'))}; {said(('rsync', '--version')).splitlines()[0]}"

    def program(self, place: Place) -> list[str]:
        """Bash."""
        return ["bash"]
