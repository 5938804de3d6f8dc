"""What recover, and whoever waits for another run, make of hosts that are not as they should be."""

import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from deploy import recover as recovering
from deploy.command import Action, Command, OnLine, Result
from deploy.environment import push as push_environment
from deploy.errors import DeployError, Inconsistent, Interrupted, Locked, PrepareFailed, Refused
from deploy.findings import Findings
from deploy.flow import DEPLOY
from deploy.freeze import freeze
from deploy.host import Host
from deploy.main import deploy
from deploy.manage import manage
from deploy.means import Means
from deploy.reach import Reach
from deploy.recover import recover
from deploy.report import Event, Printed
from deploy.rollback import go_back
from deploy.schema import KEEP
from tests.local.fleet import BACK, HOSTS, NO_SERVER, Fleet, without_web1
from tests.local.locallink import LocalLink

BADLY = NO_SERVER + "ask() { echo '/ answers 500 from release unknown'; return 65; }\n"
"""The site answers, and no page is well."""


def cut_off(fleet: Fleet, before: str, after: str, hosts: Sequence[str] = HOSTS) -> None:
    """What a run leaves that was cut off after its last switch, and before it was decided."""
    for name in hosts:
        with (fleet.root(name) / ".deploy/journal").open("a") as journal:
            journal.write(f"begin r9 deploy ann@desk web1 {','.join(hosts)} web={before}>{after}\n")


def last_line(fleet: Fleet, name: str) -> str:
    return (fleet.root(name) / ".deploy/journal").read_text().splitlines()[-1]


def test_a_run_is_ended_though_what_was_live_before_answers_badly_for_else_nothing_could_mend_it(
    fleet: Fleet,
) -> None:
    old, new = (str(fleet.deploy().release) for _ in range(2))
    cut_off(fleet, old, new)
    fleet.server = BADLY
    with pytest.raises(Inconsistent, match=r"does not answer well:\n.*answers 500") as told:
        fleet.recover()
    assert "fab deploy" in told.value.hint
    assert set(fleet.live().values()) == {old}
    assert {last_line(fleet, name) for name in HOSTS} == {"abort r9"}
    fleet.server = NO_SERVER
    assert fleet.deploy().release in fleet.live().values()


def test_a_release_that_does_not_load_is_switched_back_all_the_same_and_said(fleet: Fleet) -> None:
    old, new = (str(fleet.deploy().release) for _ in range(2))
    cut_off(fleet, old, new)
    fleet.server = NO_SERVER + "ensure_slot() { echo 'the site does not load: oh'; return 65; }\n"
    with pytest.raises(Inconsistent, match="the site does not load: oh"):
        fleet.recover()
    assert set(fleet.live().values()) == {old}
    assert {last_line(fleet, name) for name in HOSTS} == {"abort r9"}


def test_one_host_that_lacks_the_release_before_does_not_keep_the_others_from_it(
    fleet: Fleet,
) -> None:
    old, new = (str(fleet.deploy().release) for _ in range(2))
    cut_off(fleet, old, new)
    (fleet.root("web2") / "releases" / old / "release.json").unlink()
    with pytest.raises(Inconsistent, match=f"web2: release {old} is gone from this host"):
        fleet.recover()
    assert fleet.live() == {"web1": old, "web2": new, "web3": old}
    assert last_line(fleet, "web1") == last_line(fleet, "web3") == "abort r9"
    assert last_line(fleet, "web2").startswith("begin r9")


def test_a_host_that_is_new_in_the_inventory_does_not_stop_the_recovery_of_the_others(
    fleet: Fleet,
) -> None:
    old, new = (str(fleet.deploy().release) for _ in range(2))
    cut_off(fleet, old, new, ("web1", "web2"))
    fleet.root("web3").rename(fleet.path / "gone")
    assert fleet.recover().release == old
    assert "left out, because there is no site on them: web3" in fleet.notes()


