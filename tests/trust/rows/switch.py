"""Rows D: faults between the first switch and the decision."""

import threading

from tests.trust.crash import target
from tests.trust.hosts import ROOT
from tests.trust.injuries import (
    SILENT,
    docker_does,
    fill,
    filtered,
    heal,
    small_disk,
    trap,
)
from tests.trust.revisions import changed
from tests.trust.row import (
    NOTICED,
    QUICK,
    Row,
    ended_as,
    live,
    locks,
    one_recover,
    serves,
    unharmed,
)
from tests.trust.world import Answer, World

SLOW_PAGE = {
    "config/urls.py": """
import time
from django.contrib import admin
from django.http import HttpResponse
from django.urls import path
from guestbook import views

urlpatterns = [
    path("", views.index, name="index"),
    path("health/", views.health, name="health"),
    path("admin/", admin.site.urls),
    path("slow/", lambda request: HttpResponse(str(time.sleep(8)))),
]
"""
}
VERIFIES = "*127.0.0.1:80/*"


def lost_before(world: World, hurt: str, mend: str) -> list[str]:
    """web2 goes away while web1, the first to switch, is being verified."""
    old = live(world)
    with trap(world, "web1", "curl", VERIFIES) as curl:
        run = world.start("deploy", more=QUICK)
        curl.sprung()
        docker_does(world, hurt, "web2")
        curl.let_go()
        ended = run.ended()
    faults = ended_as(ended, 7, "web2", "next: fab recover")
    faults += serves(world, old, ("web1",))
    faults += locks(world, (), ("web1", "static1", "db1"))
    faults += ended_as(world.run("deploy", more=QUICK), 2, "web2")
    docker_does(world, mend, "web2")
    heal(world)
    return faults + one_recover(world, old)


def paused(world: World) -> list[str]:
    return lost_before(world, "pause", "unpause")


def killed(world: World) -> list[str]:
    return lost_before(world, "kill", "start")


def cut_after_the_switch(world: World) -> list[str]:
    old = live(world)
    with trap(world, "web2", "curl", VERIFIES) as curl:
        run = world.start("deploy", more=QUICK)
        curl.sprung()
        with filtered(world, "web2", *SILENT):
            curl.let_go()
            ended = run.ended()
            faults = ended_as(ended, 7, "web2", "next: fab recover")
            faults += serves(world, old, ("web1",))
            faults += ended_as(world.run("recover", more=QUICK), 7, "web2")
    return faults + one_recover(world, old, NOTICED)


def flapping(world: World) -> list[str]:
    """Every second answer of the health page is an error."""
    old = live(world)
    every_second = (
        "n=$(cat /tmp/flap 2>/dev/null || echo 0); echo $((n + 1)) >/tmp/flap; "
        "if [ $((n % 2)) = 1 ]; then echo 'HTTP/1.1 503 no'; exit 0; fi"
    )
    with trap(world, "web2", "curl", VERIFIES, every_second, once=False):
        ended = world.run("deploy", more=QUICK)
    world.hosts.on("web2", "rm -f /tmp/flap")
    # The way back is asked by the same curl, so that nobody can know whether it worked.
    return ended_as(ended, 7, "503") + one_recover(world, old)


def sudo_revoked(world: World) -> list[str]:
    old = live(world)
    files = "/etc/sudoers.d"
    with trap(world, "web2", "tar", "*--unlink-first*") as code:
        run = world.start("deploy", more=QUICK)
        code.sprung()
        world.hosts.on("web2", f"mv {files} {files}.aside")
        try:
            code.let_go()
            ended = run.ended()
        finally:
            world.hosts.on("web2", f"mv {files}.aside {files}")
    return ended_as(ended, 3, "sudo refused", "setup --script") + unharmed(world, old)


