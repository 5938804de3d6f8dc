"""Tells the markers of the channel's own program from the output of what it runs."""

from collections.abc import Iterator

START = b"\x1e"
_LONGEST = 256


class Markers:
    """Takes bytes in pieces of any size; a marker may be anywhere, even within a line."""

    def __init__(self, nonce: str) -> None:
        self._prefix = START + nonce.encode() + b" "
        self._buffer = b""

    def feed(self, data: bytes) -> Iterator[bytes | tuple[str, ...]]:
        """Yield, in order, output as bytes and markers as their words."""
        self._buffer += data
        while True:
            at = self._buffer.find(self._prefix)
            if at < 0:
                break
            if at:
                yield self._buffer[:at]
                self._buffer = self._buffer[at:]
            line, newline, rest = self._buffer.partition(b"\n")
            if not newline:
                return
            self._buffer = rest
            yield tuple(line[len(self._prefix) : _LONGEST].decode("ascii", "replace").split())
        keep = self._unsure()
        if keep:
            ready, self._buffer = self._buffer[:keep], self._buffer[keep:]
            yield ready

    def _unsure(self) -> int:
        """Where what may be the beginning of a marker begins; the end if there is none."""
        at = self._buffer.rfind(START, max(0, len(self._buffer) - len(self._prefix)))
        if at >= 0 and self._prefix.startswith(self._buffer[at:]):
            return at
        return len(self._buffer)
