"""Two people who deploy at the same time, and a run whose machine died."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.docker.checkout import Checkout
from tests.docker.hosts import Hosts, wait_for

pytestmark = pytest.mark.docker

SWALLOW = "exec cat >/dev/null"
"""What a slow rsync does: takes everything and answers nothing, for as long as it is asked."""


def test_of_two_runs_at_once_one_releases_and_the_other_says_who_does(
    hosts: Hosts, live: dict[str, str], clone: Callable[[Path], Checkout], tmp_path: Path
) -> None:
    both = [clone(tmp_path / name / "project") for name in ("one", "two")]
    for number, checkout in enumerate(both):
        checkout.title(f"Runner {number}")
    runs = [checkout.start("deploy", "--json") for checkout in both]
    codes = [run.process.wait(120) for run in runs]
    assert sorted(codes) == [0, 4], [run.told().text for run in runs]
    winner, loser = (runs[codes.index(code)].ended(code) for code in (0, 4))
    assert set(hosts.served().values()) == {winner.result["release"]} != set(live.values())
    assert "nothing was changed" in loser.result["error"]
    assert "deploy by " in loser.result["error"]
    assert "@" in loser.result["error"]
    hosts.at_rest()


def test_a_run_that_is_alive_cannot_be_pushed_aside(
    hosts: Hosts, live: dict[str, str], checkout: Checkout, base: Checkout
) -> None:
    checkout.title("Slowly")
    with hosts.trap("web2", "rsync", "*--server*", SWALLOW) as trap:
        run = checkout.start("deploy")
        trap.sprung()
        held = base.fab("rollback", "--json", code=4)
        assert "the run is alive" in held.result["error"]
        assert base.fab("recover", code=4).text.count("is alive") == 1
        assert "alive" in str(base.fab("status", "--json").of("host")[0]["lock"])
        base.fab("unlock", code=4)
        run.signal(signal.SIGTERM)
        run.ended(130)
    assert hosts.served() == live
    hosts.at_rest()


def test_the_lock_of_a_run_that_was_killed_is_named_and_recovered(
    hosts: Hosts, live: dict[str, str], checkout: Checkout, base: Checkout
) -> None:
    checkout.title("Cut off")
    with hosts.trap("web2", "rsync", "*--server*", SWALLOW) as trap:
        run = checkout.start("deploy")
        trap.sprung()
        run.signal(signal.SIGKILL)
        run.ended(-signal.SIGKILL)
    wait_for(lambda: not any(hosts.each("pgrep -u deploy || true").values()))
    assert all(hosts.locks().values())
    told = base.fab("deploy", code=4)
    assert "a run that is gone" in told.err
    assert "deploy by " in told.err
    assert "fab recover" in told.err
    assert hosts.served() == live
    base.fab("recover")
    hosts.at_rest()
    assert hosts.served() == live
    release = base.fab("deploy", "--json").result["release"]
    assert set(hosts.served().values()) == {release}


def test_a_frozen_stage_refuses_releases_and_says_why(
    hosts: Hosts, live: dict[str, str], base: Checkout
) -> None:
    base.fab("lock", "--reason", "the shop is open today")
    try:
        told = base.fab("deploy", code=4)
        assert "the shop is open today" in told.err
        assert "fab unlock" in told.err
        assert hosts.served() == live
    finally:
        base.fab("unlock")
    assert base.fab("plan").code == 0


@pytest.mark.usefixtures("live")
def test_the_log_says_who_did_what_and_what_came_of_it(hosts: Hosts, checkout: Checkout) -> None:
    release = checkout.fab("deploy", "--json").result["release"]
    checkout.fab("rollback")
    newest, before = [e for e in checkout.fab("log", "--json").events if e["event"] == "run"][:2]
    assert (newest["verb"], newest["outcome"]) == ("rollback", "live")
    assert newest["web"] == {"from": release, "to": hosts.served()["web1"]}
    assert (before["verb"], before["web"]["to"]) == ("deploy", release)
    assert set(before["hosts"]) == {"web1", "web2", "static1", "db1"}
    told = checkout.fab("log", "--limit", "1")
    assert f"{release} -> " in told.out
    assert " deploy " not in told.out
