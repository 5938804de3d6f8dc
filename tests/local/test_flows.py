"""Whole flows on real directories, in the host's own shell words, without a network."""

import io
import os
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from deploy.checklist import check
from deploy.command import Action, Command
from deploy.errors import Inconsistent, Locked, MigrationFailed, PrepareFailed, Refused, RolledBack
from deploy.flow import Flow
from deploy.freeze import freeze, thaw
from deploy.host import Host
from deploy.main import deploy
from deploy.manage import run
from deploy.outcome import Outcome
from deploy.recover import recover
from deploy.report import Began, Event, Table
from deploy.rollback import go_back
from deploy.status import status
from deploy.steps import Phase, Step, Target, step
from deploy.steps.code import push
from tests.local.fleet import (
    BACK,
    FLOW,
    HOSTS,
    Fleet,
    failing,
    seal_without_packages,
    switch_only,
    without_web1,
)


def test_every_host_gets_the_same_release_under_the_same_id(fleet: Fleet) -> None:
    outcome = fleet.deploy()
    assert set(fleet.live().values()) == {outcome.release}
    assert str(outcome.release).startswith("000001-")
    assert (fleet.root("web2") / "current" / "page.html").read_text() == "page\n"


def test_after_many_deploys_the_newest_few_are_left_and_the_live_one_is_among_them(
    fleet: Fleet,
) -> None:
    made = [fleet.deploy().release for _ in range(6)]
    assert set(fleet.live().values()) == {made[-1]}
    assert fleet.releases()[-3:] == made[-3:]
    assert len(fleet.releases()) <= 4


def test_failed_deploys_do_not_push_out_what_can_be_gone_back_to(fleet: Fleet) -> None:
    good = [fleet.deploy().release for _ in range(2)]
    broken = FLOW.before(seal_without_packages, failing("x", Phase.PREPARE, "web2"))
    for _ in range(5):
        with pytest.raises(PrepareFailed):
            fleet.deploy(broken)
    assert set(fleet.live().values()) == {good[-1]}
    assert fleet.rollback().release == good[0]


PREPARING = [one for one in FLOW.steps if one.phase is Phase.PREPARE]
COMMITTING = [one for one in FLOW.steps if one.phase is Phase.COMMIT]


@pytest.mark.parametrize("where", PREPARING, ids=lambda one: one.name)
def test_a_failure_while_preparing_leaves_the_old_release_live(fleet: Fleet, where: Step) -> None:
    old = fleet.deploy().release
    with pytest.raises(PrepareFailed, match="x failed on web2: it broke") as failed:
        fleet.deploy(FLOW.after(where, failing("x", Phase.PREPARE, "web2")))
    assert "nothing was switched" in failed.value.what
    assert set(fleet.live().values()) == {old}
    good = fleet.deploy().release
    assert set(fleet.live().values()) == {good}


@pytest.mark.parametrize("where", COMMITTING[:-1], ids=lambda one: one.name)
def test_a_failure_while_switching_puts_every_host_back(fleet: Fleet, where: Step) -> None:
    old = fleet.deploy().release
    with pytest.raises(RolledBack, match="every host was put back"):
        fleet.deploy(FLOW.after(where, failing("x", Phase.COMMIT, "web3")))
    assert set(fleet.live().values()) == {old}
    journal = (fleet.root("web1") / ".deploy/journal").read_text().splitlines()
    assert journal[-1].startswith("abort ")
    fleet.deploy()


def test_a_first_release_that_fails_leaves_no_current_behind(fleet: Fleet) -> None:
    with pytest.raises(RolledBack):
        fleet.deploy(FLOW.after(switch_only, failing("x", Phase.COMMIT, "web1")))
    assert set(fleet.live().values()) == {"-"}


def test_a_failing_migration_has_an_exit_code_of_its_own(fleet: Fleet) -> None:
    old = fleet.deploy().release
    with pytest.raises(MigrationFailed, match="the database may be ahead"):
        fleet.deploy(FLOW.before(switch_only, failing("db.migrate", Phase.COMMIT, "web1")))
    assert set(fleet.live().values()) == {old}


def test_a_failure_after_the_decision_is_a_warning_and_the_release_stays(fleet: Fleet) -> None:
    flow = Flow("deploy", (*FLOW.steps, failing("tidy", Phase.FINISH, "web2")))
    outcome = fleet.deploy(flow)
    assert set(fleet.live().values()) == {outcome.release}
    assert "warning, the release is live all the same: tidy failed on web2" in fleet.notes()


def test_rolling_back_twice_goes_back_two_and_then_says_that_there_is_no_more(
    fleet: Fleet,
) -> None:
    first, second, _ = (fleet.deploy().release for _ in range(3))
    assert fleet.rollback().release == second
    assert fleet.rollback().release == first
    with pytest.raises(Refused, match="no release before"):
        fleet.rollback()
    assert set(fleet.live().values()) == {first}


