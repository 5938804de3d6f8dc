"""A Docker fleet that can be deployed to: brings it up, says how it is, takes it down."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from deploy.errors import Locked, Refused
from tests.sandbox import containers, engine, files, image
from tests.sandbox.members import MACHINES, Fleet, Machine, Member, prefix
from tests.sandbox.packages import install
from tests.sandbox.settle import settle

Tell = Callable[[str], None]


def up(
    state: Path,
    tell: Tell = print,
    machines: tuple[Machine, ...] = MACHINES,
    site: str = "guestbook",
) -> Fleet:
    """A running fleet whose hosts are prepared for `site`; what is there already is kept.

    Two fleets with different `state` directories know nothing of each other. Raises Refused if
    Docker or a program is missing, Locked if another `up` or `down` is at work on this fleet, and
    PrepareFailed with the host's last log lines if one does not get ready.
    """
    with _alone(state):
        engine.ensure(tell)
        if not shutil.which("rsync"):
            install(("rsync",), tell, why="releases are sent with it", root=os.geteuid() == 0)
        made_of = image.ensure(tell)
        _make_key(state)
        name = prefix(state)
        containers.make_network(name)
        planned = containers.plan(name, machines, containers.found(name))
        fleet = Fleet(state.resolve(), tuple(planned))
        files.keep_secrets(fleet.state)

        def bring_up(member: Member) -> tuple[Member, str]:
            word = containers.run(name, made_of, member)
            key = settle(fleet, member, site)
            tell(f"{member.name}: {word}, ready")
            return member, key

        with ThreadPoolExecutor(max_workers=len(planned)) as pool:
            keys = {member.ssh_port: key for member, key in pool.map(bring_up, planned)}
        files.keep(state / files.KNOWN_HOSTS, files.known_hosts(keys))
        files.keep(state / files.FLEET, files.fleet_toml(fleet.members))
    return status(state)


def status(state: Path) -> Fleet:
    """The fleet of `state` as it is now; without hosts if there is none.

    Raises Refused if Docker does not answer.
    """
    if not engine.answers():
        raise Refused("Docker does not answer", hint="./fab sandbox.up")
    there = containers.found(prefix(state))
    usual = [machine.name for machine in MACHINES if machine.name in there]
    others = sorted(set(there) - set(usual))
    return Fleet(state.resolve(), tuple(there[name] for name in (*usual, *others)))


def down(
    state: Path, tell: Tell = print, keep_image: bool = False, stop_docker: bool = False
) -> None:
    """Removes the fleet, its files and, unless it is to be kept or others use it, the image.

    With `stop_docker`, a Docker engine that `up` started is stopped as well.
    """
    if not engine.answers():
        tell("Docker does not run, so neither does the fleet")
    elif not state.is_dir():
        _remove(state, tell, keep_image)
    else:
        with _alone(state):
            _remove(state, tell, keep_image)
    for name in files.ALL:
        (state / name).unlink(missing_ok=True)
    if state.is_dir() and not any(state.iterdir()):
        state.rmdir()
    if stop_docker:
        engine.stop(tell)
    elif engine.started_here():
        tell("Docker, which the sandbox started, still runs; sandbox.down --docker stops it")


def _remove(state: Path, tell: Tell, keep_image: bool) -> None:
    gone = containers.remove(prefix(state))
    tell(f"removed {', '.join(gone)}" if gone else "there was no fleet")
    if not keep_image:
        tell("removed the image" if image.remove() else "kept the image: another fleet uses it")


@contextmanager
def _alone(state: Path) -> Iterator[None]:
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (state / files.LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Locked(f"another run is bringing the fleet in {state} up or down") from None
        yield


def _make_key(state: Path) -> None:
    if (state / files.KEY).exists():
        return
    if not shutil.which("ssh-keygen"):
        raise Refused("ssh-keygen is not installed", hint="apt-get install openssh-client")
    words = ("-q", "-t", "ed25519", "-N", "", "-C", prefix(state), "-f", str(state / files.KEY))
    subprocess.run(["ssh-keygen", *words], check=True)
