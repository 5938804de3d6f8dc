"""The full log of a run: every line that any host said, with time, host and step."""

import threading
import time
from contextlib import suppress
from pathlib import Path

from deploy.report import Event, Said
from deploy.report.plain import sentence


class Log:
    """Appends events to a file; the file is complete up to the moment the process ends.

    A disk that is full ends the log, and not the run.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = path.open("a", encoding="utf-8")
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        with self._lock, suppress(OSError):
            if self._file.closed:  # a host's last word, after the end
                return
            stamp = time.strftime("%H:%M:%S")
            for line in _lines(event):
                self._file.write(f"{stamp} {line}\n")
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        with suppress(OSError):
            self._file.close()


def _lines(event: Event) -> list[str]:
    if isinstance(event, Said):
        return [f"{event.host} {event.step} | {event.line}"]
    return sentence(event).splitlines()
