"""Rows E: the deploying machine dies, sleeps, or is not the only one."""

import random
import re
import shutil
import signal
import time
from pathlib import Path

from tests.docker.checkout import Checkout, environment
from tests.trust.calls import Point
from tests.trust.crash import shortened
from tests.trust.hosts import ROOT
from tests.trust.injuries import docker_does, heal, trap
from tests.trust.row import QUICK, Row, all_by_rsync, ended_as, live, one_recover, serves, unharmed
from tests.trust.world import KILLED, World

VERIFIES = "*127.0.0.1:80/*"
SPOTS = (
    ("cat", "*journal*"),
    ("sync", "*journal*"),
    ("mv", "*journal*"),
    ("rm", "*current.new*"),
    ("ln", "*current.new*"),
    ("mv", "*current.new*"),
    ("curl", VERIFIES),
)
"""What the words of the switch call, in their order."""
HOST_WEB2 = r"\[hosts\.web2\]\n(?:(?!\[).*\n?)*"
PATIENT = ("--times", "0.5,60,2,1")
"""The operator's side waits for a minute, the hosts' side for two seconds."""
LASTING = ("--times", "0.5,60,60,1")
"""Both sides wait for a minute."""
SAMPLE = 4
"""Of all pairs of spots and deaths, in the quick form."""
DEATHS = {
    "its shell dies": "kill -9 $PPID",
    "its shell dies, it does not": "kill -9 $PPID; sleep 0.2",
    "all of the deploy user dies": "pkill -9 -u deploy",
}


def killed_at(world: World, what: str) -> Point:
    """Where a deploy makes its first call on web1 that holds these words, found by a dry count."""
    ended = world.must("deploy")
    for call in ended.calls:
        if call.host == "web1" and what in call.what:
            return Point("web1", call.number, "after")
    raise AssertionError(f"no call holds {what!r}: {[shortened(c.what) for c in ended.calls]}")


def after_the_switch(world: World) -> Point:
    """Right after web1 was switched, with web2 still on the old release."""
    return killed_at(world, "&& switch ")


def programs_die(world: World, chance: random.Random | None) -> list[str]:
    """A program that the switch calls on web2 takes its shell, or everything, with it."""
    faults = []
    cases = [(spot, death) for spot in SPOTS for death in DEATHS]
    for (program, when), death in chance.sample(cases, SAMPLE) if chance else cases:
        old = live(world)
        with trap(world, "web2", program, when, DEATHS[death]):
            ended = world.run("deploy", more=QUICK)
        new = live(world)
        found = one_recover(world, old if ended.code in (5, 7) else new)
        if ended.code not in (0, 5, 7):
            found.append(f"exit code {ended.code}: {ended.said[-400:]}")
        if ended.code == 5 and new != old:
            found.append("says that it was rolled back, and it was not")
        faults += [f"{program} {when}, {death}: {one}" for one in found]
    return faults


def some_programs_die(world: World) -> list[str]:
    return programs_die(world, random.Random(3))  # noqa: S311 - the same points each time


def every_program_dies(world: World) -> list[str]:
    return programs_die(world, None)


def stays_down(world: World) -> list[str]:
    """web2 dies in the middle of its switch, and stays down for a while."""
    old = live(world)
    with trap(world, "web2", "curl", VERIFIES) as curl:
        run = world.start("deploy", more=QUICK)
        curl.sprung()
        docker_does(world, "kill", "web2")
        faults = ended_as(run.ended(), 7, "web2", "next: fab recover")
    faults += ended_as(world.run("recover"), 7, "web2") + ended_as(world.run("deploy"), 2, "web2")
    heal(world)
    return faults + one_recover(world, old)


def reboot(world: World) -> list[str]:
    """web2 is restarted in the middle of its switch."""
    old = live(world)
    with trap(world, "web2", "curl", VERIFIES) as curl:
        run = world.start("deploy", more=QUICK)
        curl.sprung()
        docker_does(world, "restart", "web2")
        ended = run.ended()
    faults = ended_as(ended, 7, "web2", "next: fab recover")
    heal(world)
    return faults + one_recover(world, old)