def test_a_host_whose_disk_is_away_is_not_taken_for_new_if_it_alone_knows_the_end(
    fleet: Fleet,
) -> None:
    old, new = (str(fleet.deploy().release) for _ in range(2))
    cut_off(fleet, old, new)
    fleet.root("web1").rename(fleet.path / "unmounted")
    with pytest.raises(Inconsistent, match="web1 cannot be asked, and it alone knows"):
        fleet.recover()
    assert last_line(fleet, "web2").startswith("begin r9")


def while_another_is_at_work(what: Callable[[], object]) -> Callable[..., None]:
    """In the place of a look at whether hosts are free: the first time another run is there."""
    turns: list[bool] = []

    def look(*_: object) -> None:
        turns.append(True)
        if len(turns) == 1:
            what()
            raise Locked("web1 is locked, and the run is alive", alive=True)

    return look


def test_who_waits_for_a_rollback_does_not_go_back_once_more_after_it(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, second, _ = (fleet.deploy().release for _ in range(3))

    def other() -> None:
        with monkeypatch.context() as free:
            free.setattr("deploy.course.must_be_fit", lambda *_: None)
            fleet.rollback()

    monkeypatch.setattr("deploy.waiting.STEP", 0.01)
    monkeypatch.setattr("deploy.course.must_be_fit", while_another_is_at_work(other))
    with pytest.raises(Refused, match="somebody else has changed these hosts meanwhile: rollback"):
        go_back(fleet.asked(wait=30.0), fleet.means(), flow=BACK)
    assert set(fleet.live().values()) == {second}


def test_who_waited_for_a_run_that_made_nothing_live_goes_back(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = (fleet.deploy().release for _ in range(2))
    monkeypatch.setattr("deploy.waiting.STEP", 0.01)
    monkeypatch.setattr("deploy.course.must_be_fit", while_another_is_at_work(lambda: None))
    go_back(fleet.asked(wait=30.0), fleet.means(), flow=BACK)
    assert set(fleet.live().values()) == {first}


def test_a_run_on_other_hosts_that_was_cut_off_does_not_stop_who_goes_back_on_these(
    fleet: Fleet,
) -> None:
    old, new = (str(fleet.deploy().release) for _ in range(2))
    run = last_line(fleet, "web2").split()[1]
    (fleet.root("web2") / ".deploy/lock").write_text(f"{run} deploy by ann@desk, process 1\n")
    go_back(fleet.asked(hosts=("web1",)), fleet.means(), flow=BACK)
    assert fleet.live() == {"web1": old, "web2": new, "web3": new}


def test_recover_waits_as_the_error_recommends(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = (str(fleet.deploy().release) for _ in range(2))
    cut_off(fleet, old, new)
    busy, really = while_another_is_at_work(lambda: None), recovering._unfinished

    def unfinished(hosts: Sequence[Host], found: dict[str, Findings]) -> bool:
        busy()
        return really(hosts, found)

    monkeypatch.setattr("deploy.waiting.STEP", 0.01)
    monkeypatch.setattr("deploy.recover._unfinished", unfinished)
    assert recover(fleet.asked(wait=30.0), fleet.means()).release == old
    assert "waiting: web1 is locked, and the run is alive" in fleet.notes()


def with_a_database(fleet: Fleet) -> dict[str, object]:
    """web1 is the primary as well, and whoever asks goes on without hosts that are away."""
    first, *others = fleet.stage.hosts
    hosts = (replace(first, roles=("web", "db")), *others)
    return {"loaded": replace(fleet.stage, hosts=hosts), "skip_bad_hosts": True}


def test_nothing_is_released_past_a_primary_that_cannot_be_reached_for_nobody_would_migrate(
    fleet: Fleet,
) -> None:
    fleet.deploy()
    live = fleet.live()
    with pytest.raises(Refused, match="web1 cannot be reached, and migrations run there") as told:
        deploy(fleet.asked(**with_a_database(fleet)), without_web1(fleet), flow=DEPLOY)
    assert "--set db.migrate=false" in told.value.hint
    assert fleet.live() == live


def test_going_back_past_a_primary_that_cannot_be_reached_has_to_be_asked_for(
    fleet: Fleet,
) -> None:
    old, new = (str(fleet.deploy().release) for _ in range(2))
    asked, means = fleet.asked(**with_a_database(fleet)), without_web1(fleet)
    with pytest.raises(Refused, match="nobody knows which migrations") as told:
        go_back(asked, means, flow=BACK)
    assert "--keep-schema" in told.value.hint
    go_back(asked, means, flow=BACK, schema=KEEP)
    assert fleet.live() == {"web1": new, "web2": old, "web3": old}


def test_a_freeze_that_one_host_did_not_take_says_so_of_each(fleet: Fleet) -> None:
    (fleet.root("web2") / ".deploy").rmdir()
    with pytest.raises(PrepareFailed, match="not done everywhere:\nweb2: "):
        freeze(fleet.asked(), fleet.means(), "audit")
    assert "web1: frozen" in fleet.notes()
    assert "web3: frozen" in fleet.notes()


def test_an_environment_that_has_begun_to_come_comes_to_all_hosts_though_somebody_interrupts(
    fleet: Fleet,
) -> None:
    class Impatient(LocalLink):
        def execute(self, action: Action, on_line: OnLine) -> Result:
            if isinstance(action, Command) and action.argv[0] == "put_env":
                os.kill(os.getpid(), signal.SIGINT)
            return super().execute(action, on_line)

    def reach(host: Host, words: str) -> Reach:
        return Impatient(fleet.path / host.name, words, host.name)

    group = Path.cwd().group()
    stage = fleet.stage
    web = replace(stage.project.web, group=group)
    hosts = tuple(replace(host, project=replace(host.project, web=web)) for host in stage.hosts)
    asked = fleet.asked(loaded=replace(stage, hosts=hosts, parallel=1), yes=True)
    told = "stopped by you; the new environment is on web1, web2, web3"
    with pytest.raises(Interrupted, match=told):
        push_environment(asked, replace(fleet.means(), reach=reach), "SECRET_KEY=one\n")
    for name in HOSTS:
        assert (fleet.root(name) / "shared/env").read_text() == "SECRET_KEY=one\n"
        assert not (fleet.root(name) / ".deploy/lock").exists()


def managed(fleet: Fleet, release: str) -> str:
    """What a management command says; the release's Python is a script that echoes."""
    said: list[Event] = []
    means: Means = replace(fleet.means(), emit=said.append)
    asked = fleet.asked(rest=("showmigrations",), hosts=("web1",))
    manage(asked, means, stdin="", release=release)
    return "".join(event.text for event in said if isinstance(event, Printed))


def test_a_release_that_was_taken_back_still_runs_its_own_commands_as_it_alone_has_the_migration(
    fleet: Fleet,
) -> None:
    new = str(fleet.deploy().release)
    old = str(fleet.deploy().release)
    python = fleet.root("web1") / "releases" / new / "venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$@"\n')
    python.chmod(0o755)
    assert (
        managed(fleet, new)
        == f"{fleet.root('web1')}/entry/run.py {fleet.root('web1')} {new} showmigrations\n"
    )
    with pytest.raises(Refused, match="there is no release 000099-aaaaaaa on web1"):
        managed(fleet, "000099-aaaaaaa")
    at_a_terminal = replace(fleet.means(), terminal=lambda *_: pytest.fail("it was begun"))
    asked = fleet.asked(rest=("showmigrations",), hosts=("web1",))
    with pytest.raises(Refused, match="there is no release 000099-aaaaaaa on web1"):
        manage(asked, at_a_terminal, release="000099-aaaaaaa")
    with pytest.raises(DeployError, match="is not a release id"):
        managed(fleet, "../x")
    assert fleet.live()["web1"] == old
