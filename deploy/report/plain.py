"""Events as plain lines, each with its host and step: for logs, pipes and CI."""

import sys
import threading
from io import TextIOWrapper
from typing import TextIO

from deploy.report import Began, Ended, Event, Note, Printed, Said, Table
from deploy.report.tables import table_lines


class Plain:
    """Writes what a person who reads along wants to know, one line an event."""

    def __init__(self, stream: TextIO = sys.stdout) -> None:
        self._stream = stream
        # A file gets the very bytes of a host, whatever the locale here.
        self._passes_on = isinstance(stream, TextIOWrapper) and not stream.isatty()
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        text = event.text if isinstance(event, Printed) else _lines(event)
        if not text:
            return
        with self._lock:
            if isinstance(event, Printed) and self._passes_on:
                self._stream.buffer.write(text.encode("utf-8", "surrogateescape"))
            else:
                self._stream.write(text)
            self._stream.flush()


def sentence(event: Event) -> str:
    """The event in words; empty for what only the log keeps."""
    match event:
        case Began(step, says, hosts, undoing):
            return f"{'<-' if undoing else '->'} {step}: {says} ({', '.join(hosts)})"
        case Ended(host, step, ok, seconds, error, sent, _):
            sent_text = f", {size(sent)} sent" if sent else ""
            if ok:
                return f"   {host}: {step} {seconds:.1f} s{sent_text}"
            indented = error.replace("\n", "\n      ")
            return f"   {host}: {step} FAILED after {seconds:.1f} s\n      {indented}"
        case Said():
            said = event.warning or event.told
            return f"   {said}" if said else ""
        case Note(text):
            return text
        case Table():
            return "\n".join(table_lines(event))
        case _:
            return ""


def _lines(event: Event) -> str:
    text = sentence(event)
    return f"{text}\n" if text else ""


def size(count: int) -> str:
    """A number of bytes for people."""
    if count < 1000:
        return f"{count} B"
    return f"{count / 1000:.1f} kB" if count < 1_000_000 else f"{count / 1_000_000:.1f} MB"
