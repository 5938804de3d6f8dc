"""Sees to it that a Docker engine answers: installs and starts one where root may do so."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from deploy.errors import Refused
from tests.sandbox.docker import last_lines, try_docker
from tests.sandbox.packages import install

PID = Path("/run/django-fabric-deploy-dockerd.pid")
LOG = Path("/var/log/django-fabric-deploy-dockerd.log")
START_LIMIT = 60.0
Tell = Callable[[str], None]


def ensure(tell: Tell) -> None:
    """Returns when Docker answers; raises Refused with what is missing and what to type."""
    ok, said = try_docker("version", "--format", "{{.Server.Version}}", limit=20)
    if ok:
        return
    installed = bool(shutil.which("docker"))
    host = os.environ.get("DOCKER_HOST", "")
    root = os.geteuid() == 0
    hint = advice(said, sys.platform, root, installed, host)
    if hint:
        raise Refused(f"Docker does not answer: {last_lines(said, 2)}", hint)
    if not installed or not shutil.which("dockerd"):
        install(("docker.io",), tell, why="the fleet's hosts are Docker containers", root=root)
        if _answers_within(5):
            return
    _start(tell)


def answers() -> bool:
    """Whether a Docker engine answers, right now."""
    return bool(shutil.which("docker")) and try_docker("version", limit=20)[0]


def advice(said: str, platform: str, root: bool, installed: bool, docker_host: str) -> str:
    """What a person must do so that Docker answers; empty if we can see to it, or say it better."""
    if docker_host:
        return f"check DOCKER_HOST ({docker_host})"
    if platform != "linux":
        return "install Docker Desktop, start it, then try again"
    if root or not installed:
        return ""
    if "permission denied" in said:
        return "sudo usermod -aG docker $USER, then log in again"
    return "sudo systemctl start docker, or run this as root"


def started_here() -> int:
    """The pid of the dockerd that `ensure` started and that still runs, else 0."""
    try:
        pid = int(PID.read_text())
        name = Path(f"/proc/{pid}/comm").read_text().strip()
    except (OSError, ValueError):
        return 0
    return pid if name == "dockerd" else 0


def stop(tell: Tell) -> None:
    """Stops the dockerd that `ensure` started, unless containers of others still run."""
    pid = started_here()
    if not pid:
        tell("Docker was not started by the sandbox, so it stays")
        return
    others = try_docker("ps", "--quiet")[1].split()
    if others:
        tell(f"Docker stays: {len(others)} other containers run")
        return
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    PID.unlink(missing_ok=True)
    tell("stopped Docker")


def _start(tell: Tell) -> None:
    if Path("/run/systemd/system").is_dir():
        tell("systemctl start docker (as root: Docker does not run)")
        subprocess.run(["systemctl", "start", "docker"], check=False)
        if _answers_within(START_LIMIT):
            return
        raise Refused("Docker does not start", hint="journalctl -u docker")
    tell(f"starting dockerd in the background (as root: Docker does not run; log: {LOG})")
    if _start_alone():
        return
    raise Refused(f"dockerd does not start: {last_lines(LOG.read_text(errors='replace'))}")


def _start_alone() -> bool:
    with LOG.open("wb") as log:
        daemon = subprocess.Popen(
            ["dockerd"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
        )
    PID.write_text(f"{daemon.pid}\n")
    return _answers_within(START_LIMIT, daemon)


def _answers_within(seconds: float, daemon: subprocess.Popen[bytes] | None = None) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if daemon and daemon.poll() is not None:
            return False
        if try_docker("version", limit=10)[0]:
            return True
        time.sleep(0.2)
    return False
