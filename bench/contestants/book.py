"""A plain fabfile in the style of books: fab -H web1,web2 deploy."""

from collections.abc import Sequence
from datetime import UTC, datetime

from bench.contestants import RECIPES, Place, Run
from bench.contestants.group import FABRIC
from bench.contestants.pip import installed
from bench.contestants.scripted import Scripted, clone
from bench.fleet import Host


class Fabfile(Scripted):
    """One host after the other, a command at a time."""

    name = "fabfile"
    is_peer = True

    def prepare(self, place: Place) -> str:
        """Install Fabric."""
        installed(place, "fabric", *FABRIC)
        clone(place, self.name)
        return " ".join(FABRIC)

    def _run(self, place: Place, hosts: Sequence[Host], word: str) -> Run:
        fab = str(installed(place, "fabric", *FABRIC) / "fab")
        names = ",".join(host.name for host in hosts)
        argv = [fab, "-r", str(RECIPES), "-S", str(place.ssh_config), "-H", names, word]
        release = datetime.now(UTC).strftime("%Y%m%d%H%M%S")
        env = {**place.site.checkout.env, **place.told(self.name, hosts), "RELEASE": release}
        return Run(argv, place.own(self.name), env)
