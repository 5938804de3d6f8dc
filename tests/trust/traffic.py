"""Traffic: visitors all the time, while releases come, fail, and go back. None of them notices."""

import statistics
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import pairwise

from tests.trust.crowd import EVERYBODY, Crowd, crowd, failures
from tests.trust.injuries import trap
from tests.trust.ledger import Ledger
from tests.trust.looking import settled
from tests.trust.promises import at_rest
from tests.trust.revisions import changed
from tests.trust.row import live
from tests.trust.rows.switch import VERIFIES
from tests.trust.visitors import Visit
from tests.trust.world import World

RATE = 20.0
"""Visits a second and web host: so many who keep their connections, and as many who do not."""
SLOW_RATE = 0.5
"""Visits a second and web host of a page that takes three seconds."""
ROUNDS, ALL_ROUNDS = 10, 40
"""How often three deploys, a rollback, and a deploy that fails go by."""
AROUND = 1.0
"""Seconds before and after a switch in which a visit counts as one at a switch."""
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
    path("slow/", lambda request: HttpResponse(str(time.sleep(3)))),
]
"""
}
BROKEN = {"config/urls.py": "raise RuntimeError('this release does not load')\n"}
STYLE = "guestbook/static/guestbook/site.css"
ALWAYS = ("--set", "web.threads=10")
"""Threads enough for those who wait three seconds."""


def runs(world: World, ledger: Ledger, rounds: int) -> None:
    """Deploys, rollbacks and failures, in turn, each judged by its exit code."""
    style = (world.checkout.top / "site" / STYLE).read_text()
    for number in range(rounds):
        for edition in range(3):
            # Another stylesheet in every release: pages have to find their own.
            name = f"{number}.{edition}"
            with changed(world, {STYLE: f"/* {name} */\n{style}", **SLOW_PAGE}):
                step(world, ledger, "deploy", name, 0)
        step(world, ledger, "rollback", str(number), 0)
        if number % 2:
            with changed(world, BROKEN):
                step(world, ledger, "failed deploy", f"{number}, it does not load", 3)
        else:
            with (
                changed(world, {STYLE: f"/* failing {number} */\n{style}", **SLOW_PAGE}),
                trap(world, "web2", "curl", VERIFIES, "exit 7"),
            ):
                step(world, ledger, "failed deploy", f"{number}, web2 fails in public", 5)


def step(world: World, ledger: Ledger, kind: str, name: str, code: int) -> None:
    """One run; whether it ended as it had to, and left nothing behind."""
    old = live(world)
    ended = world.run(kind.split()[-1], more=ALWAYS)
    faults = [] if ended.code == code else [f"ended with {ended.code}: {ended.said[-500:]}"]
    faults += at_rest(settled(world))
    if (live(world) == old) != bool(code):
        faults.append(f"{live(world)} is live after {old}")
    ledger.more(f"{kind}s")
    ledger.case(f"{kind} {name}", faults)


def switches(visits: Sequence[Visit]) -> Iterator[float]:
    """When a host began to answer from another release."""
    for host in {one.host for one in visits}:
        mine = sorted((v for v in visits if v.host == host and v.release), key=lambda v: v.at)
        yield from (after.at for before, after in pairwise(mine) if before.release != after.release)


def figures(ledger: Ledger, visits: Sequence[Visit]) -> None:
    """How long visitors waited, at switches and without one."""
    pages = [one for one in visits if one.kind == "page" and one.ok]
    at = list(switches(pages))
    near = [v.seconds for v in pages if any(abs(v.at - switch) < AROUND for switch in at)]
    calm = [v.seconds for v in pages if all(abs(v.at - switch) >= AROUND for switch in at)]
    if not near or not calm:
        ledger.case("figures", ["no page was seen at a switch, or none without one"])
        return
    worst, usual = max(near), max(calm)
    ledger.figures |= {
        "switches": len(at),
        "slowest at a switch, ms": round(worst * 1000),
        "slowest without, ms": round(usual * 1000),
        "99% at a switch, ms": round(statistics.quantiles(near, n=100)[98] * 1000),
        "99% without, ms": round(statistics.quantiles(calm, n=100)[98] * 1000),
    }


def visited(ledger: Ledger, crowds: dict[str, Crowd]) -> None:
    """Every visit is judged; those of the ordinary pages are measured."""
    usual: list[Visit] = []
    for kind, people in crowds.items():
        visits = people.news()
        ledger.more(f"visits, {kind}", len(visits))
        ledger.more("failed visits", len(failures(visits)))
        ledger.case(f"visits, {kind}", failures(visits)[:20] or no_visits(visits))
        usual += visits if kind != "slow" else []
    figures(ledger, usual)


def no_visits(visits: Sequence[Visit]) -> list[str]:
    """Nobody who came is nobody who was content."""
    return [] if visits else ["nobody came"]


def suite(world: World, ledger: Ledger, *, whole: bool) -> None:
    """Everything with visitors of three kinds."""
    with changed(world, SLOW_PAGE):
        world.must("deploy", more=ALWAYS)
        world.must("deploy", more=ALWAYS)
    slow = {name: f"{url}/slow" for name, url in world.web_urls.items()}
    with ExitStack() as all_gone:
        crowds = {
            "kept": crowd(world.home / "kept", world.web_urls, RATE, keep=True, most=EVERYBODY),
            "closed": crowd(world.home / "closed", world.web_urls, RATE, most=EVERYBODY),
            "slow": crowd(world.home / "slow", slow, SLOW_RATE, most=EVERYBODY),
        }
        people = {kind: all_gone.enter_context(one) for kind, one in crowds.items()}
        runs(world, ledger, ALL_ROUNDS if whole else ROUNDS)
        for one in people.values():
            one.leave()
        visited(ledger, people)
