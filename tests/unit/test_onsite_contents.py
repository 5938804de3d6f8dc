"""What has to be sent to a bucket, told from a listing and an index."""

import pytest

from deploy.onsite.contents import Compared, Mine, Stamp, compare, index_of, index_text, indexed

HELLO = Mine(5, "5d41402abc4b2a76b9719d911017c592")
ZIPPED = Stamp(25, "0123456789abcdef0123456789abcdef")


def test_a_file_whose_size_and_etag_are_ours_is_there() -> None:
    assert compare({"a": HELLO}, {"a": Stamp(*HELLO)}, {}) == Compared([], [])


def test_a_file_that_is_not_listed_is_lacking_whatever_the_index_says() -> None:
    assert compare({"a": HELLO}, {}, {"a": (HELLO.md5, ZIPPED)}) == Compared(["a"], [])


@pytest.mark.parametrize("stamp", [ZIPPED, Stamp(6, HELLO.md5), Stamp(5, "x-2"), Stamp()])
def test_a_file_with_another_stamp_is_unclear(stamp: Stamp) -> None:
    assert compare({"a": HELLO}, {"a": stamp}, {}) == Compared([], ["a"])


def test_the_index_clears_up_what_was_sent_under_another_stamp() -> None:
    index = indexed({}, ["a"], {"a": HELLO}, {"a": ZIPPED})
    assert compare({"a": HELLO}, {"a": ZIPPED}, index) == Compared([], [])
    assert compare({"a": HELLO}, {"a": Stamp(26, ZIPPED.etag)}, index) == Compared([], ["a"])
    assert compare({"a": Mine(5, "other")}, {"a": ZIPPED}, index) == Compared([], ["a"])


def test_the_index_holds_only_what_a_listing_does_not_tell() -> None:
    assert indexed({}, ["a"], {"a": HELLO}, {"a": Stamp(*HELLO)}) == {}


def test_the_index_forgets_what_is_no_longer_there_as_it_was() -> None:
    old = {"gone": ("md5", ZIPPED), "other": ("md5", ZIPPED), "same": ("md5", ZIPPED)}
    there = {"other": Stamp(1, "x"), "same": ZIPPED}
    assert indexed(old, [], {}, there) == {"same": ("md5", ZIPPED)}


def test_the_index_is_read_as_it_was_written() -> None:
    index = {"a b/é.css": ("md5", ZIPPED), "c": ("md5", Stamp())}
    assert index_of(index_text(index).encode()) == index


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b'{"files": {"a": 1}}', b'{"files": []}', b"\xff"]
)
def test_an_index_that_cannot_be_read_is_none(text: bytes) -> None:
    assert index_of(text) == {}
