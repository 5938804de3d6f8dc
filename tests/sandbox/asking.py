"""Asks a host of a fleet for something: through its door as the deploy user, or as root inside."""

import subprocess

from tests.sandbox import files
from tests.sandbox.docker import try_docker
from tests.sandbox.members import Fleet


def ssh(fleet: Fleet, name: str, line: str, *options: str) -> subprocess.CompletedProcess[str]:
    """What became of `line`, run through OpenSSH; `-l USER` among `options` names another user."""
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
