"""Ids, previous, and what may be pruned."""

import pytest

from deploy.errors import Refused
from deploy.release import as_of, checked_id, expired, next_id, previous

A, B, C, D = "000001-aaaaaaa", "000002-bbbbbbb", "000003-ccccccc", "000004-ddddddd"


def test_the_next_id_is_one_above_the_highest_that_any_host_has_seen() -> None:
    assert next_id([A, C, B], "f" * 40) == "000004-fffffff"


def test_the_first_release_is_number_one() -> None:
    assert next_id([], "1a2b3c4d" + "0" * 32) == "000001-1a2b3c4"


def test_directories_that_are_no_releases_do_not_disturb_the_numbering() -> None:
    assert next_id(["lost+found", "20240101", ".trash-000009-aaaaaaa", A], "f" * 40)[:6] == "000002"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-rf",
        "../../etc",
        "000001-AAAAAAA",
        "000001-aaaaaaa\n",
        "1-a",
        "000001-aaaaaaa;id",
        "$(id)",
    ],
)
def test_what_is_not_an_id_is_refused_before_it_reaches_a_host(text: str) -> None:
    with pytest.raises(Refused, match="not a release id"):
        checked_id(text)


def test_previous_is_what_was_live_before_not_the_next_lower_number() -> None:
    assert previous(C, [A, C], [A, B, C]) == A


def test_previous_skips_a_release_that_is_no_longer_complete() -> None:
    assert previous(C, [A, B, C], [A, C]) == A


def test_there_is_no_previous_of_the_first_release() -> None:
    assert previous(A, [A], [A, B]) is None


def test_previous_before_anything_is_live_is_the_newest_of_the_history() -> None:
    assert previous(None, [A, B], [A, B]) == B


def test_static_files_go_back_to_what_was_served_when_the_web_release_was_new() -> None:
    assert as_of(2, [A, C], [A, C]) == A
    assert as_of(3, [A, C], [A, C]) == C
    assert as_of(0, [A, C], [A, C]) is None


def test_the_live_release_is_never_pruned_even_if_it_is_the_oldest() -> None:
    assert expired([A, B, C, D], [], 2, {A}) == (B,)


def test_failed_releases_do_not_push_good_ones_out() -> None:
    partial = [f"{n:06d}-fffffff" for n in range(5, 11)]
    assert expired([A, B, C], partial, 3, {C}) == tuple(partial)


def test_the_release_that_is_being_made_is_not_pruned_as_incomplete() -> None:
    assert expired([A], [B], 5, {B, None}) == ()