def test_rolling_back_to_a_named_release_and_forward_again(fleet: Fleet) -> None:
    made = [str(fleet.deploy().release) for _ in range(3)]
    assert fleet.rollback(made[0]).release == made[0]
    assert fleet.rollback(made[2]).release == made[2]
    assert set(fleet.live().values()) == {made[2]}


def test_a_frozen_fleet_takes_no_release_and_says_why(fleet: Fleet) -> None:
    freeze(fleet.asked(), fleet.means(), "audit until Monday")
    with pytest.raises(Locked, match="frozen: by ann@desk: audit until Monday"):
        fleet.deploy()
    thaw(fleet.asked(), fleet.means())
    fleet.deploy()


def test_a_freeze_that_comes_while_the_operator_is_asked_is_kept(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = fleet.deploy().release
    asked = lambda *_: freeze(fleet.asked(), fleet.means(), "audit")  # noqa: E731 - one word
    monkeypatch.setattr("deploy.course.must_consent", asked)
    with pytest.raises(Locked, match="is frozen: by ann@desk: audit"):
        fleet.deploy()
    assert set(fleet.live().values()) == {old}


def test_two_who_go_back_from_the_same_release_do_not_go_back_twice(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, second, _ = (fleet.deploy().release for _ in range(3))

    def other_is_faster(*_: object) -> None:
        monkeypatch.setattr("deploy.course.must_consent", lambda *_: None)
        fleet.rollback()

    monkeypatch.setattr("deploy.course.must_consent", other_is_faster)
    with pytest.raises(Refused, match="somebody else has changed these hosts meanwhile"):
        go_back(fleet.asked(), fleet.means(), flow=BACK)
    assert set(fleet.live().values()) == {second}


def test_who_waits_for_the_locks_does_not_go_back_twice_either(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, second, _ = (fleet.deploy().release for _ in range(3))

    def other_has_the_locks(*_: object) -> None:
        monkeypatch.setattr("deploy.course.must_consent", lambda *_: None)
        fleet.rollback()
        raise Locked("web1 is locked, and the run is alive", alive=True)

    monkeypatch.setattr("deploy.course.must_consent", other_has_the_locks)
    with pytest.raises(Refused, match="somebody else has changed these hosts"):
        go_back(fleet.asked(wait=30.0), fleet.means(), flow=BACK)
    assert set(fleet.live().values()) == {second}


def test_the_second_ctrl_c_leaves_at_once_though_an_undo_hangs(fleet: Fleet) -> None:
    ended = fleet.path / "ended"

    def takes_long(_t: Target) -> Iterator[Action]:
        yield Command(("sh", "-c", f"sleep 20 && touch {ended}"))

    @step("hangs", roles=("web",), phase=Phase.COMMIT, undo=takes_long)
    def hangs(_t: Target) -> Iterator[Action]:
        """do nothing that could be taken back"""
        yield Command(("true",))

    def impatient(event: Event) -> None:
        if isinstance(event, Began) and event.undoing:
            threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()

    old = fleet.deploy().release
    fleet.commit()
    flow = FLOW.after(switch_only, hangs, failing("x", Phase.COMMIT, "web2"))
    with pytest.raises(Inconsistent, match="stopped twice by you") as left:
        deploy(fleet.asked(), replace(fleet.means(), emit=impatient), flow=flow)
    assert left.value.hint == "fab recover"
    assert not ended.exists(), "it was waited for"
    assert fleet.recover().release == old


@pytest.mark.parametrize("gone", [BrokenPipeError(), OSError(5, "EIO"), SystemExit(1)], ids=str)
def test_hosts_are_put_back_though_nobody_can_read_what_is_said_any_more(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, gone: BaseException
) -> None:
    old = fleet.deploy().release
    monkeypatch.setattr(sys, "stdout", io.StringIO())

    def unread(event: Event) -> None:
        if isinstance(event, Began) and event.step == "web.activate":
            fleet.said.append(event)
        if fleet.said:
            raise gone

    fleet.said.clear()
    fleet.commit()
    broken = FLOW.after(switch_only, failing("x", Phase.COMMIT, "web3"))
    with pytest.raises(RolledBack, match="every host was put back"):
        deploy(fleet.asked(), replace(fleet.means(), emit=unread), flow=broken)
    assert set(fleet.live().values()) == {old}


def test_two_runs_at_once_one_is_told_who_has_the_lock(fleet: Fleet) -> None:
    fleet.deploy()
    fleet.deploy()
    seen: list[str] = []

    def in_the_middle(event: Event) -> None:
        if isinstance(event, Began) and event.step == "web.activate" and not seen:
            with pytest.raises(Locked) as locked:
                fleet.rollback()
            seen.append(locked.value.what)

    go_back(fleet.asked(), replace(fleet.means(), emit=in_the_middle), flow=BACK)
    assert "is locked, and the run is alive" in seen[0]
    assert "rollback by ann@desk, process" in seen[0]


def test_a_run_that_lost_its_lock_sends_nothing_either(fleet: Fleet) -> None:
    @step("stolen", roles=("web",))
    def steal(t: Target) -> Iterator[Action]:
        """take the lock away, as a recover from elsewhere does"""
        yield Command(("rm", "-f", f"{t.layout.root}/.deploy/lock"))

    old = fleet.deploy().release
    with pytest.raises(PrepareFailed, match="no longer holds the lock"):
        fleet.deploy(FLOW.before(push, steal))
    assert fleet.releases() == [old]


def _losing(fleet: Fleet, after: int) -> None:
    """Every link is lost after so many actions of the whole fleet."""
    count = 0

    def left() -> bool:
        nonlocal count
        count += 1
        return count <= after

    fleet.left = left


@pytest.mark.parametrize("after", range(4, 34, 3))
def test_wherever_a_run_is_cut_off_one_recover_makes_all_hosts_agree(
    fleet: Fleet, after: int
) -> None:
    old = fleet.deploy().release
    _losing(fleet, after)
    try:
        ended = fleet.deploy()
    except (Inconsistent, PrepareFailed, Refused, RolledBack):
        ended = Outcome()
    fleet.left = lambda: True
    recovered = fleet.recover()
    assert set(fleet.live().values()) == {recovered.release}
    assert recovered.release in (old, ended.release or recovered.release)
    for name in HOSTS:
        assert not (fleet.root(name) / ".deploy/lock").exists()
        assert (fleet.root(name) / "current" / "release.json").exists()
    fleet.deploy()


def test_a_run_is_not_judged_without_the_host_that_alone_knows_its_end(fleet: Fleet) -> None:
    fleet.deploy()
    line = "begin r9 deploy ann@desk web1 web1,web2 web=000001-aaaaaaa>000002-bbbbbbb\n"
    for name in ("web1", "web2"):
        with (fleet.root(name) / ".deploy/journal").open("a") as journal:
            journal.write(line)
    means = without_web1(fleet)
    with pytest.raises(Inconsistent, match="web1 cannot be asked, and it alone knows whether"):
        recover(fleet.asked(skip_bad_hosts=True), means)
    assert (fleet.root("web2") / ".deploy/journal").read_text().endswith(line)


def test_status_shows_the_hosts_that_can_be_reached_and_names_the_one_that_cannot(
    fleet: Fleet,
) -> None:
    live = fleet.deploy().release
    means = without_web1(fleet)
    with pytest.raises(Refused, match="not all hosts were seen:\nweb1: no route to host"):
        status(fleet.asked(), means)
    (table,) = [event for event in fleet.said if isinstance(event, Table) and "shop" in event.title]
    rows = {row[0]: row[2:] for row in table.rows}
    assert rows["web2"][:2] == (live, "-"), "a server that does not answer is no reason to fail"
    assert rows["web1"][-1] == "not known: the host cannot be reached"
    status(fleet.asked(skip_bad_hosts=True), means)


def test_recover_with_nothing_to_do_says_so(fleet: Fleet) -> None:
    fleet.deploy()
    fleet.recover()
    assert "nothing was cut off" in fleet.notes()


def test_a_host_that_is_lost_while_it_is_only_looked_at_leaves_nothing_to_recover_from(
    fleet: Fleet,
) -> None:
    fleet.deploy()
    _losing(fleet, len(HOSTS))
    with pytest.raises(Refused, match=r"nothing was changed: web\d: the connection") as refused:
        check(fleet.asked(), fleet.means())
    assert refused.value.hint == "fab status"


def test_of_a_command_on_a_host_that_is_lost_nobody_knows_how_it_ended(fleet: Fleet) -> None:
    _losing(fleet, 0)
    with pytest.raises(Refused, match="not known how the command ended") as refused:
        run(fleet.asked(roles=("web",), rest=("true",)), fleet.means())
    assert refused.value.hint == "fab status"


def test_a_check_that_fails_tells_scripts_of_the_warnings_beside_its_errors(fleet: Fleet) -> None:
    bare = replace(fleet.project, root=str(fleet.root("web1") / "missing"))
    hosts = (Host("web1", "web1", ("static",), project=bare),)
    asked = fleet.asked(loaded=replace(fleet.stage, hosts=hosts))
    with pytest.raises(PrepareFailed, match="not fit for visitors: prepared") as failed:
        check(asked, fleet.means())
    assert isinstance(failed.value.more["warnings"], int)
