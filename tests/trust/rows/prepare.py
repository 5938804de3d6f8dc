"""Rows B: faults while a release is being prepared."""

import hashlib
import os
import subprocess
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack

from tests.trust.hosts import ROOT
from tests.trust.injuries import (
    RESET,
    SILENT,
    docker_does,
    filtered,
    heal,
    slow,
    small_disk,
    trap,
)
from tests.trust.revisions import changed
from tests.trust.row import (
    NOTICED,
    QUICK,
    Row,
    all_by_rsync,
    ended_as,
    live,
    locks,
    one_recover,
    serves,
    unharmed,
)
from tests.trust.world import Ended, World

PUSH = "*--server*"
REQUIREMENTS = "requirements.txt"


def lost_in_push(
    world: World, hurt: Callable[[], AbstractContextManager[None]], mend: Callable[[], None]
) -> list[str]:
    """web2 is lost while rsync is at work there."""
    old = live(world)
    all_by_rsync(world)
    with trap(world, "web2", "rsync", PUSH) as rsync, ExitStack() as hurting:
        run = world.start("deploy", more=QUICK)
        rsync.sprung()
        hurting.enter_context(hurt())
        if hurt_lets_go(hurt):
            rsync.let_go()
        began = time.monotonic()
        ended = run.ended()
        took = time.monotonic() - began
    faults = ended_as(ended, 3, "code.push failed on web2", "nothing was switched")
    faults += [f"took {took:.0f} s"] if took > 15 else []
    faults += [f"{left} still runs here" for left in ours("rsync", world)]
    mend()
    faults += serves(world, old) + locks(world, ("web2",))
    faults += ended_as(told_of_the_lock(world), 4, "fab recover")
    return faults + one_recover(world, old, NOTICED)


def told_of_the_lock(world: World) -> Ended:
    """What the next deploy hears, once the host knows that the one before is gone.

    The end of a connection that nobody heard is sent again later and later; without it, the host
    waits for its minute of silence.
    """
    until = time.monotonic() + NOTICED
    while True:
        ended = world.run("deploy")
        if "the run is alive" not in ended.said or time.monotonic() > until:
            return ended
        time.sleep(1)


def hurt_lets_go(hurt: object) -> bool:
    """Whether the host is still there to let its program go on."""
    return getattr(hurt, "__name__", "") != "killing"


def ours(program: str, world: World) -> list[str]:
    """Processes of this program on this machine that work for this checkout."""
    said = subprocess.run(["pgrep", "-af", f"^{program} "], capture_output=True, text=True)
    return [line for line in said.stdout.splitlines() if str(world.home) in line]


def reset_in_push(world: World) -> list[str]:
    return lost_in_push(world, lambda: filtered(world, "web2", *RESET), lambda: None)


def silent_in_push(world: World) -> list[str]:
    return lost_in_push(world, lambda: filtered(world, "web2", *SILENT), lambda: None)


def killed_in_push(world: World) -> list[str]:
    def killing() -> AbstractContextManager[None]:
        docker_does(world, "kill", "web2")
        return ExitStack()  # type: ignore[return-value]  # a block that does nothing

    return lost_in_push(world, killing, lambda: heal(world))


def slow_link(world: World) -> list[str]:
    """Half a megabyte of code over 512 kbit/s is slow, and no fault."""
    noise = os.urandom(300_000).hex()
    noisy = changed(world, {"guestbook/noise.py": f"NOISE = '{noise}'\n"})
    with noisy, slow(world, "web2", "512kbit"):
        ended = world.run("deploy", more=QUICK)
    return ended_as(ended, 0) + unharmed(world, live(world))


def full_disk(
    world: World, host: str, path: str, *words: str, kib: int = 0, inodes: int = 0
) -> list[str]:
    old = live(world)
    noise = {f"guestbook/static/noise{n}.txt": os.urandom(400_000).hex() for n in range(8)}
    more = {REQUIREMENTS: requirements(world) + f"# {time.time()}\n"} if path == "venvs" else noise
    with changed(world, more), small_disk(world, host, path, kib, inodes):
        ended = world.run("deploy", more=QUICK)
        faults = ended_as(ended, 3, host, "nothing was switched", *words)
        faults += unharmed(world, old)
    return faults


def full_in_push(world: World) -> list[str]:
    return full_disk(world, "web2", "releases", "No space left", kib=400)


def full_in_venv(world: World) -> list[str]:
    return full_disk(world, "web2", "venvs", "No space left", kib=20_000)


def full_in_static(world: World) -> list[str]:
    return full_disk(world, "static1", "static/releases", "No space left", kib=400)


def no_inodes(world: World) -> list[str]:
    return full_disk(world, "web2", "releases", "No space left", inodes=20)


