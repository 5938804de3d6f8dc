"""Visitors while releases come and go: none of them sees a failed request or half a release."""

import time
from collections.abc import Iterable
from itertools import pairwise

import pytest

from tests.docker.checkout import Checkout
from tests.docker.hosts import Hosts
from tests.docker.traffic import Seen, Traffic

pytestmark = pytest.mark.docker

CSS = "guestbook/static/guestbook/site.css"
RUNS = ("deploy", "deploy", "rollback", "deploy", "rollback")
REST = 0.5
"""Seconds between two runs, in which one release alone may be seen."""
AROUND = 1.0
"""Seconds before and after a switch in which a request counts as one around it."""


def test_no_visitor_notices_three_deploys_and_two_rollbacks(
    hosts: Hosts,
    live: dict[str, str],
    checkout: Checkout,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rests = []
    with Traffic(hosts) as traffic:
        rests.append((time.monotonic(), live["web1"]))
        time.sleep(REST)
        for number, task in enumerate(RUNS):
            if task == "deploy":
                revision = edition(checkout, number)
                traffic.headings[revision[:7]] = f"Edition {number}"
            release = checkout.fab(task, "--json").result["release"]
            rests.append((time.monotonic(), release))
            time.sleep(REST)
    assert traffic.failures == []
    assert set(hosts.served().values()) == {rests[-1][1]}
    assert len(traffic.sheets) == 1 + RUNS.count("deploy")
    for began, release in rests:
        resting = [one for one in traffic.seen if began < one.at < began + REST]
        assert {(one.host, one.release) for one in resting} == {
            ("web1", release),
            ("web2", release),
        }
    with capsys.disabled():
        print(f"\n{report(traffic.seen)}")


def edition(checkout: Checkout, number: int) -> str:
    """Commits another heading and another stylesheet; the revision."""
    text = (checkout.top / "site" / CSS).read_text()
    checkout.write(CSS, f"/* {number} */\n{text}")
    return checkout.title(f"Edition {number}")


def report(seen: Iterable[Seen]) -> str:
    """How slow the slowest requests were, around switches and without one. For people to read."""
    at = sorted(seen, key=lambda one: one.at)
    switches = [
        after.at
        for name in ("web1", "web2")
        for before, after in pairwise(one for one in at if one.host == name)
        if before.release != after.release
    ]
    near = [one for one in at if any(abs(one.at - switch) < AROUND for switch in switches)]
    calm = [one for one in at if all(abs(one.at - switch) >= AROUND for switch in switches)]
    slowest, usual = (max(one.seconds for one in ones) for ones in (near, calm))
    late = sum(one.seconds > 2 * usual for one in near)
    return (
        f"{len(at)} pages, the slowest {usual * 1000:.0f} ms, around switches "
        f"{slowest * 1000:.0f} ms; {late} of {len(near)} there slower than twice the former"
    )
