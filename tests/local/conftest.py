"""Hosts for tests: SSH servers in this process, and directories that stand for hosts."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import paramiko
import pytest

from deploy.host import Host, Ssh
from deploy.ssh.link import Link
from deploy.ssh.times import Times
from tests.local.fleet import HOSTS, Fleet
from tests.local.locallink import LocalLink
from tests.local.s3server import S3Server, s3_server
from tests.local.sshserver import Proxy, SshServer

QUICK = Times(beat=0.2, dead=2.0, gone=3.0, grace=0.5)


@dataclass(frozen=True)
class Machine:
    """A server, and the host that an inventory would have for it."""

    server: SshServer
    host: Host
    home: Path

    def with_ssh(self, **changes: object) -> Host:
        """The host, reached differently."""
        return replace(self.host, ssh=replace(self.host.ssh, **changes))  # type: ignore[arg-type]  # the keys of Ssh


@pytest.fixture(scope="session")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The key that all servers let in."""
    path: Path = tmp_path_factory.mktemp("key") / "id"
    paramiko.ECDSAKey.generate().write_private_key_file(str(path))
    return path


@pytest.fixture(scope="session")
def host_key() -> paramiko.PKey:
    """The key of all servers."""
    return paramiko.ECDSAKey.generate()


@pytest.fixture
def machine(
    tmp_path: Path, key_file: Path, host_key: paramiko.PKey
) -> Iterator[Callable[[str], Machine]]:
    """Makes SSH servers, each with a home of its own and known to the client."""
    made: list[SshServer] = []
    config = tmp_path / "ssh_config"
    config.touch()
    known_hosts = tmp_path / "known_hosts"
    known_hosts.touch()
    client = {paramiko.ECDSAKey(filename=str(key_file)).get_base64()}

    def make(name: str = "web1") -> Machine:
        home = tmp_path / f"home-{name}"
        home.mkdir()
        server = SshServer(home, client, host_key)
        made.append(server)
        with known_hosts.open("a") as file:
            blob = host_key.get_base64()
            file.write(f"[127.0.0.1]:{server.port} {host_key.get_name()} {blob}\n")
        ssh = Ssh(
            user="deploy",
            port=server.port,
            identity=str(key_file),
            known_hosts=str(known_hosts),
            config=str(config),
            connect_timeout=5.0,
        )
        return Machine(server, Host(name=name, address="127.0.0.1", ssh=ssh), home)

    yield make
    for server in made:
        server.close()


@pytest.fixture
def reach() -> Iterator[Callable[..., Link]]:
    """Opens links and closes them in the end."""
    made: list[Link] = []

    def make(host: Host, words: str = "", times: Times = QUICK) -> Link:
        link = Link(host, words, times)
        made.append(link)
        link.open()
        return link

    yield make
    for link in made:
        link.close()


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Callable[..., LocalLink]]:
    """Opens links to directories and closes them in the end."""
    made: list[LocalLink] = []

    def make(words: str = "", times: Times = QUICK, name: str = "local") -> LocalLink:
        root = tmp_path / f"root-{name}"
        root.mkdir()
        link = LocalLink(root, words, name, times)
        made.append(link)
        link.open()
        return link

    yield make
    for link in made:
        link.close()


@pytest.fixture
def proxy() -> Iterator[Callable[..., Proxy]]:
    """Makes proxies and closes them in the end."""
    made: list[Proxy] = []

    def make(port: int, silent_after: int = 0) -> Proxy:
        made.append(Proxy(port, silent_after))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def s3() -> Iterator[S3Server]:
    """A bucket that is empty."""
    with s3_server() as server:
        yield server


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    fleet = Fleet(tmp_path)
    for name in HOSTS:
        root = fleet.root(name)
        for inside in ("releases", "venvs", "slots", "shared", "run", ".deploy"):
            (root / inside).mkdir(parents=True)
    repository = tmp_path / "repository"
    repository.mkdir()
    (repository / "manage.py").write_text("print('manage')\n")
    (repository / "requirements.txt").write_text("")
    fleet.git("init", "-q")
    return fleet
