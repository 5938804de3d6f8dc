"""Workers run the release that is live: after a deploy, a rollback, and one that was taken back."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import deploy
from tests.docker.checkout import Checkout
from tests.docker.hosts import ROOT, Hosts, wait_for
from tests.sandbox.docker import docker, try_docker

pytestmark = pytest.mark.docker

UNIT = "guestbook-worker"
UNITS = f'services.units = ["{UNIT}"]'
USER = "www-data"
PROGRAM = Path(deploy.__file__).parent / "templates" / "deploy-root"
INIT = f"""#!/bin/sh
# A worker of the site as an init script: it works for ever in the release that it started with.
PID=/run/{UNIT}.pid
LOOP='import time; [time.sleep(1) for _ in iter(int, 1)]'
start() {{
  if rm /tmp/worker-falls 2>/dev/null; then echo "cannot reach the broker"; return 0; fi
  start-stop-daemon --start --quiet --background --make-pidfile --pidfile $PID --chuid {USER} \\
    --startas {ROOT}/current/venv/bin/python -- {ROOT}/entry/run.py {ROOT} current shell -c "$LOOP"
}}
stop() {{
  start-stop-daemon --stop --quiet --oknodo --retry TERM/5/KILL/5 --pidfile $PID; rm -f $PID
}}
case $1 in
  start) start ;;
  stop) stop ;;
  restart) stop; start ;;
  status) start-stop-daemon --status --pidfile $PID ;;
