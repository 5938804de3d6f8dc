"""The fleet and the hosts in it: who may come in, what they may do as root, what is left behind."""

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.webserver import process_title
from tests.sandbox import files
from tests.sandbox.docker import docker, try_docker
from tests.sandbox.fleet import down, status, up
from tests.sandbox.members import Fleet, Machine, prefix

pytestmark = pytest.mark.docker

MACHINES = (Machine("web1", ("web",)), Machine("box1", ("static", "db")))
SITES = "/etc/apache2/sites-available"
DAEMONS = """
WSGIDaemonProcess {name}-{slot} display-name={title} processes=2
WSGIImportScript /srv/app.wsgi process-group={name}-{slot} application-group=%{{GLOBAL}}
"""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    state = tmp_path_factory.mktemp("fleet") / "state"
    try:
        yield up(state, machines=MACHINES)
    finally:
        down(state, keep_image=True)


def ssh(fleet: Fleet, name: str, line: str, *options: str) -> subprocess.CompletedProcess[str]:
    port = next(member.ssh_port for member in fleet.members if member.name == name)
    trusted = f"UserKnownHostsFile={fleet.state / files.KNOWN_HOSTS}"
    strict = ("-F", "none", "-o", "StrictHostKeyChecking=yes", "-o", trusted)
    words = (*strict, "-o", "BatchMode=yes", "-i", str(fleet.state / files.KEY), *options)
    target = () if "-l" in options else ("-l", "deploy")
    return subprocess.run(
        ["ssh", *words, *target, "-p", str(port), "127.0.0.1", line],
        capture_output=True,
        text=True,
        check=False,
    )


def on(fleet: Fleet, name: str, line: str, stdin: str = "") -> tuple[bool, str]:
    """Whether root's `line` succeeded on the host, and what it said."""
    words = ("exec", "--interactive", fleet.container(name), "sh", "-c", line)
    return try_docker(*words, stdin=stdin.encode())


def install(fleet: Fleet, site: str, text: str) -> tuple[str, str]:
    """What deploy-root said to Apache's file `text`, and with which exit code it ended."""
    said = on(fleet, "web1", f"deploy-root apache {site} 2>&1; echo code $?", stdin=text)[1]
    body, _, code = said.rpartition("code ")
    return body, code.strip()


