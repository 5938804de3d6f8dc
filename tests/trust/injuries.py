"""Ways to hurt a host and to heal it again: its machine, its network, its disks, its programs."""

import json
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from deploy.errors import PrepareFailed
from tests.sandbox.docker import docker
from tests.sandbox.fleet import up
from tests.trust.hosts import ALL, ROOT
from tests.trust.world import World

HEALS = 3
"""How often a fleet is brought up before a host counts as lost."""
WAIT = "while [ ! -e {go} ]; do sleep 0.02; done"
"""What a trapped program does until it is let go."""


@dataclass(frozen=True)
class Trap:
    """A program of a host that waits to be called, and then for us."""

    world: World
    name: str
    flag: str

    def sprung(self, seconds: float = 60.0) -> None:
        """Wait until it was called; AssertionError if it never is."""
        until = time.monotonic() + seconds
        while self.world.hosts.on(self.name, f"ls {self.flag} 2>/dev/null || true").strip():
            assert time.monotonic() < until, f"nobody called the trapped program on {self.name}"
            time.sleep(0.02)

    def let_go(self) -> None:
        """The program may go on."""
        self.world.hosts.on(self.name, f"touch {self.flag}.go")


@contextmanager
def trap(
    world: World, name: str, program: str, when: str, what: str = WAIT, *, once: bool = True
) -> Iterator[Trap]:
    """While the block lasts, a call of `program` on the host first does `what`.

    `when` is a shell pattern for its arguments. By default the first such call waits until it is
    let go; unless `once`, every call does `what`.
    """
    flag = f"/tmp/trap-{program}"
    caught = f"rm {flag} 2>/dev/null" if once else "true"
    wrapper = (
        f'#!/bin/sh\ncase "$*" in {when}) if {caught}; then\n'
        f'{what.format(go=flag + ".go")}\nfi ;; esac\nexec /usr/bin/{program} "$@"\n'
    )
    path = f"/usr/local/bin/{program}"
    clean = f"rm -f {path} {flag} {flag}.*"
    world.hosts.on(
        name,
        f"{clean}; touch {flag}; chown deploy {flag}; printf %s {shlex.quote(wrapper)} >{path}.new;"
        f"chmod 755 {path}.new; mv {path}.new {path}",
    )
    try:
        yield Trap(world, name, flag)
    finally:
        with_quiet(lambda: world.hosts.on(name, f"touch {flag}.go; sleep 0.1; {clean}"))


def with_quiet(act: Callable[[], object]) -> None:
    """Do it if the host is there."""
    try:
        act()
    except OSError:
        return


def docker_does(world: World, how: str, *names: str) -> None:
    """Docker does `how` to these hosts: pause, unpause, kill, start, restart."""
    docker(how, *(world.fleet.container(name) for name in names))


def heal(world: World) -> None:
    """Start and unpause every host, and wait until all of them serve.

    A controller that was killed leaves its last fault behind, which may stop a host this moment.
    """
    for left in reversed(range(HEALS)):
        for name in ALL:
            words = ("docker", "unpause", world.fleet.container(name))
            subprocess.run(words, capture_output=True, check=False)
        try:
            up(world.fleet.state, tell=lambda _line: None)
        except PrepareFailed:
            if not left:
                raise
            time.sleep(10)
        else:
            return


@contextmanager
def filtered(world: World, name: str, *rule: str) -> Iterator[None]:
    """While the block lasts, the host's own firewall has this rule for SSH, in both directions."""
    words = ("nsenter", "-t", pid(world, name), "-n", "iptables")
    ways: tuple[tuple[str, str], ...] = (("INPUT", "--dport"), ("OUTPUT", "--sport"))
    if rule == RESET:
        ways = ways[:1]
    for chain, port in ways:
        subprocess.run([*words, "-I", chain, "-p", "tcp", port, "22", *rule], check=True)
    try:
        yield
    finally:
        for chain, port in ways:
            subprocess.run([*words, "-D", chain, "-p", "tcp", port, "22", *rule], check=False)


SILENT = ("-j", "DROP")
RESET = ("-j", "REJECT", "--reject-with", "tcp-reset")


@contextmanager
def slow(world: World, name: str, rate: str) -> Iterator[None]:
    """While the block lasts, the host sends no faster than this, in both directions of a call."""
    words = ("nsenter", "-t", pid(world, name), "-n", "tc", "qdisc")
    shape = ("root", "tbf", "rate", rate, "burst", "16kb", "latency", "200ms")
    subprocess.run([*words, "add", "dev", "eth0", *shape], check=True)
    try:
        yield
    finally:
        subprocess.run([*words, "del", "dev", "eth0", "root"], check=False)


def pid(world: World, name: str) -> str:
    """The host's first process, as this machine numbers it."""
    facts = json.loads(docker("inspect", world.fleet.container(name)))
    return str(facts[0]["State"]["Pid"])


@contextmanager
def small_disk(world: World, name: str, path: str, kib: int = 0, inodes: int = 0) -> Iterator[None]:
    """While the block lasts, a directory below the root is a disk of its own, and nearly full.

    It has room for so many KiB, or files, more. What is in it stays there when the block ends.
    """
    place = f"{ROOT}/{path}"
    used = f"$(($(df --output={'iused' if inodes else 'used'} {place} | tail -n 1) + "
    limit = f"nr_inodes={used}{inodes}))" if inodes else f"size={used}{kib}))k"
    root_on(
        world,
        name,
        f"cp -a {place} {place}.aside && mount -t tmpfs -o mode=755 tmpfs {place} && "
        f"chown --reference={place}.aside {place} && cp -a {place}.aside/. {place}/ && "
        f"rm -rf {place}.aside && mount -o remount,{limit} {place}",
    )
    try:
        yield
    finally:
        root_on(
            world,
            name,
            f"rm -f {place}/filler; cp -a {place} {place}.aside && umount -l {place} && "
            f"find {place} -mindepth 1 -delete && cp -a {place}.aside/. {place}/ && "
            f"rm -rf {place}.aside",
        )


def fill(world: World, name: str, path: str) -> None:
    """Leave no byte free in a small disk."""
    world.hosts.on(name, f"dd if=/dev/zero of={ROOT}/{path}/filler bs=4k 2>/dev/null || true")


def root_on(world: World, name: str, line: str) -> None:
    """A shell line with the rights of a real machine's root: it may mount."""
    words = ("nsenter", "-t", pid(world, name), "-m", "-p", "-r", "-w", "sh", "-ec", line)
    subprocess.run(words, check=True, capture_output=True)