def requirements(world: World) -> str:
    """What the site requires now."""
    return (world.checkout.top / "site" / REQUIREMENTS).read_text()


def pip_killed(world: World) -> list[str]:
    """pip is killed as the kernel does it when there is no memory."""
    old = live(world)
    with changed(world, {REQUIREMENTS: requirements(world) + f"# {time.time()}\n"}):
        run = world.start("deploy", more=QUICK)
        world.hosts.on(
            "web2",
            "for i in $(seq 600); do pkill -KILL -u deploy -f 'pip install' && break; "
            "sleep 0.1; done",
        )
        ended = run.ended()
    return ended_as(ended, 3, "code.install failed on web2", "Killed|137") + unharmed(world, old)


ODD = (
    "-rf.txt",
    "a b.txt",
    "it's.txt",
    "two\nlines.txt",
    "\U0001f40d.txt",
    "x" * 200 + ".txt",
    "$(id).txt",
    "*.txt",
)


def odd_names(world: World) -> list[str]:
    files = {f"guestbook/odd/{name}": name for name in ODD} | {b"guestbook/odd/\xff\xfe.txt": "no"}
    with changed(world, files):
        ended = world.run("deploy")
        faults = ended_as(ended, 0)
        folder = os.fsencode(world.checkout.top / "site" / "guestbook" / "odd")
        here = sorted(
            hashlib.sha256(name + b"\0" + open(os.path.join(folder, name), "rb").read()).hexdigest()  # noqa: PTH118, PTH123, SIM115
            for name in os.listdir(folder)  # noqa: PTH208
        )
        there = world.hosts.on(
            "web2",
            f"cd {ROOT}/current/guestbook/odd && find . -type f -printf '%P\\0' | "
            "while IFS= read -r -d '' f; do "
            '{ printf \'%s\\0\' "$f"; cat "./$f"; } | sha256sum; done',
        )
        found = sorted(line.split()[0] for line in there.splitlines())
        if found != here:
            faults.append(f"{len(set(here) - set(found))} of {len(here)} odd files differ")
    return faults + unharmed(world, live(world))


def umask(world: World) -> list[str]:
    """umask 077 on both sides, and a .bashrc that talks."""
    rc = "/home/deploy/.bashrc"
    world.hosts.each(f"cp -p {rc} {rc}.aside; sed -i '1i echo hello there; umask 077' {rc}")
    try:
        with changed(world, {"guestbook/static/new.txt": "new"}):
            ended = world.run("deploy", umask=0o077)
    finally:
        world.hosts.each(f"mv {rc}.aside {rc}")
    wrong = world.hosts.on(
        "web2", f"cd {ROOT}/current/ && find . -type f ! -perm -444 -o -type d ! -perm -555 | head"
    )
    faults = ended_as(ended, 0) + unharmed(world, live(world))
    return faults + ([f"not readable by the server: {wrong}"] if wrong.strip() else [])


def edited_in_push(world: World) -> list[str]:
    """The working tree changes while it is sent."""
    with changed(world, {"guestbook/marker.txt": "committed"}):
        marker = world.checkout.top / "site" / "guestbook" / "marker.txt"
        all_by_rsync(world)
        with trap(world, "web2", "rsync", PUSH) as rsync:
            run = world.start("deploy", more=QUICK)
            rsync.sprung()
            marker.write_text("edited")
            rsync.let_go()
            ended = run.ended()
        faults = ended_as(ended, 0)
        sent = world.hosts.each(f"cat {ROOT}/current/guestbook/marker.txt", ("web1", "web2"))
        faults += [f"{name} got {text!r}" for name, text in sent.items() if text != "committed"]
    return faults + unharmed(world, live(world))


ROWS = (
    Row("B1", "connection to web2 reset while code is sent", reset_in_push),
    Row("B2", "network to web2 silent while code is sent", silent_in_push),
    Row("B3", "link of 512 kbit/s", slow_link),
    Row("B4", "web2 killed while code is sent", killed_in_push),
    Row("B5", "disk full: code", full_in_push),
    Row("B5v", "disk full: virtualenv", full_in_venv, slow=True),
    Row("B5s", "disk full: static files", full_in_static),
    Row("B6", "no inode left: code", no_inodes),
    Row("B7", "pip killed for want of memory", pip_killed, slow=True),
    Row(
        "B8",
        "a requirement that nobody has",
        elsewhere="test_a_requirement_that_nobody_has_is_named",
    ),
    Row("B9", "file names that are not text, and worse", odd_names),
    Row("B10", "umask 077 here and there, and a .bashrc that talks", umask),
    Row(
        "B11",
        "a file damaged between its arrival and the seal",
        why="not promised: rsync compares checksums of what it sends; nothing looks again",
    ),
    Row("B12", "the working tree edited while it is sent", edited_in_push),
)
