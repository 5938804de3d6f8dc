"""docs/tutorial.md, followed word by word by a reader with two new servers."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docker.tutorial import Reader, Step, steps
from tests.sandbox import files
from tests.sandbox.docker import docker
from tests.sandbox.fleet import down, up
from tests.sandbox.members import Fleet, Machine

pytestmark = pytest.mark.docker

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "tutorial.md").read_text().partition("## More servers")[0]
STEPS = tuple(steps(PAGE))
HERE = "/path/to/django-fabric-deploy"
NAMES = {"www.example.com": "www", "static.example.com": "static"}
AS_NEW = """
userdel --remove deploy 2>/dev/null
rm -r /srv/www /usr/local/sbin/deploy-root /etc/sudoers.d/*deploy*
install -d -m 0700 /root/.ssh
cat >/root/.ssh/authorized_keys
sed -i 's/^PermitRootLogin.*/PermitRootLogin prohibit-password/; s/^AllowUsers.*//' \\
  /etc/ssh/sshd_config.d/sandbox.conf
kill -HUP "$(cat /run/sshd.pid)"
"""
"""Root may log in by key, and nobody has prepared anything."""


@pytest.fixture(scope="module")
def servers() -> Iterator[Fleet]:
    state = ROOT / ".sandbox" / "tests-tutorial"
    machines = (Machine("www", ("web", "db")), Machine("static", ("static",)))
    try:
        down(state, _quiet, keep_image=True)
        fleet = up(state, _quiet, machines=machines)
        key = (state / f"{files.KEY}.pub").read_bytes()
        for member in fleet.members:
            docker("exec", "--interactive", member.container, "sh", "-c", AS_NEW, stdin=key)
        yield fleet
    finally:
        down(state, _quiet, keep_image=True)


def _quiet(_line: str) -> None:
    return None


@pytest.fixture(scope="module")
def reader(
    servers: Fleet, env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Reader]:
    """Somebody for whom www.example.com and static.example.com are those servers."""
    home = tmp_path_factory.mktemp("reader")
    (home / ".ssh").mkdir(mode=0o700)
    (home / "bin").mkdir()
    hosts = {member.name: member for member in servers.members}
    keys = f"IdentityFile {servers.state}/{files.KEY}\n"
    config = [f"{keys}UserKnownHostsFile {servers.state}/{files.KNOWN_HOSTS}\n"]
    curl = []
    for address, name in NAMES.items():
        config.append(f"Host {address}\nHostName 127.0.0.1\nPort {hosts[name].ssh_port}\n")
        curl.append(f'connect-to = "{address}:80:127.0.0.1:{hosts[name].http_port}"\n')
    (home / ".ssh" / "config").write_text("".join(config))
    (home / ".curlrc").write_text("".join(curl))
    # OpenSSH looks for its configuration in the user's real home.
    ssh = home / "bin" / "ssh"
    ssh.write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {home}/.ssh/config "$@"\n')
    ssh.chmod(0o755)
    (home / "bin" / "python3").symlink_to(Path(sys.executable).resolve())
    one = Reader(home, {**env, "PATH": f"{home}/bin:{env['PATH']}"})
    yield one
    one.leaves()


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_the_tutorial_says_what_happens(reader: Reader, step: Step) -> None:
    if step.path:
        path = reader.folder() / step.path
        assert path.parent.is_dir()
        path.write_text(step.text)
        return
    said = reader.types(step.commands.replace(HERE, str(ROOT)))
    assert step.fits(said), f"the page shows:\n{step.shown}\nit was:\n{said}"


def test_what_was_released_is_the_third_partys_site(reader: Reader) -> None:
    said = reader.types("curl --silent http://www.example.com/admin/login/")
    assert "Wagtail" in said