def two_recovers(world: World) -> list[str]:
    point = after_the_switch(world)
    old = live(world)
    faults = ended_as(world.run("deploy", at=[point]), KILLED)
    both = [world.start("recover"), world.start("recover")]
    codes = sorted(one.ended().code for one in both)
    if codes not in ([0, 0], [0, 4]):
        faults.append(f"two recovers at once ended with {codes}")
    return faults + unharmed(world, old)


def a_recover_in_between(world: World) -> list[str]:
    """One recover looks and falls asleep; another takes the locks; the first one wakes up."""
    point = after_the_switch(world)
    old = live(world)
    faults = ended_as(world.run("deploy", at=[point]), KILLED)
    late = world.start("recover", at=[Point("db1", 3, "suspend")], more=LASTING)
    wait_until_stopped(late.process.pid)
    early = world.start("recover", at=[Point("web2", 4, "suspend")], more=LASTING)
    wait_until_stopped(early.process.pid)
    late.process.send_signal(signal.SIGCONT)
    faults += ended_as(late.ended(), 4, "is locked, and the run is alive")
    early.process.send_signal(signal.SIGCONT)
    return faults + ended_as(early.ended(), 0) + unharmed(world, old)


def lock_deleted(world: World) -> list[str]:
    """Somebody deletes the lock files by hand, as old habits have it, and deploys beside a run."""
    all_by_rsync(world)
    with trap(world, "web2", "rsync", "*--server*") as rsync:
        run = world.start("deploy", more=QUICK)
        rsync.sprung()
        world.hosts.each(f"rm -f {ROOT}/.deploy/lock")
        faults = ended_as(world.run("deploy"), 0)
        theirs = live(world)
        rsync.let_go()
        faults += ended_as(run.ended(), 3, "no longer holds the lock")
    return faults + unharmed(world, theirs)


def elsewhere(world: World, name: str) -> Checkout:
    """Another machine: a copy of the checkout, and nothing else of the first."""
    home = world.home / name
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    shutil.copytree(world.checkout.top, home / "project")
    return Checkout(home / "project", environment(home), ())


def other_machine(world: World) -> list[str]:
    point = after_the_switch(world)
    old = live(world)
    faults = ended_as(world.run("deploy", at=[point]), KILLED)
    faults += ended_as(world.run("recover", checkout=elsewhere(world, "other")), 0)
    return faults + unharmed(world, old)


def host_removed(world: World) -> list[str]:
    """web2 is taken out of the inventory between the crash and the recover, and put back later."""
    point = after_the_switch(world)
    old = live(world)
    faults = ended_as(world.run("deploy", at=[point]), KILLED)
    without = elsewhere(world, "fewer")
    fleet = (world.fleet.state / "fleet.toml").read_text()
    fewer = (
        re.sub(HOST_WEB2, "", fleet)
        .replace('y = "id_', f'y = "{world.fleet.state}/id_')
        .replace('s = "known', f's = "{world.fleet.state}/known')
    )
    (without.top / "fleet.toml").write_text(fewer)
    inventory = without.top / "inventories" / "sandbox.toml"
    text = re.sub(HOST_WEB2, "", inventory.read_text())
    inventory.write_text(re.sub('include = ".*"', 'include = "../fleet.toml"', text))
    faults += ended_as(world.run("recover", checkout=without), 0, "not in the inventory: web2")
    faults += serves(world, old)
    return faults + one_recover(world, old)


def asleep(world: World, what: str) -> list[str]:
    """The operator's machine sleeps; a colleague recovers and deploys; then it wakes up."""
    point = killed_at(world, what)
    point = Point(point.host, point.number, "suspend")
    run = world.start("deploy", at=[point], more=PATIENT)
    wait_until_stopped(run.process.pid)
    faults = []
    try:
        time.sleep(3.0)
        faults += [one for one in one_recover(world, seconds=0.0) if "still runs" not in one]
        faults += ended_as(world.run("deploy"), 0)
        theirs = live(world)
        before = listing(world)
    finally:
        run.process.send_signal(signal.SIGCONT)
    ended = run.ended()
    if ended.code not in (3, 4, 5, 7):
        faults.append(f"the sleeper ended with {ended.code}: {ended.said[-500:]}")
    after = listing(world)
    # What is in the sleeper's own release is garbage, and cleared away as such.
    own = re.findall(r"-> (\d{6}-[0-9a-f]{7})", ended.said)[0]
    faults += [] if own != theirs else ["both runs took the same number"]
    for name in before:
        changed = [one for one in set(before[name]) ^ set(after[name]) if own not in one]
        faults += [f"{name}: the sleeper changed {sorted(changed)[:6]}"] if changed else []
    return faults + unharmed(world, theirs)


