"""Which hosts take part, and where a rollback goes."""

from dataclasses import replace
from pathlib import Path

import pytest

from deploy.choice import Goal, live_release, new_release, rollback_target
from deploy.errors import Refused
from deploy.findings import Findings, Tree
from deploy.host import Host
from deploy.participants import participants
from deploy.project import Project
from deploy.release import Release
from deploy.source import Source
from deploy.stage import Stage

A, B, C = "000001-aaaaaaa", "000002-bbbbbbb", "000003-ccccccc"
WEB1, WEB2 = Host("web1", "web1", ("web",)), Host("web2", "web2", ("web",))
STATIC, DB = Host("static1", "static1", ("static",)), Host("db1", "db1", ("db",))
DB2 = Host("db2", "db2", ("db",))


def stage(*hosts: Host) -> Stage:
    return Stage("test", Path("test.toml"), "", False, 8, Project(name="shop"), hosts)


def tree(*history: str, complete: tuple[str, ...] = ()) -> Tree:
    names = complete or history
    return Tree(
        current=history[-1], complete={name: Release(name) for name in names}, history=history
    )


def web(*history: str, complete: tuple[str, ...] = ()) -> Findings:
    return Findings(web=tree(*history, complete=complete))


def static(*history: str) -> Findings:
    return Findings(static=tree(*history))


def names(goal: Goal) -> tuple[str | None, str | None]:
    return (goal.web.id if goal.web else None, goal.static.id if goal.static else None)


def test_web_hosts_bring_the_db_primary_in_and_no_other_db_host() -> None:
    taking_part = participants(stage(WEB1, DB, DB2), [WEB1])
    assert [host.name for host in taking_part] == ["web1", "db1"]


def test_static_hosts_leave_the_database_alone() -> None:
    assert participants(stage(WEB1, STATIC, DB), [STATIC]) == (STATIC,)


def test_a_host_that_holds_no_releases_takes_no_part() -> None:
    balancer = Host("lb1", "lb1", ("lb",))
    assert participants(stage(WEB1, balancer), [WEB1, balancer]) == (WEB1,)


def test_one_machine_for_everything_takes_part_once_with_all_its_roles() -> None:
    alone = Host("all", "all", ("web", "static", "db"))
    assert participants(stage(alone), [alone]) == (alone,)


def test_a_new_release_is_numbered_above_all_that_any_host_knows() -> None:
    source = Source(Path(), "", "f" * 40, "t", "r", "m")
    release = new_release(source, [web(A, B), static(A, C)])
    assert release.id == "000004-fffffff"


def test_a_rollback_takes_the_static_files_along_to_what_they_were() -> None:
    found = {"web1": web(A, B), "static1": static(A, B)}
    assert names(rollback_target([WEB1, STATIC], found, "")) == (A, A)


def test_static_files_that_are_older_than_the_target_stay() -> None:
    found = {"web1": web(A, B), "static1": static(A)}
    assert names(rollback_target([WEB1, STATIC], found, "")) == (A, None)


def test_a_rollback_of_static_alone_goes_to_the_static_release_before() -> None:
    assert names(rollback_target([STATIC], {"static1": static(A, C)}, "")) == (None, A)


def test_with_nothing_before_the_live_release_a_rollback_is_refused() -> None:
    with pytest.raises(Refused, match="no release before the live one on web1"):
        rollback_target([WEB1], {"web1": web(A)}, "")


def test_hosts_that_would_go_back_to_different_releases_are_refused() -> None:
    found = {"web1": web(A, C), "web2": web(B, C)}
    with pytest.raises(Refused, match="different releases"):
        rollback_target([WEB1, WEB2], found, "")


def test_a_named_release_has_to_be_on_every_host() -> None:
    found = {"web1": web(A, B, C), "web2": web(A, C)}
    with pytest.raises(Refused, match=f"{B} is not complete on web2") as refused:
        rollback_target([WEB1, WEB2], found, B)
    assert A in refused.value.hint


def test_going_back_to_what_is_live_is_refused_rather_than_done_again() -> None:
    with pytest.raises(Refused, match="live already"):
        rollback_target([WEB1], {"web1": web(A, B)}, B)


@pytest.mark.parametrize("to", ["; rm -rf /", "-x", "../000001-aaaaaaa", "latest"])
def test_a_name_that_is_no_release_id_is_refused(to: str) -> None:
    with pytest.raises(Refused, match="not a release id"):
        rollback_target([WEB1], {"web1": web(A, B)}, to)


def test_what_is_live_is_only_an_answer_if_it_is_live_everywhere() -> None:
    assert names(live_release([WEB1], {"web1": web(A)})) == (A, None)
    with pytest.raises(Refused, match="no release is live on web2"):
        live_release([WEB1, WEB2], {"web1": web(A), "web2": Findings()})


def test_going_forward_again_takes_the_static_files_along() -> None:
    every = {name: Release(name) for name in (A, B, C)}
    files = Tree(current=A, complete=every, history=(A,), committed=(A, B, C))
    found = {"web1": web(A, complete=(A, B, C)), "static1": Findings(static=files)}
    assert names(rollback_target([WEB1, STATIC], found, C)) == (C, C)


def with_files(found: Findings, **digests: str) -> Findings:
    """What a host says whose releases have these sets of files, by the letter of the release."""
    sets = {{"a": A, "b": B, "c": C}[letter]: digest for letter, digest in digests.items()}
    if found.static.complete:
        return replace(found, static=replace(found.static, files=sets))
    return replace(found, web=replace(found.web, files=sets))


def test_pages_whose_static_files_are_gone_are_not_gone_back_to() -> None:
    found = {
        "web1": with_files(web(A, B), a="old", b="new"),
        "static1": with_files(static(A, B), a="other", b="new"),
    }
    for hosts in ([WEB1], [WEB1, STATIC]):
        with pytest.raises(Refused, match=f"static1 no longer has the static files of {A}") as no:
            rollback_target(hosts, found, "")
        assert no.value.hint == f"fab -R static deploy-static --revision {A[7:]}"
    found["static1"] = with_files(static(A, B), a="old", b="new")
    assert names(rollback_target([WEB1], found, "")) == (A, None)


def test_a_static_host_that_was_emptied_is_no_excuse() -> None:
    emptied = Findings(static=Tree(history=(A, B), committed=(A, B)))
    found = {"web1": with_files(web(A, B), a="old", b="new"), "static1": emptied}
    with pytest.raises(Refused, match="static1 no longer has the static files"):
        rollback_target([WEB1], found, "")


def test_pages_that_name_no_files_by_digest_go_back_all_the_same() -> None:
    found = {"web1": web(A, B), "static1": static(A, B)}
    assert names(rollback_target([WEB1], found, "")) == (A, None)
