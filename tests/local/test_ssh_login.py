"""Logging in: who is let in, who is refused, and what the refusal says."""

import re
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import paramiko
import pytest

from deploy.command import Command
from deploy.errors import DeployError, Refused
from deploy.here import Here
from deploy.host import Host
from deploy.reach import LinkLost, open_all
from deploy.reach import Reach as ReachProtocol
from deploy.ssh.connect import connect
from deploy.ssh.link import Link
from deploy.ssh.times import Times
from tests.local.conftest import QUICK, Machine
from tests.local.locallink import LocalLink
from tests.local.sshserver import Proxy
from tests.local.test_ssh_channel import gone_within, pids_in

Machines = Callable[[str], Machine]
Reach = Callable[..., Link]
Proxies = Callable[..., Proxy]


def refusal(host: Host) -> Refused:
    link = Link(host, "", QUICK)
    with pytest.raises(Refused) as caught:
        link.open()
    link.close()
    return caught.value


def test_a_command_runs_over_one_login_and_one_program(machine: Machines, reach: Reach) -> None:
    web = machine("web1")
    link = reach(web.host, 'hello() { echo "hello from $PWD"; }')
    result = link.execute(Command(("hello",)), lambda _: None)
    assert result.output == f"hello from {web.home}\n"
    for _ in range(5):
        assert link.execute(Command(("true",)), lambda _: None).ok
    assert web.server.habits.logins == 1
    assert len(web.server.habits.programs) == 1
    assert (link.name, link.door) == ("web1", f"127.0.0.1:{web.server.port}")


def test_a_secret_is_not_in_the_line_that_starts_the_program(
    machine: Machines, reach: Reach
) -> None:
    web = machine("web1")
    reach(web.host).execute(Command(("cat",), stdin="canary"), lambda _: None)
    assert "canary" not in "".join(web.server.habits.programs)


def test_noise_before_the_first_marker_is_dropped(machine: Machines, reach: Reach) -> None:
    web = machine("web1")
    web.server.habits.noise = b"Welcome!\r\n\x1e\x1b[31m no newline"
    assert reach(web.host).execute(Command(("echo", "x")), lambda _: None).output == "x\n"


def test_a_name_that_does_not_resolve_is_refused(machine: Machines) -> None:
    host = replace(machine("web1").host, address="no-such-host.invalid")
    assert "web1: cannot resolve no-such-host.invalid" in refusal(host).what


def test_a_closed_port_is_refused(machine: Machines) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        error = refusal(machine("web1").with_ssh(port=port))
    assert f"web1: 127.0.0.1:{port} refuses connections" in error.what
    assert error.exit_code == 2


def test_a_server_without_a_greeting_is_given_up_in_time(machine: Machines) -> None:
    web = machine("web1")
    web.server.habits.banner = False
    began = time.monotonic()
    error = refusal(web.with_ssh(connect_timeout=1.0))
    assert time.monotonic() - began < 3
    assert re.match(r"web1: 127.0.0.1:\d+ (hangs|closes)", error.what)
    assert "hangs" in error.what


def test_an_address_that_swallows_everything_is_given_up_in_time(machine: Machines) -> None:
    # A full backlog: the kernel drops what else wants to connect, as a firewall does.
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        began = time.monotonic()
        error = refusal(machine("web1").with_ssh(port=port, connect_timeout=1.0))
        assert time.monotonic() - began < 3
        for one in waiting:
            one.close()
    assert "within 1 seconds" in error.what


def test_an_unknown_host_key_is_refused_with_its_fingerprint_and_the_next_command(
    machine: Machines, tmp_path: Path
) -> None:
    web = machine("web1")
    empty = tmp_path / "empty known"
    error = refusal(web.with_ssh(known_hosts=str(empty)))
    assert f"web1: unknown host key ecdsa-sha2-nistp256 {fingerprint(web)}" in error.what
    assert f"not in {empty}" in error.what
    assert error.hint.endswith(f"ssh-keyscan -p {web.server.port} 127.0.0.1 >> '{empty}'")
    assert web.server.habits.logins == 0


