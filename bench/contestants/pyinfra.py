"""pyinfra: operations with rsync, hosts in parallel."""

from collections.abc import Sequence
from dataclasses import replace

from bench.contestants import Place, Run
from bench.contestants.pip import installed
from bench.contestants.scripted import Scripted, clone, said
from bench.fleet import Host

PACKAGES = ("pyinfra==3.10.0",)


class Pyinfra(Scripted):
    """As its documentation writes deploys."""

    name = "pyinfra"
    is_peer = True
    file = "pyinfra.sh"

    def prepare(self, place: Place) -> str:
        """Install it."""
        clone(place, self.name)
        return said((str(installed(place, self.name, *PACKAGES) / "pyinfra"), "--version"))

    def program(self, place: Place) -> list[str]:
        """Bash, which runs it."""
        return ["bash"]

    def _run(self, place: Place, hosts: Sequence[Host], word: str) -> Run:
        facts = {"ssh_config_file": str(place.ssh_config), "ssh_strict_host_key_checking": "yes"}
        facts["ssh_known_hosts_file"] = str(place.known_hosts)
        inventory = [(host.name, facts) for host in hosts]
        (place.own(self.name) / "inventory.py").write_text(f"hosts = {inventory!r}\n")
        run = super()._run(place, hosts, word)
        pyinfra = str(installed(place, self.name, *PACKAGES) / "pyinfra")
        return replace(run, env={**run.env, "PYINFRA": pyinfra})
