"""What hosts remember, and the history that follows from it."""

import pytest

from deploy.errors import Inconsistent
from deploy.journal import Change, Entry, Run, history, parse

A, B, C = "000001-aaaaaaa", "000002-bbbbbbb", "000003-ccccccc"


def entry(verb: str, release: str, kind: str = "web", ended: str = "commit") -> Entry:
    run = Run(f"r-{verb}-{release}-{ended}", verb, "ann@desk")
    return Entry(run, "web1", ("web1", "web2"), {kind: Change(None, release)}, ended)


def entries(*said: tuple[str, str]) -> list[Entry]:
    return [entry(verb, release) for verb, release in said]


def test_a_run_is_read_as_it_was_written() -> None:
    changes = {"web": Change(A, B), "static": Change(None, B)}
    begun = Entry(Run("r1", "deploy", "ann@desk"), "db1", ("db1", "web1"), changes)
    assert parse("web1", [begun.line()]) == (begun,)


def test_a_run_that_was_begun_is_open_until_it_is_committed_or_aborted() -> None:
    begun = entry("deploy", A, ended="")
    line = begun.line()
    assert parse("web1", [line])[0].ended == ""
    assert parse("web1", [line, f"commit {begun.run.id}"])[0].ended == "commit"
    assert parse("web1", [line, f"abort {begun.run.id}"])[0].ended == "abort"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "commit",
        "commit never-begun",
        "begin r deploy",
        "garbage",
        "begin r deploy w web1 web1 web=->../../etc",
        "begin r deploy w web1 web1 mail=->000001-aaaaaaa",
    ],
)
def test_a_torn_line_is_an_error_that_names_host_and_line_never_a_guess(line: str) -> None:
    with pytest.raises(Inconsistent, match="web1: line 2"):
        parse("web1", [entry("deploy", A).line(), line])


def test_deploys_pile_up() -> None:
    assert history(entries(("deploy", A), ("deploy", B)), "web", B) == (A, B)


def test_going_back_twice_goes_back_two_releases() -> None:
    log = entries(("deploy", A), ("deploy", B), ("deploy", C), ("rollback", B))
    assert history(log, "web", B) == (A, B)
    log += entries(("rollback", A))
    assert history(log, "web", A) == (A,)


def test_going_forward_again_after_a_rollback_puts_the_release_back_on() -> None:
    log = entries(("deploy", A), ("deploy", B), ("rollback", A), ("rollback", B))
    assert history(log, "web", B) == (A, B)


def test_web_and_static_have_histories_of_their_own() -> None:
    log = [*entries(("deploy", A)), entry("deploy", B, kind="static")]
    assert history(log, "web", A) == (A,)
    assert history(log, "static", B) == (B,)


def test_a_switch_that_was_never_written_down_counts_as_the_newest() -> None:
    assert history(entries(("deploy", A)), "web", B) == (A, B)


def test_a_run_that_was_taken_back_or_cut_off_did_not_happen() -> None:
    log = [entry("deploy", A), entry("deploy", B, ended="abort"), entry("deploy", C, ended="")]
    assert history(log, "web", A) == (A,)