def test_a_changed_host_key_is_refused_with_both_fingerprints(
    machine: Machines, tmp_path: Path
) -> None:
    web = machine("web1")
    other = paramiko.ECDSAKey.generate()
    file = tmp_path / "known"
    place = f"[127.0.0.1]:{web.server.port}"
    file.write_text(f"{place} {other.get_name()} {other.get_base64()}\n")
    error = refusal(web.with_ssh(known_hosts=str(file)))
    assert "CHANGED" in error.what
    assert fingerprint(web) in error.what
    assert other.fingerprint in error.what
    assert error.hint.endswith(f"ssh-keygen -R '{place}' -f {file}")
    assert web.server.habits.logins == 0


def test_a_revoked_host_key_is_refused_although_it_is_known(
    machine: Machines, tmp_path: Path
) -> None:
    web = machine("web1")
    key = f"{web.server.host_key.get_name()} {web.server.host_key.get_base64()}"
    file = tmp_path / "known"
    file.write_text(f"[127.0.0.1]:{web.server.port} {key}\n@revoked * {key}\n")
    assert "is revoked" in refusal(web.with_ssh(known_hosts=str(file))).what


def test_a_key_that_is_not_let_in_is_named(machine: Machines, tmp_path: Path) -> None:
    other = tmp_path / "other"
    paramiko.ECDSAKey.generate().write_private_key_file(str(other))
    error = refusal(machine("web1").with_ssh(identity=str(other)))
    assert "user deploy is not let in" in error.what
    assert str(other) in error.what


def test_a_user_that_is_not_let_in_is_named(machine: Machines) -> None:
    assert "user nobody is not let in" in refusal(machine("web1").with_ssh(user="nobody")).what


def test_a_missing_key_file_is_named(machine: Machines, tmp_path: Path) -> None:
    error = refusal(machine("web1").with_ssh(identity=str(tmp_path / "none")))
    assert f"the key file {tmp_path / 'none'} does not exist" in error.what


