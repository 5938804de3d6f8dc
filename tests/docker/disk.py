"""A disk of a host that is nearly full."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.docker.hosts import Hosts
from tests.sandbox.docker import docker


def as_root(hosts: Hosts, name: str, line: str) -> None:
    """A shell line with the rights of a real machine's root: it may mount."""
    pid = docker("inspect", "--format", "{{.State.Pid}}", hosts.fleet.container(name)).strip()
    words = ("nsenter", "-t", pid, "-m", "-p", "-r", "-w", "sh", "-ec", line)
    subprocess.run(words, check=True, capture_output=True)


@contextmanager
def small_disk(hosts: Hosts, name: str, path: str, room: int) -> Iterator[None]:
    """While the block lasts, the directory of the host has `room` KiB left and no more."""
    used = f"$(($(df --output=used {path} | tail -n 1) + {room}))"
    as_root(
        hosts,
        name,
        f"cp -a {path} {path}.aside && mount -t tmpfs -o mode=755 tmpfs {path} && "
        f"chown --reference={path}.aside {path} && cp -a {path}.aside/. {path}/ && "
        f"mount -o remount,size={used}k {path}",
    )
    try:
        yield
    finally:
        as_root(hosts, name, f"umount -l {path} && rm -rf {path} && mv {path}.aside {path}")
