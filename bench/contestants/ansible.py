"""Ansible: a playbook with rsync, pipelining and kept connections, without facts."""

from collections.abc import Sequence
from dataclasses import replace

from bench.contestants import Place, Run
from bench.contestants.pip import installed
from bench.contestants.scripted import Scripted, clone, said
from bench.fleet import Host

PACKAGES = ("ansible==12.3.0",)


class Ansible(Scripted):
    """With the settings that its documentation names for speed."""

    name = "ansible"
    is_peer = True
    file = "ansible.sh"

    def prepare(self, place: Place) -> str:
        """Install it."""
        clone(place, self.name)
        program = installed(place, self.name, *PACKAGES) / "ansible"
        return said((str(program), "--version")).splitlines()[0]

    def program(self, place: Place) -> list[str]:
        """Bash, which runs it."""
        return ["bash"]

    def _run(self, place: Place, hosts: Sequence[Host], word: str) -> Run:
        run = super()._run(place, hosts, word)
        programs = str(installed(place, self.name, *PACKAGES))
        return replace(run, env={**run.env, "ANSIBLE": programs})
