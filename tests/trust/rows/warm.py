"""Rows W: what was warm is cold, or what serves is restarted, in the middle of a release."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.trust.crowd import Crowd, crowd, failures
from tests.trust.hosts import ROOT
from tests.trust.injuries import docker_does, heal, trap
from tests.trust.row import QUICK, Row, ended_as, live, one_recover, serves, unharmed
from tests.trust.world import Ended, World

BETWEEN = "*-/release*"
"""What static1 is asked once everything is warm, before any web host is switched."""
SLOT_OF = f"""
cd {ROOT}
live=blue; [ -e current/.slot-green ] && live=green
idle=green; [ $live = green ] && idle=blue
pids() {{ for f in run/$1-*; do echo "${{f##*-}}"; done; }}
"""
BROKEN = """
settings=slots/$idle/config/settings/production.py
rm $settings
echo 'raise RuntimeError("broken by hand")' >$settings
chmod 644 $settings
"""
RATE = 10.0


@contextmanager
def once_all_is_warm(world: World) -> Iterator[list[Ended]]:
    """A deploy that stands still between its last preparation and its first switch."""
    ends: list[Ended] = []
    with trap(world, "static1", "curl", BETWEEN) as curl:
        run = world.start("deploy", more=QUICK)
        curl.sprung()
        yield ends
        curl.let_go()
        ends.append(run.ended())


def quiet(people: Crowd) -> list[str]:
    """Nobody among the visitors noticed anything."""
    visits = people.news()
    return failures(visits) or ([] if visits else ["nobody came"])


def warm_slot_dies(world: World) -> list[str]:
    """The warm processes are killed before the switch: it waits for those that come anew."""
    with crowd(world.home / "visits", world.web_urls, RATE) as people:
        with once_all_is_warm(world) as ends:
            world.hosts.on("web2", f"{SLOT_OF} kill -9 $(pids $idle)")
        people.leave()
        faults = ended_as(ends[0], 0) + quiet(people)
    return faults + unharmed(world, live(world))


def cannot_come_back(world: World) -> list[str]:
    """The warm processes die, and others cannot load: found before any visitor is on them."""
    old = live(world)
    with crowd(world.home / "visits", world.web_urls, 4 * RATE) as people:
        with once_all_is_warm(world) as ends:
            world.hosts.on("web2", f"{SLOT_OF} {BROKEN} kill -9 $(pids $idle)")
        people.leave()
        faults = ended_as(ends[0], 5, "web.activate failed on web2", "put back and verified")
        faults += quiet(people)
    return faults + unharmed(world, old)


def live_slot_dies(world: World) -> list[str]:
    """The processes that visitors are on die as well: Apache starts others, of their release."""
    old = live(world)
    with once_all_is_warm(world) as ends:
        world.hosts.on("web2", f"{SLOT_OF} kill -9 $(pids $live)")
        faults = serves(world, old)
    new = live(world)
    faults += ["nothing was released"] if new == old else []
    return faults + ended_as(ends[0], 0) + unharmed(world, new)


def restarted_by_hand(world: World) -> list[str]:
    """An administrator restarts Apache between the preparation and the switch."""
    old = live(world)
    with once_all_is_warm(world) as ends:
        world.hosts.on("web2", "apachectl -k restart; sleep 0.5")
        faults = serves(world, old)
    new = live(world)
    faults += ["nothing was released"] if new == old else []
    return faults + ended_as(ends[0], 0) + unharmed(world, new)


def rebooted(world: World) -> list[str]:
    """web2 is rebooted once it is warm: the run is taken back where it can be, and recovered."""
    old = live(world)
    with once_all_is_warm(world) as ends:
        docker_does(world, "restart", "web2")
    faults = ended_as(ends[0], 7, "web2", "next: fab recover") + serves(world, old, ("web1",))
    heal(world)
    return faults + one_recover(world, old)


def both_slots_taken(world: World) -> list[str]:
    """A controller dies when both slots are full, and Apache is restarted; then all goes on."""
    old = live(world)
    with trap(world, "static1", "curl", BETWEEN) as curl:
        run = world.start("deploy", more=QUICK)
        curl.sprung()
        run.process.kill()
        run.ended()
        curl.let_go()
    world.hosts.on("web1", "apachectl -k restart; sleep 0.5")
    faults = serves(world, old) + one_recover(world, old)
    faults += ended_as(world.run("deploy"), 0)
    return faults + unharmed(world, live(world))


def back_in_the_dead_slot(world: World) -> list[str]:
    """The release to go back to is warm, but its processes die while web1 goes back to it."""
    world.must("deploy")
    with trap(world, "web1", "curl", "*127.0.0.1:80/*") as curl:
        run = world.start("rollback", more=QUICK)
        curl.sprung()
        world.hosts.on("web2", f"{SLOT_OF} kill -9 $(pids $idle)")
        curl.let_go()
        faults = ended_as(run.ended(), 0)
    return faults + unharmed(world, live(world))


ROWS = (
    Row("W1", "the warm slot of web2 dies before the switch, under traffic", warm_slot_dies),
    Row("W1b", "the same, and what comes anew does not load", cannot_come_back),
    Row("W2", "the live slot of web2 dies before the switch", live_slot_dies),
    Row("W3", "Apache on web2 restarted by hand before the switch", restarted_by_hand),
    Row("W4", "web2 rebooted before the switch", rebooted),
    Row("W5", "both slots taken by a run that died, then Apache restarted", both_slots_taken),
    Row("W6", "the slot to go back to dies during a rollback", back_in_the_dead_slot),
)
