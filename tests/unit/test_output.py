"""What programs say: safe to show, and bounded in size."""

import pytest

from deploy.command import KEEP
from deploy.output import HEAD_LIMIT, LINE_LIMIT, Kept, Lines, Output, Whole, shown


def said(*pieces: bytes) -> tuple[list[str], str]:
    lines: list[str] = []
    output = Output(lines.append)
    for piece in pieces:
        output.feed(piece)
    return lines, output.end()


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("plain é ☃\t.", "plain é ☃\t."),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x07\x00\x7f\x9b", "\\x07\\x00\\x7f\\x9b"),
        ("a\rb", "a\\rb"),
        ("left\u202eright\u2066\ufeff", "left\\u202eright\\u2066\\ufeff"),
        ("back\\slash", "back\\slash"),
    ],
)
def test_what_would_move_the_cursor_is_shown_as_text(text: str, safe: str) -> None:
    assert shown(text) == safe


def test_lines_come_as_soon_as_they_are_whole() -> None:
    lines: list[str] = []
    output = Output(lines.append)
    output.feed(b"one\ntw")
    assert lines == ["one"]
    output.feed(b"o\r\n")
    assert lines == ["one", "two"]
    output.feed(b"rest")
    assert lines == ["one", "two"]
    assert output.end() == "one\ntwo\r\nrest"
    assert lines == ["one", "two", "rest"]


def test_characters_may_be_split_and_bytes_may_be_wrong() -> None:
    whole = "aé☃\n".encode()
    pieces = [whole[at : at + 1] for at in range(len(whole))]
    assert said(*pieces) == (["aé☃"], "aé☃\n")
    assert said(b"\xff\n\xc3") == (["\ufffd", "\ufffd"], "\ufffd\n\ufffd")


def test_an_endless_line_is_shown_once_and_cut() -> None:
    lines, _ = said(*[b"x" * 10_000] * 5, b"\nnext\n")
    assert lines == [f"{'x' * LINE_LIMIT} [{50_000 - LINE_LIMIT} more characters]", "next"]


def test_an_endless_last_line_is_cut_too() -> None:
    assert said(b"x" * (LINE_LIMIT + 1))[0] == ["x" * LINE_LIMIT + " [1 more characters]"]


def test_beginning_and_end_of_a_long_output_are_kept() -> None:
    kept = Kept()
    for number in range(60):
        kept.add(bytes([65 + number % 26]) * 100_000)
    text = kept.text()
    assert len(text) < KEEP + 100
    assert text.startswith("A" * HEAD_LIMIT)
    assert text.endswith("H" * 100_000)
    assert f"\n[{6_000_000 - KEEP} bytes left out]\n" in text


def test_our_own_last_line_begins_a_line() -> None:
    lines: list[str] = []
    output = Output(lines.append)
    output.feed(b"half")
    output.say("stopped")
    assert output.end() == "half\nstopped\n"
    assert lines == ["half", "stopped"]


def test_what_is_passed_on_whole_keeps_every_byte() -> None:
    data = b"x" * (2 * LINE_LIMIT) + b"\n\n\xe2\x80\x8b\x1b[0m\r\n\xff end"
    pieces: list[str] = []
    output = Whole(pieces.append)
    for at in range(0, len(data), 7):
        output.feed(data[at : at + 7])
    output.end()
    assert "".join(pieces).encode("utf-8", "surrogateescape") == data


def test_our_own_last_line_begins_a_line_there_too() -> None:
    pieces: list[str] = []
    output = Whole(pieces.append)
    output.feed(b"half")
    output.say("stopped")
    output.feed(b"line\n")
    output.say("again")
    assert "".join(pieces) == "half\nstopped\nline\nagain\n"


def test_pieces_become_lines_however_they_are_cut() -> None:
    lines: list[str] = []
    taking = Lines(lines.append)
    for piece in ("one\n\nt", "w", "o\nthr", "ee"):
        taking.add(piece)
    assert lines == ["one", "", "two"]
    taking.end()
    taking.end()
    assert lines == ["one", "", "two", "three"]
