"""A Fabric ThreadingGroup: hosts in parallel, a command at a time, an archive of everything."""

from bench.contestants import Place
from bench.contestants.pip import installed
from bench.contestants.scripted import Scripted, clone

FABRIC = ("fabric==3.2.3", "invoke==2.2.1", "paramiko==5.1.0")


class FabricGroup(Scripted):
    """What Fabric's own documentation shows for several hosts."""

    name = "group"
    is_peer = True
    file = "group.py"

    def prepare(self, place: Place) -> str:
        """Install Fabric."""
        installed(place, "fabric", *FABRIC)
        clone(place, self.name)
        return " ".join(FABRIC)

    def program(self, place: Place) -> list[str]:
        """The Python that has Fabric."""
        return [str(installed(place, "fabric", *FABRIC) / "python")]