esac
"""


@pytest.fixture
def worker(hosts: Hosts, live: dict[str, str], checkout: Checkout) -> Checkout:
    """A checkout whose stage has a worker on db1, which root has prepared for it."""
    inventory = checkout.top / "inventories" / "sandbox.toml"
    assert live
    text = inventory.read_text().replace('roles = ["db"]', 'roles = ["db", "worker"]')
    inventory.write_text(text.replace("[project]\n", f"[project]\n{UNITS}\n"))
    hosts.on("db1", f"cat >/etc/init.d/{UNIT} <<'EOT'\n{INIT}EOT\nchmod 755 /etc/init.d/{UNIT}")
    script = checkout.fab("-H", "db1", "setup", "--script").out
    hosts.on("db1", f"cat >/tmp/prepare <<'EOT'\n{script}EOT\nsh /tmp/prepare")
    checkout.fab("setup")
    return checkout


def release_at_work(hosts: Hosts) -> str:
    """The release in whose directory the worker is, once it has entered it."""
    line = f"readlink /proc/$(cat /run/{UNIT}.pid)/cwd"
    wait_for(lambda: "/releases/" in hosts.tried("db1", line, USER)[1])
    return hosts.on("db1", line, USER).strip().rpartition("/")[2]


def test_a_worker_runs_what_is_live_whichever_way_it_became_live(
    hosts: Hosts, live: dict[str, str], worker: Checkout
) -> None:
    worker.title("With a worker")
    release = worker.fab("deploy", "--json").result["release"]
    assert release_at_work(hosts) == release

    worker.title("Whose worker falls")
    hosts.on("db1", "touch /tmp/worker-falls")
    told = worker.fab("deploy", code=5)
    assert f"{UNIT} does not stay up" in told.err
    assert "cannot reach the broker" in told.err
    assert set(hosts.served().values()) == {release}
    assert release_at_work(hosts) == release

    worker.fab("rollback")
    assert hosts.served()["web1"] == live["web1"]
    assert release_at_work(hosts) == live["web1"]
    told = worker.fab("--set", f"services.units={UNIT},other", "deploy", code=3)
    assert "sudo refused to restart other" in told.err
    assert release_at_work(hosts) == live["web1"]

    before = hosts.on("db1", f"cat /run/{UNIT}.pid")
    worker.fab("services.restart")
    assert release_at_work(hosts) == live["web1"]
    assert hosts.on("db1", f"cat /run/{UNIT}.pid") != before
    hosts.on("db1", "touch /tmp/worker-falls")
    told = worker.fab("services.restart", code=3)
    assert f"{UNIT} does not stay up" in told.err
    assert "put back" not in told.err
    hosts.on("db1", f"rm -f /tmp/worker-falls; service {UNIT} stop")


def test_a_command_restarts_what_has_no_unit_and_knows_the_release(
    hosts: Hosts, worker: Checkout
) -> None:
    inventory = worker.top / "inventories" / "sandbox.toml"
    writes = "echo $RELEASE in $(pwd -P) >/tmp/restarted; test ! -e /tmp/worker-falls"
    command = f"services.command = ['sh', '-c', '{writes}']"
    inventory.write_text(inventory.read_text().replace(UNITS, command))
    worker.title("With a command")
    release = worker.fab("deploy", "--json").result["release"]
    expected = f"{release} in {ROOT}/releases/{release}"
    assert hosts.on("db1", "cat /tmp/restarted").strip() == expected

    worker.title("Not restarted")
    hosts.on("db1", "touch /tmp/worker-falls")
    told = worker.fab("deploy", code=5)
    hosts.on("db1", "rm /tmp/worker-falls")
    assert "the command that restarts services ended with 1" in told.err
    assert "warning: the command that restarts services ended with 1" in told.out
    assert "nothing was cut off" in worker.fab("recover").out
    assert hosts.on("db1", "cat /tmp/restarted").strip() == expected
    assert set(hosts.served().values()) == {release}

    hosts.on("db1", "touch /tmp/worker-falls")
    told = worker.fab("--set", "services.required=false", "deploy")
    hosts.on("db1", "rm /tmp/worker-falls")
    assert "warning: the command that restarts services ended with 1" in told.out
    assert set(hosts.served().values()) == {hosts.released("web1")} != {release}


def _has_booted(container: str) -> bool:
    said = try_docker("exec", container, "systemctl", "is-system-running")[1]
    return said.strip() in ("running", "degraded")


@pytest.fixture
def booted(hosts: Hosts) -> Iterator[str]:
    """A machine of its own, as root sees it after boot: systemd is its first process."""
    name = f"{hosts.fleet.container('db1')}-booted"
    image = docker("inspect", "--format", "{{.Image}}", hosts.fleet.container("db1")).strip()
    rights = ("--cap-add=SYS_ADMIN", "--security-opt=seccomp=unconfined", "--cgroupns=private")
    folders = ("--tmpfs=/run", "--tmpfs=/tmp", "--entrypoint=/lib/systemd/systemd")
    docker("run", "--detach", "--name", name, *rights, *folders, image)
    try:
        docker("cp", str(PROGRAM), f"{name}:/usr/local/sbin/deploy-root")
        wait_for(lambda: _has_booted(name))
        yield name
    finally:
        docker("rm", "--force", name)


def test_under_systemd_a_unit_that_ends_at_once_has_failed_and_says_why(booted: str) -> None:
    def unit(name: str, program: str, more: str = "") -> None:
        text = f"[Service]\\nExecStart={program}\\n{more}\\n"
        line = f"printf '{text}' >/etc/systemd/system/{name}.service && systemctl daemon-reload"
        docker("exec", booted, "sh", "-c", line)

    unit("good", "/bin/sleep 1000")
    unit("bad", '/bin/sh -c "echo no broker; exit 3"')
    unit("again", '/bin/sh -c "sleep 2; exit 3"', "Restart=on-failure")
    program = ("exec", booted, "bash", "-p", "/usr/local/sbin/deploy-root", "restart-unit", "shop")
    assert try_docker(*program, "good")[0]
    started = docker("exec", booted, "systemctl", "show", "--property=MainPID", "good")
    assert try_docker(*program, "good")[0]
    assert started != docker("exec", booted, "systemctl", "show", "--property=MainPID", "good")
    done, said = try_docker(*program, "bad")
    assert not done
    assert "no broker" in said
    assert "bad does not stay up" in said
    done, said = try_docker(*program, "again")
    assert not done, "whenever systemd starts it again, it is up for a moment"
    assert "again does not stay up" in said
    assert "nothing did not restart" in try_docker(*program, "nothing")[1]
    assert "not the name of a unit: --now" in try_docker(*program, "--now")[1]