def wait_until_stopped(pid: int) -> None:
    """Until the process is stopped."""
    until = time.monotonic() + 60
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
        assert time.monotonic() < until, "the controller did not stop"
        time.sleep(0.02)


def listing(world: World) -> dict[str, list[str]]:
    """All there is below the root on every host, but what processes say of themselves."""
    line = (
        "cd /srv/www/guestbook && find . -path '*/__pycache__*' -prune -o -path './run/*' -prune "
        "-o -type d -printf '%P\\n' -o -printf '%P %y %l %T@ %s\\n' | sort"
    )
    return {name: text.splitlines() for name, text in world.hosts.each(line).items()}


def asleep_before_sending(world: World) -> list[str]:
    return asleep(world, "rsync --checksum")


def asleep_before_switching(world: World) -> list[str]:
    return asleep(world, "&& switch ")


def asleep_before_beginning(world: World) -> list[str]:
    return asleep(world, "'begin ")


def asleep_before_locking(world: World) -> list[str]:
    """The operator looks, sleeps, and wakes when others have released: what he saw is not true."""
    ended = world.must("deploy")
    takes = [one for one in ended.calls if one.host == "db1" and "take_lock" in one.what]
    run = world.start("deploy", at=[Point("db1", takes[0].number, "suspend")], more=LASTING)
    wait_until_stopped(run.process.pid)
    try:
        faults = ended_as(world.run("deploy"), 0)
        theirs = live(world)
        before = listing(world)
    finally:
        run.process.send_signal(signal.SIGCONT)
    faults += ended_as(run.ended(), 0)
    mine = live(world)
    if mine <= theirs:
        faults.append(f"{mine} was released after {theirs}")
    after = listing(world)
    for name in before:
        inside = f"releases/{theirs}/"
        gone = [one for one in set(before[name]) - set(after[name]) if inside in one]
        faults += [f"{name}: the sleeper changed {sorted(gone)[:6]}"] if gone else []
    faults += unharmed(world, mine)
    faults += ended_as(world.run("rollback"), 0)
    return faults + unharmed(world, theirs)


def second_ctrl_c(world: World) -> list[str]:
    """An impatient operator leaves in the middle of the undo."""
    point = after_the_switch(world)
    old = live(world)
    ended = world.run("deploy", at=[Point("web1", point.number, "twice", 0.1)])
    faults = [] if ended.code in (7, 130) else ended_as(ended, 7, "next: fab recover")
    return faults + one_recover(world, old if ended.code in (7, 130) else "")


ROWS = (
    Row("E1", "the controller killed at every call", elsewhere="suite crash"),
    Row("E2", "Ctrl-C at every call of the commit", elsewhere="suite signals"),
    Row("E2b", "Ctrl-C twice in the switch", second_ctrl_c),
    Row("E3", "a program of the switch dies on web2, at some of 21 points", some_programs_die),
    Row("E3f", "the same, at all points", every_program_dies, slow=True),
    Row("E4", "web2 dies in its switch and stays down", stays_down),
    Row("E5", "recover killed, then recover", elsewhere="suite double"),
    Row(
        "E6",
        "recover while the deploy lives",
        elsewhere="test_a_run_that_is_alive_cannot_be_pushed_aside",
    ),
    Row("E7", "recover by force", why="there is no force: only a run that is gone is taken over"),
    Row("E8", "two recovers at once", two_recovers),
    Row("E8b", "a recover that looked before another one took the locks", a_recover_in_between),
    Row("E9", "web2 rebooted in its switch", reboot),
    Row("E10", "recover from another machine", other_machine),
    Row("E11", "web2 taken out of the inventory before recover", host_removed),
    Row(
        "E12",
        "the operator's machine sleeps before it sends; another recovers and deploys",
        asleep_before_sending,
        slow=True,
    ),
    Row("E12b", "the same, before it begins", asleep_before_beginning, slow=True),
    Row("E12c", "the same, before it switches", asleep_before_switching),
    Row("E12d", "the controller sleeps before it locks, others release", asleep_before_locking),
    Row("E12e", "the lock deleted by hand beside a run, others release", lock_deleted),
)