def test_a_file_that_is_no_key_is_named(machine: Machines, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    error = refusal(machine("web1").with_ssh(identity=str(tmp_path / "text")))
    assert f"{tmp_path / 'text'} cannot be read" in error.what


def test_a_key_with_a_passphrase_asks_for_the_agent(machine: Machines, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    paramiko.ECDSAKey.generate().write_private_key_file(str(locked), password="secret")  # noqa: S106  # a test's
    error = refusal(machine("web1").with_ssh(identity=str(locked)))
    assert "has a passphrase" in error.what
    assert error.hint == f"ssh-add {locked}"


def test_a_host_without_bash_is_refused(machine: Machines, tmp_path: Path) -> None:
    web = machine("web1")
    web.server.habits.path = str(tmp_path / "nothing")
    web.server.habits.shell = "/bin/sh"
    error = refusal(web.host)
    assert "web1: there is no bash" in error.what


def test_a_host_that_starts_no_programs_is_refused(machine: Machines) -> None:
    web = machine("web1")
    web.server.habits.starts = False
    assert "web1: logged in, but it starts no program" in refusal(web.host).what


def test_a_host_that_hangs_after_the_login_is_given_up_in_time(machine: Machines) -> None:
    web = machine("web1")
    web.server.habits.ponders = 6.0
    began = time.monotonic()
    error = refusal(web.with_ssh(connect_timeout=1.0))
    assert time.monotonic() - began < 3
    assert "web1: logged in, but it starts no program" in error.what


def test_a_missing_ssh_configuration_is_refused(machine: Machines, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="does not exist"):
        Link(machine("web1").with_ssh(config=str(tmp_path / "none")), "")


def test_logins_that_are_dropped_are_tried_again(machine: Machines, reach: Reach) -> None:
    web = machine("web1")
    web.server.habits.drops = 2
    assert reach(web.host).execute(Command(("true",)), lambda _: None).ok


def test_logins_that_are_always_dropped_are_refused(machine: Machines) -> None:
    web = machine("web1")
    web.server.habits.drops = 100
    assert "closes connections before the login" in refusal(web.host).what


def test_the_ssh_configuration_is_honoured(machine: Machines, reach: Reach, tmp_path: Path) -> None:
    web = machine("web1")
    config = tmp_path / "config"
    config.write_text(
        f"Host shop\n Hostname 127.0.0.1\n Port {web.server.port}\n User deploy\n"
        f" IdentityFile {web.host.ssh.identity}\n"
    )
    host = web.with_ssh(config=str(config), port=0, user="", identity="")
    link = reach(replace(host, address="shop"))
    assert link.execute(Command(("true",)), lambda _: None).ok


def test_what_the_ssh_configuration_includes_counts_and_a_key_that_is_gone_is_passed_by(
    machine: Machines, reach: Reach, tmp_path: Path
) -> None:
    web = machine("web1")
    (tmp_path / "included").write_text(f"Host shop\n HostName 127.0.0.1\n Port {web.server.port}\n")
    config = tmp_path / "config"
    config.write_text(
        f"Include {tmp_path}/inc*\nUser deploy\nIdentityFile {tmp_path}/gone\n"
        f"IdentityFile {web.host.ssh.identity}\n"
    )
    host = web.with_ssh(config=str(config), port=0, user="", identity="")
    link = reach(replace(host, address="shop"))
    assert link.execute(Command(("true",)), lambda _: None).ok


@pytest.mark.parametrize(
    "line", ["ForwardAgent $SSH_AUTH_SOCK", "ProxyJump a,b", "ConnectTimeout 3s"]
)
def test_what_is_not_understood_of_the_ssh_configuration_is_refused_by_name(
    machine: Machines, tmp_path: Path, line: str
) -> None:
    config = tmp_path / "config"
    config.write_text(f"Host *\n {line}\n")
    with pytest.raises(
        Refused, match=r"what the SSH configuration says of 127\.0\.0\.1 is not understood"
    ):
        Link(machine("web1").with_ssh(config=str(config)), "")


def test_a_gateway_with_a_key_of_its_own_is_not_offered_the_hosts(
    machine: Machines, tmp_path: Path
) -> None:
    web, config = machine("web1"), tmp_path / "config"
    for line, offered in (("IdentityFile /its/own", ""), ("Port 2222", web.host.ssh.identity)):
        config.write_text(f"Host bastion\n {line}\n")
        gateway = connect(web.with_ssh(config=str(config), gateway="bastion")).gateway
        assert gateway._identity_file == offered


def test_a_gateway_is_gone_through(machine: Machines, reach: Reach) -> None:
    gate, web = machine("gate"), machine("web1")
    gateway = f"deploy@127.0.0.1:{gate.server.port}"
    link = reach(web.with_ssh(gateway=gateway))
    assert link.execute(Command(("pwd",)), lambda _: None).output == f"{web.home}\n"
    assert (gate.server.habits.logins, web.server.habits.logins) == (1, 1)
    assert link.door == f"127.0.0.1:{gate.server.port}"


def test_a_gateway_that_does_not_let_us_in_is_named(machine: Machines) -> None:
    gate, web = machine("gate"), machine("web1")
    error = refusal(web.with_ssh(gateway=f"nobody@127.0.0.1:{gate.server.port}"))
    assert error.what.startswith("web1 (gateway 127.0.0.1): user nobody is not let in")


def test_a_gateway_that_cannot_reach_the_host_says_so(machine: Machines) -> None:
    gate, web = machine("gate"), machine("web1")
    web.server.close()
    error = refusal(web.with_ssh(gateway=f"deploy@127.0.0.1:{gate.server.port}"))
    assert "web1: the gateway cannot reach" in error.what


def test_all_bad_hosts_are_listed_not_only_the_first(machine: Machines) -> None:
    good, unknown, closed = machine("good"), machine("unknown"), machine("closed")
    closed.server.close()
    hosts = [good.host, unknown.with_ssh(known_hosts="/dev/null"), closed.host]
    links = [Link(host, "", QUICK) for host in hosts]
    failed = open_all(links)
    for link in links:
        link.close()
    assert list(failed) == ["unknown", "closed"]
    assert all(isinstance(error, Refused) for error in failed.values())


def test_at_most_eight_log_in_at_once_at_one_door(machine: Machines) -> None:
    web = machine("web1")
    web.server.habits.delay = 0.1
    links = [Link(replace(web.host, name=f"web{n}"), "", QUICK) for n in range(20)]
    failed: dict[str, DeployError] = open_all(links)
    for link in links:
        link.close()
    assert not failed
    assert web.server.habits.most_at_once <= 8


def test_a_cut_connection_is_noticed_and_its_work_ended(
    machine: Machines, reach: Reach, proxy: Proxies
) -> None:
    web = machine("web1")
    line = proxy(web.server.port)
    link = reach(trusting(web, line, 5.0))
    with pytest.raises(LinkLost, match="web1: the connection was lost during: bash -c"):
        link.execute(
            Command(("bash", "-c", "echo $$ >pid; echo up; sleep 300")), lambda _: line.close()
        )
    assert gone_within(pids_in(web.home / "pid", 1), 10)
    with pytest.raises(LinkLost):
        link.execute(Command(("true",)), lambda _: None)


def test_a_silent_network_is_noticed(machine: Machines, reach: Reach, proxy: Proxies) -> None:
    web = machine("web1")
    line = proxy(web.server.port)
    link = reach(trusting(web, line, 5.0), "", Times(beat=0.2, dead=1.0, gone=60, grace=0.5))
    began = time.monotonic()
    with pytest.raises(LinkLost, match=r"web1: hangs: .*during: bash -c"):
        link.execute(Command(("bash", "-c", "echo up; sleep 300")), lambda _: line.silence())
    assert 1 < time.monotonic() - began < 4


def test_a_lost_link_can_be_opened_again(machine: Machines, reach: Reach) -> None:
    web = machine("web1")
    link = reach(web.host, "hello() { echo hello; }")
    web.server.drop()
    with pytest.raises(LinkLost, match="web1: the connection was lost during: hello"):
        link.execute(Command(("hello",)), lambda _: None)
    with pytest.raises(LinkLost, match="web1: the connection was lost during: true"):
        link.execute(Command(("true",)), lambda _: None)
    link.open()
    assert link.execute(Command(("hello",)), lambda _: None).output == "hello\n"
    assert web.server.habits.logins == 2


def test_an_interrupted_wait_ends_the_work_before_the_next_begins(
    machine: Machines, reach: Reach
) -> None:
    web = machine("web1")
    link = reach(web.host)

    def interrupt(_line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        link.execute(Command(("bash", "-c", "echo $$ >pid; echo up; sleep 300")), interrupt)
    assert link.execute(Command(("echo", "undo")), lambda _: None).output == "undo\n"
    assert gone_within(pids_in(web.home / "pid", 1), 1)


def test_links_and_this_machine_have_one_interface(machine: Machines) -> None:
    host = machine("web1").host
    reaches: tuple[ReachProtocol, ...] = (Link(host, ""), Here(), LocalLink(Path("/tmp")))
    assert [reach.name for reach in reaches] == ["web1", "here", "local"]


def test_ordinary_fabric_tasks_work_on_the_same_login(machine: Machines) -> None:
    web = machine("web1")
    connection = connect(web.host)
    result = connection.run("printf 'é%.0s' $(seq 1 20000); exit 3", warn=True, hide=True)
    assert (result.exited, len(result.stdout)) == (3, 20_000)
    assert "�" not in result.stdout
    connection.close()


def trusting(web: Machine, line: Proxy, timeout: float) -> Host:
    key = web.server.host_key
    with Path(web.host.ssh.known_hosts).open("a") as file:
        file.write(f"[127.0.0.1]:{line.port} {key.get_name()} {key.get_base64()}\n")
    return web.with_ssh(port=line.port, connect_timeout=timeout)


def fingerprint(web: Machine) -> str:
    return str(web.server.host_key.fingerprint)
