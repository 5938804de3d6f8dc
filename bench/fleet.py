"""The hosts that every contestant releases to in turn, and what is true on them afterwards."""

import http.client
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bench import sshd
from bench.site import HEADER, STATIC_FILE
from bench.wire import Wires
from deploy.errors import DeployError
from tests.sandbox import files, fleet
from tests.sandbox.docker import docker, try_docker
from tests.sandbox.members import Machine

OURS = "/srv/www/guestbook"
PEERS = "/srv/peers"
PEERS_HTTP = 8080
PEERS_NGINX = """
server {
    listen 8080;
    root /srv/peers;
}
"""
AT_ONCE = 4
"""Visitors that ask a host at the same instant: a release is warm when all hear from it soon."""
PATIENCE = 60.0
RELOAD = "apachectl graceful"


class NotLive(DeployError):
    """A deploy ended, and some host does not answer from its release."""


@dataclass(frozen=True)
class Host:
    """A host: its SSH port at this end of its wire, and the address at which it serves."""

    name: str
    container: str
    port: int
    address: str

    @property
    def serves_files(self) -> bool:
        """Whether it serves static files alone."""
        return self.name.startswith("static")


class Hosts:
    """So many web hosts, a static host, and a database server that nobody deploys to."""

    def __init__(self, state: Path, count: int, tell: Callable[[str], None]) -> None:
        web = tuple(Machine(f"web{number}", ("web",)) for number in range(1, count + 1))
        self._site = fleet.up(state, tell, (*web, Machine("db1", ("db",))))
        self._files = fleet.up(state / "files", tell, (Machine("static1", ("static",)),))
        members = [(self._site, f"web{number}") for number in range(1, count + 1)]
        members += [(self._files, "static1")]
        containers = [where.container(name) for where, name in members]
        doors = [sshd.start(container) for container in containers]
        self.wires = Wires(doors)
        self.key = self._site.state / files.KEY
        self.known_hosts = self._site.state / "bench_known_hosts"
        self.all = tuple(
            Host(name, container, wire.port, wire.target[0])
            for (_, name), container, wire in zip(
                members, containers, self.wires.wires, strict=True
            )
        )

    @property
    def web(self) -> tuple[Host, ...]:
        """The hosts that serve pages."""
        return tuple(host for host in self.all if not host.serves_files)

    @property
    def static(self) -> tuple[Host, ...]:
        """The hosts that serve static files."""
        return tuple(host for host in self.all if host.serves_files)

    def prepare(self, names: Sequence[str]) -> None:
        """What root does once: a place for each of these contestants."""
        script = (Path(__file__).parent / "peers.sh").read_text()
        key = self.key.with_suffix(".pub").read_text()
        self.each(self.web, f"sh -s {' '.join(names)}", script)
        places = " ".join(f"{PEERS}/{name}" for name in names)
        self.each(self.static, f"install -d -o deploy {places}")
        # Each fleet has its key; here one opens all doors.
        self.each(self.static, "cat >/home/deploy/.ssh/authorized_keys", key)
        self.each(self.static, "cat >/etc/nginx/conf.d/peers.conf; nginx -s reload", PEERS_NGINX)
        said = self.each(self.all, "cat /etc/ssh/ssh_host_ed25519_key.pub")
        keys = {host.port: said[host.name] for host in self.all}
        files.keep(self.known_hosts, files.known_hosts(keys))

    def each(self, hosts: Sequence[Host], line: str, stdin: str = "") -> dict[str, str]:
        """What a shell line, run by root, says on each of these hosts."""

        def run(host: Host) -> str:
            words = ("exec", "--interactive", host.container, "sh", "-c", line)
            return docker(*words, stdin=stdin.encode())

        with ThreadPoolExecutor(len(hosts)) as pool:
            said = pool.map(run, hosts)
            return {host.name: text for host, text in zip(hosts, said, strict=True)}

    def turn_to(self, name: str, hosts: Sequence[Host], reload: bool = True) -> None:
        """Make the site of this contestant the one that Apache serves, with nothing else awake.

        Without `reload` it is for the contestant's own reload to do so.
        """
        on, off = ("guestbook", "peers") if name == "us" else ("peers", "guestbook")
        live = "" if name == "us" else f"ln -sfn {name} {PEERS}/live; "
        line = f"""{live}cd /etc/apache2/sites-enabled; rm -f {off}.conf
            ! test -e ../sites-available/{on}.conf || ln -sfn ../sites-available/{on}.conf .
            {RELOAD if reload else ""}"""
        self.each([host for host in hosts if not host.serves_files], line)

    def wipe(self, name: str, hosts: Sequence[Host]) -> None:
        """Take everything away that this contestant ever released to these hosts."""
        if name == "us":
            line = f"""cd {OURS}
                for kept in .deploy releases venvs slots run static/releases static/pool; do
                  if [ -d $kept ]; then find $kept -mindepth 1 -delete; fi
                done
                rm -rf current entry static/current
                rm -f /etc/apache2/sites-*/guestbook.conf /etc/nginx/sites-*/guestbook.conf"""
        else:
            line = f"cd {PEERS}/{name} && find . -mindepth 1 -delete"
        self.each(hosts, line)

    def clear_log(self, hosts: Sequence[Host]) -> None:
        """Forget which commands were asked for."""
        for host in hosts:
            sshd.clear(host.container)

    def commands(self, hosts: Sequence[Host]) -> int:
        """How many commands were asked for since `clear_log`."""
        return sum(sshd.commands(host.container) for host in hosts)

    def warm(self, hosts: Sequence[Host], right: Callable[[str], bool] = bool) -> float:
        """Wait until every host answers all from a `right` revision; when that was, by the clock.

        Raises NotLive.
        """
        with ThreadPoolExecutor(len(hosts)) as pool:
            return max(pool.map(lambda host: _warm(host, right), hosts))

    def served(self, hosts: Sequence[Host]) -> str:
        """The revision from which all these hosts answer. Raises NotLive if they differ."""
        found = {_ask(host)[1] for host in hosts}
        if len(found) > 1:
            raise NotLive(f"the hosts answer from {sorted(found)}")
        return found.pop()

    def has_files(self, name: str) -> bool:
        """Whether this contestant has released static files to the static host."""
        return self._static_answer(name)[0] == http.HTTPStatus.OK

    def file(self, name: str) -> bytes:
        """The static file that changes, as this contestant's static release serves it."""
        return self._static_answer(name)[1]

    def _static_answer(self, name: str) -> tuple[int, bytes]:
        ours = ("/static/", http.client.HTTP_PORT)
        path, port = ours if name == "us" else (f"/{name}/current/", PEERS_HTTP)
        call = http.client.HTTPConnection(self.static[0].address, port, timeout=30)
        try:
            call.request("GET", path + STATIC_FILE.removeprefix("guestbook/static/"))
            answer = call.getresponse()
            return answer.status, answer.read()
        except OSError:
            return 0, b""
        finally:
            call.close()

    def close(self) -> None:
        """Cut the wires; the containers stay."""
        self.wires.close()


def down(state: Path, tell: Callable[[str], None]) -> None:
    """Take the fleet away."""
    fleet.down(state / "files", tell, keep_image=True)
    fleet.down(state, tell, keep_image=True)


def _ask(host: Host, path: str = "/") -> tuple[int, str]:
    call = http.client.HTTPConnection(host.address, timeout=30)
    try:
        call.request("GET", path, headers={"Host": "localhost"})
        answer = call.getresponse()
        answer.read()
        return answer.status, answer.getheader(HEADER) or ""
    except (OSError, http.client.HTTPException):
        return 0, ""
    finally:
        call.close()


def _warm(host: Host, right: Callable[[str], bool]) -> float:
    until = time.monotonic() + PATIENCE
    with ThreadPoolExecutor(AT_ONCE) as pool:
        while True:
            answers = set(pool.map(lambda _: _ask(host), range(AT_ONCE)))
            now = time.monotonic()
            if len(answers) == 1:
                status, said = answers.pop()
                if status == http.HTTPStatus.OK and right(said):
                    return now
            if now > until:
                log = try_docker("exec", host.container, "tail", "-5", "/var/log/apache2/error.log")
                raise NotLive(f"{host.name} does not serve the release:\n{log[1]}")
