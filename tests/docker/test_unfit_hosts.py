"""Hosts that are reached but are not fit for a release: refused before anything is changed."""

from collections.abc import Callable, Iterator

import pytest

from tests.docker.checkout import Checkout
from tests.docker.hosts import ROOT, Hosts
from tests.sandbox import files

pytestmark = pytest.mark.docker

KEYS = "/etc/ssh/ssh_host_ed25519_key"
NEXT_SSHD = "kill -HUP $(cat /run/sshd.pid)"


@pytest.fixture(scope="module", autouse=True)
def _after_the_repair_a_deploy_works(hosts: Hosts, base: Checkout) -> Iterator[None]:
    """Every story repairs what it broke, and nothing else has to be done."""
    yield
    release = base.fab("deploy", "--json").result["release"]
    assert set(hosts.served().values()) == {release}


@pytest.fixture
def refused(hosts: Hosts, live: dict[str, str], checkout: Checkout) -> Callable[..., str]:
    """Deploys to hosts that were made unfit, has them repaired, and returns what was said."""
    checkout.title("Not on hosts like these")

    def deploy(broken: str = "", repaired: str = "") -> str:
        before = hosts.listing()
        if broken:
            hosts.on("web2", broken)
        try:
            told = checkout.fab("deploy", code=2)
            hosts.at_rest()
        finally:
            if repaired:
                hosts.on("web2", repaired)
        assert hosts.listing() == before
        assert hosts.served() == live
        assert "nothing changed" in told.err
        return told.err

    return deploy


def test_a_changed_host_key_is_refused_with_both_fingerprints_and_the_next_command(
    hosts: Hosts, refused: Callable[..., str]
) -> None:
    def fingerprint() -> str:
        return hosts.on("web2", f"ssh-keygen -lf {KEYS}.pub").split()[1]

    old = fingerprint()
    hosts.on("web2", f"ssh-keygen -q -t ed25519 -N '' -f {KEYS}.other")
    new = hosts.on("web2", f"ssh-keygen -lf {KEYS}.other.pub").split()[1]
    swap = f"cd /etc/ssh && mkdir -p aside && mv {KEYS} {KEYS}.pub aside/"
    swap += f" && mv {KEYS}.other {KEYS} && mv {KEYS}.other.pub {KEYS}.pub && {NEXT_SSHD}"
    back = f"mv -f /etc/ssh/aside/* /etc/ssh/ && rmdir /etc/ssh/aside && {NEXT_SSHD} && sleep 0.3"
    said = refused(swap, back)
    assert old in said
    assert new in said
    port = next(member.ssh_port for member in hosts.fleet.members if member.name == "web2")
    file = hosts.fleet.state / files.KNOWN_HOSTS
    assert f"ssh-keygen -R '[127.0.0.1]:{port}' -f {file}" in said
    assert "web1" not in said


def test_an_unknown_host_key_is_refused_and_never_added(
    hosts: Hosts, refused: Callable[..., str], checkout: Checkout
) -> None:
    known = checkout.top.parent / "known_hosts"
    port = next(member.ssh_port for member in hosts.fleet.members if member.name == "web2")
    lines = (hosts.fleet.state / files.KNOWN_HOSTS).read_text().splitlines(keepends=True)
    known.write_text("".join(line for line in lines if f"]:{port} " not in line))
    before = known.read_text()
    with (checkout.top / "inventories" / "sandbox.toml").open("a") as inventory:
        inventory.write(f'\n[ssh]\nknown_hosts = "{known}"\n')
    said = refused()
    assert "web2: unknown host key" in said
    assert hosts.on("web2", f"ssh-keygen -lf {KEYS}.pub").split()[1] in said
    assert f"ssh-keyscan -p {port} 127.0.0.1 >> {known}" in said
    assert known.read_text() == before


def test_a_wrong_user_is_named_with_the_key_that_was_offered(
    hosts: Hosts, refused: Callable[..., str], checkout: Checkout
) -> None:
    inventory = checkout.top / "inventories" / "sandbox.toml"
    inventory.write_text(
        inventory.read_text().replace("[hosts.web2]\n", '[hosts.web2]\nuser = "nobody"\n')
    )
    said = refused()
    assert "web2: user nobody is not let in" in said
    assert str(hosts.fleet.state / files.KEY) in said


def test_a_host_on_which_sudo_refuses_is_found_before_anything_is_changed(
    refused: Callable[..., str],
) -> None:
    rule = "/etc/sudoers.d/deploy-guestbook"
    said = refused(f"mv {rule} /root/rule", f"mv /root/rule {rule}")
    assert "web2: sudo refuses deploy" in said
    assert "setup --script" in said


@pytest.mark.parametrize("program", ["rsync", "curl"])
def test_a_program_that_a_host_lacks_is_named_with_its_package(
    refused: Callable[..., str], program: str
) -> None:
    said = refused(
        f"mv /usr/bin/{program} /root/{program}", f"mv /root/{program} /usr/bin/{program}"
    )
    assert f"web2: {program} is not installed: apt-get install {program}" in said


def test_a_host_without_python_is_named(refused: Callable[..., str]) -> None:
    said = refused("mv /usr/bin/python3 /root/python3", "mv /root/python3 /usr/bin/python3")
    assert "web2: " in said
    assert "python3" in said


def test_a_current_that_is_a_directory_is_left_alone_and_the_way_out_is_told(
    hosts: Hosts, refused: Callable[..., str]
) -> None:
    target = hosts.on("web2", f"readlink {ROOT}/current").strip()
    inside = f"find {ROOT}/current -type f | sort | md5sum"
    back = f"rm -r current && ln -s {target} current && chown -h deploy:deploy current"
    said = refused(
        f"cd {ROOT} && rm current && cp -a {target} current && {inside} >/root/before",
        f"cd {ROOT} && {inside} | cmp - /root/before && {back}",
    )
    assert f"web2: {ROOT}/current is a directory" in said
    assert f"mv {ROOT}/current" in said


def test_a_root_that_the_deploy_user_cannot_write_is_named(refused: Callable[..., str]) -> None:
    said = refused(f"chown root:root {ROOT}", f"chown deploy:deploy {ROOT}")
    assert f"web2: {ROOT} cannot be written by deploy" in said


def test_a_host_that_was_never_prepared_is_told_how_to_be(refused: Callable[..., str]) -> None:
    said = refused(f"mv {ROOT}/.deploy {ROOT}/.aside", f"mv {ROOT}/.aside {ROOT}/.deploy")
    assert f"web2: {ROOT} is not prepared" in said
    assert "setup --script" in said


def test_all_faults_of_all_hosts_are_told_at_once(
    hosts: Hosts, refused: Callable[..., str]
) -> None:
    hosts.on("web1", "mv /usr/bin/curl /root/curl")
    try:
        said = refused("mv /usr/bin/rsync /root/rsync", "mv /root/rsync /usr/bin/rsync")
    finally:
        hosts.on("web1", "mv /root/curl /usr/bin/curl")
    assert "web1: curl is not installed" in said
    assert "web2: rsync is not installed" in said
