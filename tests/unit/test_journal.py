"""What hosts remember, and the history that follows from it."""

import pytest

from deploy.errors import Inconsistent
from deploy.journal import Entry, history, parse

A, B, C = "000001-aaaaaaa", "000002-bbbbbbb", "000003-ccccccc"


def entries(*said: tuple[str, str]) -> list[Entry]:
    return [Entry("run", verb, "web", release, "ann@desk") for verb, release in said]


def test_a_line_is_read_as_it_was_written() -> None:
    entry = Entry("20260101-120000-abc", "deploy", "static", A, "ann@desk")
    assert parse("web1", [entry.line()]) == (entry,)


@pytest.mark.parametrize(
    "line", ["", "commit x deploy web", "garbage", "commit r deploy web ../x w"]
)
def test_a_torn_line_is_an_error_that_names_host_and_line_never_a_guess(line: str) -> None:
    good = Entry("r", "deploy", "web", A, "ann@desk").line()
    with pytest.raises(Inconsistent, match="web1: line 2"):
        parse("web1", [good, line])


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
    log = [*entries(("deploy", A)), Entry("r", "deploy", "static", B, "w")]
    assert history(log, "web", A) == (A,)
    assert history(log, "static", B) == (B,)


def test_a_switch_that_was_never_written_down_counts_as_the_newest() -> None:
    assert history(entries(("deploy", A)), "web", B) == (A, B)
