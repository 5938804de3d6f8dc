"""Hosts that are not there when a run begins."""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest

from tests.docker.checkout import Checkout
from tests.docker.hosts import Hosts
from tests.sandbox.docker import docker

pytestmark = pytest.mark.docker

THERE = ("web1", "static1", "db1")
CONNECT = 10.0
"""Seconds that the inventory gives a host to answer."""


@contextmanager
def without(
    hosts: Hosts, names: Sequence[str], how: str, mend: Callable[[], None]
) -> Iterator[None]:
    """While the block lasts, docker has done `how` to these hosts."""
    docker(how, *(hosts.fleet.container(name) for name in names))
    try:
        yield
    finally:
        mend()


@pytest.mark.parametrize("how", ["kill", "pause"])
def test_a_host_that_does_not_answer_stops_the_run_before_any_change(
    hosts: Hosts,
    live: dict[str, str],
    checkout: Checkout,
    mend: Callable[[], None],
    how: str,
) -> None:
    checkout.title("Not for now")
    before = hosts.listing()
    with without(hosts, ["web2"], how, mend):
        began = time.monotonic()
        told = checkout.fab("deploy", code=2)
        took = time.monotonic() - began
        hosts.at_rest(THERE)
    assert took < CONNECT + 8.0
    assert "not started, nothing changed" in told.err
    assert re.search(r"^(error: )?web2: .*127\.0\.0\.1:\d+", told.err, re.MULTILINE)
    assert "web1" not in told.err
    assert hosts.listing() == before
    assert hosts.served() == live


def test_all_hosts_that_do_not_answer_are_listed(
    hosts: Hosts, live: dict[str, str], base: Checkout, mend: Callable[[], None]
) -> None:
    with without(hosts, ["web2", "static1"], "kill", mend):
        told = base.fab("rollback", "--json", code=2)
    assert "web2: " in told.result["error"]
    assert "static1: " in told.result["error"]
    assert hosts.served() == live


def test_a_release_to_the_rest_says_who_is_left_out(
    hosts: Hosts, live: dict[str, str], checkout: Checkout, mend: Callable[[], None]
) -> None:
    checkout.title("For those who are there")
    with without(hosts, ["web2"], "kill", mend):
        told = checkout.fab("--skip-bad-hosts", "deploy")
        assert "left out, because they cannot be reached: web2" in told.out
        new = hosts.released("web1")
        assert new != live["web1"]
        assert hosts.released("static1") == new
    # Back again, it serves what it had, and status says that the hosts differ.
    assert hosts.released("web2") == live["web2"]
    assert f"the web hosts differ: {live['web2']}, {new}" in checkout.fab("status").out
    both = checkout.fab("deploy", "--json").result["release"]
    assert set(hosts.served().values()) == {both}


def test_pages_wait_for_a_static_host_that_cannot_say_whether_it_has_their_files(
    hosts: Hosts, live: dict[str, str], checkout: Checkout, mend: Callable[[], None]
) -> None:
    checkout.title("Without knowing")
    with without(hosts, ["static1"], "kill", mend):
        told = checkout.fab("-R", "web", "deploy", code=2)
        assert "not started, nothing changed" in told.err
        assert re.search(r"^(error: )?static1: ", told.err, re.MULTILINE)
        assert {name: hosts.released(name) for name in ("web1", "web2")} == {
            name: live[name] for name in ("web1", "web2")
        }
        told = checkout.fab("-R", "web", "--skip-bad-hosts", "deploy")
        assert "left out, because they cannot be reached: static1" in told.out
    checkout.fab("-R", "web", "rollback")
    assert hosts.served() == live
