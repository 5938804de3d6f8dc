"""Output of many hosts at once, in whole lines that say whose they are."""

import threading
from collections.abc import Callable, Mapping
from typing import TextIO

WriteLine = Callable[[str], None]


class Prefixed:
    """A stream for one host: what is written is passed on a line at a time.

    `write_line` gets each line without its end, from whichever thread completes it.
    """

    encoding = "utf-8"

    def __init__(self, write_line: WriteLine) -> None:
        self._write_line = write_line
        self._begun = ""
        self._lock = threading.Lock()

    def write(self, text: str) -> int:
        """Takes any piece of text."""
        with self._lock:
            *lines, self._begun = (self._begun + text).split("\n")
            for line in lines:
                self._write_line(line.rpartition("\r")[2] if line[-1:] != "\r" else line[:-1])
        return len(text)

    def flush(self) -> None:
        """Does nothing: a line is passed on when it is whole."""

    def isatty(self) -> bool:
        """Never: programs should not draw on a stream they share."""
        return False

    def close(self) -> None:
        """Passes on a last line that had no end."""
        if self._begun:
            self.write("\n")


class ByThread:
    """A stand-in for standard output that gives each thread's text to its own stream.

    Threads that are not in `streams` write to `usual`.
    """

    def __init__(self, streams: Mapping[str, Prefixed], usual: TextIO) -> None:
        self._streams = streams
        self._usual = usual

    def write(self, text: str) -> int:
        """Takes any piece of text."""
        return self._stream().write(text)

    def flush(self) -> None:
        """Passes on what is waiting where lines need not be whole."""
        self._stream().flush()

    def isatty(self) -> bool:
        """Whether the calling thread's stream is a terminal."""
        return self._stream().isatty()

    @property
    def encoding(self) -> str:
        """The encoding of the calling thread's stream."""
        return self._stream().encoding

    def _stream(self) -> "Prefixed | TextIO":
        return self._streams.get(threading.current_thread().name, self._usual)
