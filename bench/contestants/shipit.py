"""Shipit: a clone, rsync, and a new SSH connection for every command."""

from collections.abc import Sequence
from dataclasses import replace

from bench.contestants import RECIPES, Missing, Place, Run
from bench.contestants.scripted import Scripted, said
from bench.fleet import Host

PACKAGES = ("shipit-cli@5.3.0", "shipit-deploy@5.3.0")


class Shipit(Scripted):
    """With shipit-deploy's own options; it has no word for static files alone."""

    name = "shipit"
    is_peer = True
    file = "shipit.sh"

    def prepare(self, place: Place) -> str:
        """Install it from npm, and an ssh that reads the hosts of this benchmark."""
        own = place.own(self.name)
        (own / "node").mkdir(exist_ok=True)
        said(("npm", "install", "--silent", "--prefix", str(own / "node"), *PACKAGES))
        (own / "bin").mkdir(exist_ok=True)
        for program in ("ssh", "scp"):
            wrapper = own / "bin" / program
            real = said(("which", program))
            wrapper.write_text(f'#!/bin/sh\nexec {real} -F {place.ssh_config} "$@"\n')
            wrapper.chmod(0o755)
        recipe = own / "shipitfile.js"
        recipe.write_text((RECIPES / "shipitfile.js").read_text())
        if not said(("node", "--version")):
            raise Missing("node is not installed")
        return f"{' '.join(PACKAGES)}, Node {said(('node', '--version'))}"

    def program(self, place: Place) -> list[str]:
        """Bash, which runs it."""
        return ["bash"]

    def static(self, place: Place, hosts: Sequence[Host]) -> Run | None:
        """It has no word for it."""
        return None

    def _run(self, place: Place, hosts: Sequence[Host], word: str) -> Run:
        run = super()._run(place, hosts, word)
        return replace(run, env={**run.env, "NODE": str(place.own(self.name) / "node")})