def daemons(fleet: Fleet, slots: tuple[tuple[str, str], ...]) -> dict[str, set[str]]:
    """The ids of each slot's processes, as soon as every slot has its two."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        lines = on(fleet, "web1", "ps -e -o pid= -o args= | awk '{print $2, $1}'")[1].splitlines()
        found = {process_title(*slot): set[str]() for slot in slots}
        for name, number in (line.split() for line in lines):
            found.get(name, set()).add(number)
        if all(len(numbers) == 2 for numbers in found.values()):
            return found
        time.sleep(0.1)
    raise AssertionError(f"not two processes in every slot: {found}")


def wait_until(true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while not true() and time.monotonic() < deadline:
        time.sleep(0.1)
    return true()


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
    url = "$(sed -n s/^DATABASE_URL=//p /srv/www/guestbook/shared/env)"
    asked = f'psql -tA "{url}" -c "select current_user"'
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


def test_a_link_in_the_sites_directory_never_leads_root_elsewhere(fleet: Fleet) -> None:
    media = "/srv/www/guestbook/shared/media"
    ssh(fleet, "web1", f"rmdir {media} && ln -s /etc/apt {media}")
    prepare = Path(__file__).parent.parent.parent / "deploy" / "templates"
    for name in ("prepare-host.sh", "deploy-root"):
        docker("cp", str(prepare / name), f"{fleet.container('web1')}:/root/{name}")
    line = "sh /root/prepare-host.sh --name guestbook --user deploy --roles web"
    done, said = on(fleet, "web1", line)
    ssh(fleet, "web1", f"rm {media} && mkdir -p {media}")
    assert not done
    assert "Operation not permitted" in said
    assert on(fleet, "web1", "stat -c %U:%G:%a /etc/apt")[1] == "root:root:755\n"
    assert on(fleet, "web1", line)[0]


def test_restarting_a_slot_leaves_the_other_and_sites_with_longer_names(fleet: Fleet) -> None:
    assert on(fleet, "web1", "echo 'def application(e, s): pass' >/srv/app.wsgi")[0]
    slots = (("shop", "blue"), ("shop", "green"), ("shop-2", "blue"), ("shop-blue", "blue"))
    text = "".join(
        DAEMONS.format(name=name, slot=slot, title=process_title(name, slot))
        for name, slot in slots
    )
    assert install(fleet, "shop", text)[1] == "0"
    before = daemons(fleet, slots)
    assert on(fleet, "web1", "deploy-root restart-slot shop blue")[0]
    gone, *kept = (process_title(*slot) for slot in slots)
    assert wait_until(lambda: not daemons(fleet, slots)[gone] & before[gone])
    after = daemons(fleet, slots)
    assert [after[each] for each in kept] == [before[each] for each in kept]


def test_restarting_a_slot_that_has_no_processes_is_no_failure(fleet: Fleet) -> None:
    assert on(fleet, "web1", "deploy-root restart-slot nowhere green") == (True, "")


def test_the_same_configuration_again_reloads_nothing(fleet: Fleet) -> None:
    install(fleet, "same", "# the same\n")
    assert install(fleet, "same", "# the same\n") == ("unchanged\n", "0")


def test_a_changed_configuration_is_shown_and_served(fleet: Fleet) -> None:
    install(fleet, "news", "Redirect 302 /old /first\n")
    said, code = install(fleet, "news", "Redirect 302 /old /second\n")
    assert code == "0"
    assert "-Redirect 302 /old /first\n+Redirect 302 /old /second\n" in said
    assert "/second" in on(fleet, "web1", "curl -sI http://127.0.0.1/old")[1]


def test_a_configuration_that_apache_refuses_is_put_back(fleet: Fleet) -> None:
    install(fleet, "broken", "# good\n")
    said, code = install(fleet, "broken", "NoSuchDirective on\n")
    assert code == "65"
    assert "Invalid command 'NoSuchDirective'" in said
    assert on(fleet, "web1", f"cat {SITES}/broken.conf; apachectl configtest 2>&1")[1] == (
        "# good\nSyntax OK\n"
    )


def test_a_first_configuration_that_apache_refuses_leaves_no_file(fleet: Fleet) -> None:
    assert install(fleet, "first", "NoSuchDirective on\n")[1] == "65"
    found = on(fleet, "web1", "find /etc/apache2 -name '*first*'")[1]
    assert found == ""


def test_a_port_that_another_program_holds_is_refused_before_anything_changes(fleet: Fleet) -> None:
    container = fleet.container("web1")
    docker("exec", "--detach", container, "python3", "-m", "http.server", "8199")
    assert on(fleet, "web1", "until curl -so /dev/null http://127.0.0.1:8199/; do sleep 0.1; done")
    said, code = install(fleet, "taken", "Listen 127.0.0.1:8199\n")
    on(fleet, "web1", "pkill -f http.server")
    assert (said, code) == (
        "deploy-root: port 8199 is in use by another program; nothing was changed\n",
        "65",
    )


def test_a_port_of_apaches_own_is_not_taken(fleet: Fleet) -> None:
    assert install(fleet, "own", "Listen 127.0.0.1:8197\n")[1] == "0"
    assert install(fleet, "own", "# again\nListen 127.0.0.1:8197\n")[1] == "0"


def test_an_apache_that_dies_of_a_configuration_is_back_with_the_old_one(fleet: Fleet) -> None:
    # No configuration test notices an address that this host does not have.
    said, code = install(fleet, "fatal", "Listen 203.0.113.9:8198\n")
    assert code == "65"
    assert "could not bind to address 203.0.113.9:8198" in said
    assert on(fleet, "web1", "curl -s -o /dev/null http://127.0.0.1/")[0]


def test_a_configuration_that_is_too_big_is_refused(fleet: Fleet) -> None:
    said, code = install(fleet, "big", "#" * 262_145)
    assert code == "64"
    assert "nothing was changed" in said
    assert on(fleet, "web1", f"ls -A {SITES} | grep -c big")[1] == "0\n"


@pytest.mark.parametrize("name", ["../etc", "Shop", "-x", "a b", "", "x" * 32])
def test_a_name_that_no_site_can_have_is_refused(fleet: Fleet, name: str) -> None:
    said = on(fleet, "web1", f"deploy-root apache '{name}' 2>&1; echo $?", stdin="# x\n")[1]
    assert said.endswith("64\n")


def test_nginx_serves_what_is_installed_and_keeps_it_when_the_next_is_broken(fleet: Fleet) -> None:
    good = "server { listen 80; location / { return 200 yes; } }\n"
    line = "deploy-root nginx guestbook 2>&1; echo code $?"
    assert on(fleet, "box1", line, stdin=good)[1].endswith("code 0\n")
    assert on(fleet, "box1", "curl -s http://127.0.0.1/")[1] == "yes"
    assert on(fleet, "box1", line, stdin="server { listen; }\n")[1].endswith("code 65\n")
    assert (
        on(fleet, "box1", "nginx -s reload 2>&-; sleep 0.3; curl -s http://127.0.0.1/")[1] == "yes"
    )


def test_a_port_that_nginx_cannot_have_is_refused_before_anything_changes(fleet: Fleet) -> None:
    line = "deploy-root nginx other 2>&1; echo code $?"
    said = on(fleet, "box1", line, stdin="server {\n listen 127.0.0.1:5432;\n}\n")[1]
    assert said.startswith("deploy-root: port 5432 is in use by another program")
    assert said.endswith("code 65\n")
    assert on(fleet, "box1", "find /etc/nginx -name '*other*'")[1] == ""


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
