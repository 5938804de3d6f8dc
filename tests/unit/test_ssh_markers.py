"""Markers are found wherever they are, and nothing of the output is lost or added."""

import pytest

from deploy.ssh.markers import Markers

STREAM = (
    b"noise\x1e\x1eNON\x1eN done 1 0\nout\x1eN alive\nput\n\x1eX done 1 0\n\x1eN done 2 3\ntail\x1e"
)
PARTS = [
    b"noise\x1e\x1eNON",
    ("done", "1", "0"),
    b"out",
    ("alive",),
    b"put\n\x1eX done 1 0\n",
    ("done", "2", "3"),
    b"tail",
]


def joined(parts: list[bytes | tuple[str, ...]]) -> list[bytes | tuple[str, ...]]:
    found: list[bytes | tuple[str, ...]] = []
    for part in parts:
        last = found[-1] if found else ()
        if isinstance(part, bytes) and isinstance(last, bytes):
            found[-1] = last + part
        else:
            found.append(part)
    return found


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 1000])
def test_markers_and_output_are_told_apart_in_pieces_of_any_size(size: int) -> None:
    markers = Markers("N")
    parts: list[bytes | tuple[str, ...]] = []
    for at in range(0, len(STREAM), size):
        parts += markers.feed(STREAM[at : at + size])
    assert joined(parts) == PARTS


def test_output_is_not_held_back_longer_than_it_may_be_a_marker() -> None:
    markers = Markers("nonce")
    assert list(markers.feed(b"progress\x1eno")) == [b"progress"]
    assert list(markers.feed(b"thing")) == [b"\x1enothing"]
