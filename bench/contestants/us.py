"""This toolkit, as its README says it is used."""

import compileall
import sys
from collections.abc import Sequence
from pathlib import Path

import deploy
from bench.contestants import Place, Run
from bench.fleet import Host

INVENTORY = """
[ssh]
user = "deploy"
identity = "{key}"
known_hosts = "{known_hosts}"

[project]
web.server_name = "localhost"
static.mode = "{mode}"
static.env = {{ SECRET_KEY = "only-to-collect-static-files", DATABASE_URL = "sqlite://:memory:" }}
"""
HOST = """
[hosts.{name}]
address = "127.0.0.1"
port = {port}
url = "http://{address}"
roles = [{roles}]
"""


class Us:
    """The release that is all or nothing, locked, journalled, warm and verified."""

    name = "us"
    is_peer = False
    has_caches = True

    def prepare(self, place: Place) -> str:
        """Only to be compiled, as pip does it: in a checkout Python may be told not to."""
        compileall.compile_dir(deploy.__path__[0], quiet=1)
        return f"django-fabric-deploy {deploy.__version__}"

    def deploy(self, place: Place, hosts: Sequence[Host]) -> Run:
        """`fab deploy`; the first host migrates."""
        return self._fab(place, hosts, "web", "deploy")

    def rollback(self, place: Place, hosts: Sequence[Host]) -> Run:
        """`fab rollback`, to processes that are still warm."""
        return self._fab(place, hosts, "web", "rollback")

    def static(self, place: Place, hosts: Sequence[Host]) -> Run:
        """`fab -R static deploy-static`."""
        return self._fab(place, hosts, "server", "-R", "static", "deploy-static")

    def _fab(self, place: Place, hosts: Sequence[Host], mode: str, *words: str) -> Run:
        stage = f"bench{len(hosts)}{mode}"
        self._write(place, stage, hosts, mode)
        fab = str(Path(sys.executable).with_name("fab"))
        argv = [fab, "-I", stage, *words]
        return Run(argv, place.site.top, place.site.checkout.env)

    @staticmethod
    def _write(place: Place, stage: str, hosts: Sequence[Host], mode: str) -> None:
        text = INVENTORY.format(key=place.key, known_hosts=place.known_hosts, mode=mode)
        for number, host in enumerate(hosts):
            roles = '"static"' if host.serves_files else '"web"' if number else '"web", "db"'
            text += HOST.format(name=host.name, port=host.port, address=host.address, roles=roles)
        path = place.site.top / "inventories" / f"{stage}.toml"
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            # What is not committed cannot be released.
            place.site.checkout.commit("Name the hosts")
