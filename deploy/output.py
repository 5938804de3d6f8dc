"""What programs say: lines that are safe to show, and a text of bounded size to keep."""

import codecs
import re

from deploy.command import KEEP, OnLine

LINE_LIMIT = 8 * 1024
"""Characters of one line that are shown."""
HEAD_LIMIT = 64 * 1024
"""Bytes kept from the beginning of an output that is too long to be kept whole."""

# Controls other than tab, and what reorders or hides text: a host must not draw on our terminal.
_UNSAFE = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]"
)


def shown(text: str) -> str:
    """`text` with control characters as text, such as `\\x1b`, so that it can only be read."""
    return _UNSAFE.sub(lambda match: ascii(match[0])[1:-1], text)


class Kept:
    """The beginning and the end of a stream of bytes, in bounded memory."""

    def __init__(self, limit: int = KEEP) -> None:
        self._limit = limit
        self._head = bytearray()
        self._tail = bytearray()
        self._left_out = 0

    def add(self, data: bytes) -> None:
        """Take in the next bytes."""
        room = HEAD_LIMIT - len(self._head)
        self._head += data[:room]
        self._tail += data[room:] if room else data
        if len(self._tail) > 2 * self._limit:
            self._trim()

    def text(self) -> str:
        """All of it as text, with one line in the place of what was left out."""
        self._trim()
        gap = f"\n[{self._left_out} bytes left out]\n".encode() if self._left_out else b""
        return (bytes(self._head) + gap + bytes(self._tail)).decode("utf-8", "replace")

    def _trim(self) -> None:
        surplus = len(self._tail) - (self._limit - HEAD_LIMIT)
        if surplus > 0:
            del self._tail[:surplus]
            self._left_out += surplus


class Output:
    """One program's output: `on_line` gets each line as it comes, `end` gives the whole."""

    _wrong_bytes = "replace"

    def __init__(self, on_line: OnLine, keep: int = KEEP) -> None:
        self._on_line = on_line
        self._kept = Kept(keep)
        self._decoder = codecs.getincrementaldecoder("utf-8")(self._wrong_bytes)
        self._rest = ""
        self._dropped = 0

    def feed(self, data: bytes) -> None:
        """Take in the next bytes; a character or a line may end in a later call."""
        self._kept.add(data)
        self._take(self._decoder.decode(data))

    def say(self, line: str) -> None:
        """Add a line of our own at the end."""
        if self._rest:
            self.feed(b"\n")
        self.feed(f"{line}\n".encode())

    def end(self) -> str:
        """Show what is left without a newline; the output, at most `keep` bytes of it."""
        self._take(self._decoder.decode(b"", final=True))
        self._finish()
        return self._kept.text()

    def _take(self, text: str) -> None:
        *lines, rest = (self._rest + text).split("\n")
        for line in lines:
            self._show(line)
        self._dropped += max(0, len(rest) - LINE_LIMIT)
        self._rest = rest[:LINE_LIMIT]

    def _finish(self) -> None:
        if self._rest or self._dropped:
            self._show(self._rest)
            self._rest = ""

    def _show(self, line: str) -> None:
        dropped = self._dropped + max(0, len(line) - LINE_LIMIT)
        self._dropped = 0
        text = shown(line[:LINE_LIMIT].removesuffix("\r"))
        self._on_line(f"{text} [{dropped} more characters]" if dropped else text)


class Whole(Output):
    """The same, but `on_line` gets all of it as it comes, in pieces that know nothing of lines.

    Bytes that are no UTF-8 are in it as Python's `surrogateescape` has them.
    """

    _wrong_bytes = "surrogateescape"

    def _take(self, text: str) -> None:
        if text:
            self._on_line(text)
            # Only a line of our own wants to know whether one has begun.
            self._rest = text[-1:].strip("\n")

    def _finish(self) -> None:
        """Nothing is held back."""


class Lines:
    """Makes lines of pieces, however long: `on_line` gets each without its end."""

    def __init__(self, on_line: OnLine) -> None:
        self._on_line = on_line
        self._begun: list[str] = []

    def add(self, text: str) -> None:
        """Take in the next piece."""
        *lines, rest = text.split("\n")
        for line in lines:
            self._on_line("".join((*self._begun, line)))
            self._begun.clear()
        if rest:
            self._begun.append(rest)

    def end(self) -> None:
        """Pass on a last line that had no end."""
        if self._begun:
            self._on_line("".join(self._begun))
            self._begun.clear()
