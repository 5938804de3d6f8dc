"""The fleet: who may come in, what the site finds there, and what is left behind."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox import files
from tests.sandbox.asking import on, ssh
from tests.sandbox.docker import docker
from tests.sandbox.fleet import down, status, up
from tests.sandbox.members import Fleet, Machine, prefix

pytestmark = pytest.mark.docker

MACHINES = (Machine("web1", ("web",)), Machine("box1", ("static", "db")))


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    state = tmp_path_factory.mktemp("fleet") / "state"
    try:
        yield up(state, machines=MACHINES)
    finally:
        down(state, keep_image=True)


def test_the_fleets_key_opens_the_door(fleet: Fleet) -> None:
    assert ssh(fleet, "web1", "id -un; hostname").stdout == "deploy\nweb1\n"


def test_sshd_refuses_passwords(fleet: Fleet) -> None:
    asked = ssh(fleet, "web1", "true", "-o", "PubkeyAuthentication=no")
    assert "Permission denied (publickey)" in asked.stderr


def test_sshd_refuses_root_with_a_key_that_root_trusts(fleet: Fleet) -> None:
    trust = "mkdir -p /root/.ssh && cp /home/deploy/.ssh/authorized_keys /root/.ssh/"
    assert on(fleet, "web1", trust)[0]
    asked = ssh(fleet, "web1", "true", "-l", "root")
    assert "Permission denied (publickey)" in asked.stderr


def test_every_host_has_a_key_of_its_own(fleet: Fleet) -> None:
    keys = [line.split()[2] for line in (fleet.state / files.KNOWN_HOSTS).read_text().splitlines()]
    assert len(keys) == len(set(keys)) == len(MACHINES)


def test_the_deploy_user_may_run_its_lines_as_root_and_no_other(fleet: Fleet) -> None:
    def allowed(name: str) -> list[str]:
        lines = ssh(fleet, name, "sudo -n -l").stdout.splitlines()
        return [line.split(") ")[1] for line in lines if "NOPASSWD" in line or "ALL" in line]

    program = "NOPASSWD: /usr/local/sbin/deploy-root"
    assert allowed("web1") == [
        f"{program} restart-slot guestbook blue",
        f"{program} restart-slot guestbook green",
        f"{program} apache guestbook",
    ]
    assert allowed("box1") == [f"{program} nginx guestbook"]


@pytest.mark.parametrize(
    "line",
    [
        "id",
        "/usr/local/sbin/deploy-root",
        "/usr/local/sbin/deploy-root restart-slot guestbook red",
        "/usr/local/sbin/deploy-root restart-slot guestbook blue green",
        "/usr/local/sbin/deploy-root apache other",
        "/usr/local/sbin/deploy-root nginx guestbook",
    ],
)
def test_sudo_refuses_everything_else(fleet: Fleet, line: str) -> None:
    asked = ssh(fleet, "web1", f"sudo -n {line}")
    assert asked.returncode == 1
    assert "a password is required" in asked.stderr


def test_the_deploy_user_cannot_change_what_root_runs(fleet: Fleet) -> None:
    lines = (
        "echo >>/usr/local/sbin/deploy-root",
        "touch /usr/local/sbin/x",
        "cat /etc/sudoers.d/deploy-guestbook",
    )
    assert not any(ssh(fleet, "web1", line).returncode == 0 for line in lines)


def test_the_site_reads_its_secrets_and_others_do_not(fleet: Fleet) -> None:
    env = "/srv/www/guestbook/shared/env"
    assert on(fleet, "web1", f"runuser -u www-data -- grep -q DATABASE_URL {env}")[0]
    assert not on(fleet, "web1", f"runuser -u nobody -- cat {env}")[0]
    told = docker("inspect", fleet.container("web1"), fleet.container("box1"))
    assert files.keep_secrets(fleet.state).database not in told


def test_the_site_reaches_its_database_by_the_name_in_its_environment(fleet: Fleet) -> None:
    # By a file: a password in a command line would be seen by every user of the host.
    program = """
from urllib.parse import urlsplit, unquote
for line in open("/srv/www/guestbook/shared/env"):
    name, _, value = line.strip().partition("=")
    if name == "DATABASE_URL":
        url = urlsplit(value)
        print("*:*:*:*:" + unquote(url.password), file=open("/root/pass", "w"))
        print(f"postgres://{url.username}@{url.hostname}:{url.port}{url.path}")
"""
    asked = f"""umask 077; url=$(python3 -c '{program}')
PGPASSFILE=/root/pass psql -tA "$url" -c "select current_user"; rm /root/pass"""
    assert on(fleet, "web1", asked) == (True, "guestbook\n")


def test_preparing_a_host_again_changes_nothing(fleet: Fleet) -> None:
    def seen() -> str:
        places = "/srv/www /etc/sudoers.d /usr/local/sbin/deploy-root /etc/apache2"
        return on(fleet, "web1", rf"find {places} -printf '%p %u:%g %m\n' | sort")[1]

    before = seen()
    told: list[str] = []
    up(fleet.state, told.append, machines=MACHINES)
    assert seen() == before
    assert sorted(told) == ["box1: already running, ready", "web1: already running, ready"]


def test_a_restarted_host_is_found_at_the_same_ports(fleet: Fleet) -> None:
    before = status(fleet.state).members
    docker("restart", "--time", "2", fleet.container("box1"))
    assert up(fleet.state, machines=MACHINES).members == before
    assert ssh(fleet, "box1", "hostname").stdout == "box1\n"


def test_a_stopped_host_is_started_again_and_said_to_be(fleet: Fleet) -> None:
    docker("stop", "--time", "2", fleet.container("web1"))
    told: list[str] = []
    up(fleet.state, told.append, machines=MACHINES)
    assert "web1: started again, ready" in told


def test_two_fleets_live_side_by_side_and_one_leaves_nothing_behind(
    fleet: Fleet, tmp_path: Path
) -> None:
    state = tmp_path / "second"
    second = up(state, machines=(Machine("lone1", ("web",)),))
    assert not on(second, "lone1", "getent hosts box1")[0]
    assert on(fleet, "web1", "getent hosts box1")[0]
    down(state, keep_image=True)
    name = prefix(state)
    left = docker("ps", "--all", "--quiet", "--filter", f"name={name}")
    left += docker("network", "ls", "--quiet", "--filter", f"name={name}")
    assert (left, state.exists()) == ("", False)
    assert all(member.state == "running" for member in status(fleet.state).members)


def test_taking_down_what_is_not_there_says_so(tmp_path: Path) -> None:
    told: list[str] = []
    down(tmp_path / "none", told.append, keep_image=True)
    assert told[0] == "there was no fleet"
    assert not (tmp_path / "none").exists()