def same_mtime(world: World) -> list[str]:
    old = live(world)
    touch = f"find {ROOT}/releases {ROOT}/entry {ROOT}/static -exec touch -h -d 2001-01-01 {{}} +"
    world.hosts.each(f"{touch} 2>/dev/null || true")
    ended = world.run("deploy")
    world.hosts.each(f"{touch} 2>/dev/null || true")
    new = live(world)
    faults = ended_as(ended, 0) + unharmed(world, new)
    return faults + (["the old release is still served"] if new == old else [])


def long_request(world: World) -> list[str]:
    """A request of eight seconds, while two deploys go by, the second into its own slot."""
    answers: list[Answer] = []
    with changed(world, SLOW_PAGE):
        faults = ended_as(world.run("deploy"), 0)
        reader = threading.Thread(target=lambda: answers.append(world.page("web1", "/slow/")))
        reader.start()
        faults += ended_as(world.run("deploy"), 0)
        faults += ended_as(world.run("deploy"), 0)
        reader.join()
    if answers[0].status != 200:
        faults.append(f"the request got {answers[0].status} {answers[0].body[:200]!r}")
    return faults + unharmed(world, live(world))


def disk_full(world: World) -> list[str]:
    """Once web2 is switched there is no byte left there; then it fails. The reserve has to do."""
    old = live(world)
    with small_disk(world, "web2", ".deploy", kib=256):
        with trap(world, "web2", "curl", VERIFIES, WAIT_AND_FAIL) as curl:
            run = world.start("deploy", more=QUICK)
            curl.sprung()
            fill(world, "web2", ".deploy")
            curl.let_go()
            ended = run.ended()
        faults = ended_as(ended, 5, "put back and verified") + unharmed(world, old)
        world.hosts.on("web2", f"rm -f {ROOT}/.deploy/filler")
    return faults + unharmed(world, old)


def full_before_going_back(world: World) -> list[str]:
    """The release that is live has filled web2's disk: going back is what makes room."""
    other = target(world)
    with small_disk(world, "web2", ".deploy", kib=256):
        fill(world, "web2", ".deploy")
        faults = ended_as(world.run("rollback", other), 0)
        world.hosts.on("web2", f"rm -f {ROOT}/.deploy/filler")
    return faults + unharmed(world, other)


WAIT_AND_FAIL = "while [ ! -e {go} ]; do sleep 0.02; done; exit 7"


def target_deleted(world: World) -> list[str]:
    """The release to go back to is deleted by hand while web2 is being verified."""
    old = live(world)
    gone = f"{ROOT}/releases/{old}"
    with trap(world, "web2", "curl", VERIFIES, WAIT_AND_FAIL) as curl:
        run = world.start("deploy", more=QUICK)
        curl.sprung()
        world.hosts.on("web2", f"mv {gone} {ROOT}/aside")
        curl.let_go()
        ended = run.ended()
    faults = ended_as(ended, 7, "web2", "next: fab recover") + serves(world, old, ("web1",))
    faults += ended_as(world.run("recover"), 7, f"web2: .*{old}.*gone")
    faults += [] if world.page("web2").status == 200 else ["web2 does not answer"]
    world.hosts.on("web2", f"mv {ROOT}/aside {gone}")
    return faults + one_recover(world, old)


ROWS = (
    Row("D1", "web2 paused before it is switched", paused),
    Row("D2", "web2 killed before it is switched", killed),
    Row("D3", "web2 cut off right after its switch", cut_after_the_switch),
    Row(
        "D4",
        "the public site fails on one host",
        elsewhere="test_a_release_that_fails_in_public_on_one_host_is_taken_back_on_all",
    ),
    Row("D5", "every second health answer fails", flapping),
    Row("D6", "sudo revoked after the preflight", sudo_revoked),
    Row("D7", "all files of all releases have one date", same_mtime),
    Row("D8", "a request of 12 s across two deploys", long_request),
    Row("D9", "no byte left for the journal between switch and undo", disk_full),
    Row("D9b", "no byte left when somebody goes back", full_before_going_back),
    Row("D10", "the release to go back to deleted by hand", target_deleted),
)
