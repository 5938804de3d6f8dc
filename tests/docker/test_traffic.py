"""Visitors while releases come and go: none of them sees a failed request or half a release."""

import pytest

from tests.docker.checkout import Checkout
from tests.docker.hosts import Hosts
from tests.docker.traffic import Seen, Traffic

pytestmark = pytest.mark.docker

AROUND = 1.0
"""Seconds before and after the first page of a release that count as its switch."""


def test_no_visitor_notices_three_deploys_and_two_rollbacks(
    hosts: Hosts,
    live: dict[str, str],
    checkout: Checkout,
    capsys: pytest.CaptureFixture[str],
) -> None:
    releases = [live["web1"]]
    with Traffic(hosts) as traffic:
        for number, task in enumerate(("deploy", "deploy", "rollback", "deploy", "rollback")):
            if task == "deploy":
                heading = f"Edition {number} of the book"
                css = "guestbook/static/guestbook/site.css"
                checkout.write(css, f"/* {number} */\n" + (checkout.top / "site" / css).read_text())
                revision = checkout.title(heading)
                traffic.headings[revision[:7]] = heading
            releases.append(checkout.fab(task, "--json").result["release"])
    assert traffic.failures == []
    assert set(hosts.served().values()) == {releases[-1]}
    assert {one.release for one in traffic.seen} == set(releases)
    assert len(traffic.sheets) == 4
    for name in ("web1", "web2"):
        assert in_order([one for one in traffic.seen if one.host == name]) == releases
    with capsys.disabled():
        print(f"\n{report(traffic.seen)}")


def in_order(seen: list[Seen]) -> list[str]:
    """The releases as one host's visitors saw them, one after the other and never back again."""
    order: list[str] = []
    # Two visitors ask at the same time, so a page may overtake another at the very switch.
    for one in sorted(seen, key=lambda one: one.at + one.seconds):
        if one.release not in order[-2:]:
            order.append(one.release)
        elif order[-1] != one.release and order[-2] == one.release and settled(seen, one):
            order.append(one.release)
    return order


def settled(seen: list[Seen], one: Seen) -> bool:
    """Whether visitors go on to see this release half a second later, so that it is live."""
    later = [o.release for o in seen if 0.5 < o.at - one.at < 0.8]
    return bool(later) and set(later) == {one.release}


def report(seen: list[Seen]) -> str:
    """How slow the slowest requests were, around switches and without one."""
    switches = [
        after.at for before, after in zip(seen, seen[1:], strict=False)
        if before.release != after.release and before.host == after.host
    ]
    near = [one for one in seen if any(abs(one.at - at) < AROUND for at in switches)]
    calm = [one for one in seen if one not in near]
    slowest, usual = (max((one.seconds for one in ones), default=0.0) for ones in (near, calm))
    late = sum(one.seconds > 2 * usual for one in near)
    return (
        f"{len(seen)} pages; slowest {usual * 1000:.0f} ms, around switches "
        f"{slowest * 1000:.0f} ms; {late} of {len(near)} there slower than twice that"
    )
