"""Events as JSON, one object a line: what docs/json.md describes and scripts read."""

import json
import threading
from typing import TextIO

from deploy.report import Began, Ended, Event, Fact, Note, Said


class JsonEvents:
    """Writes each event as one line of JSON; what commands print stays in the log."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        said = _said(event)
        if said:
            with self._lock:
                self._stream.write(json.dumps(said, ensure_ascii=False) + "\n")
                self._stream.flush()


def _said(event: Event) -> dict[str, object]:
    match event:
        case Began(step, _, hosts, undoing):
            return {"event": "begin", "step": step, "hosts": list(hosts), "undo": undoing}
        case Said() if event.warning:
            return {"event": "note", "text": event.warning}
        case Said() if event.fact:
            return event.fact
        case Ended(host, step, ok, seconds, error, sent, files):
            said: dict[str, object] = {"event": "step", "host": host, "step": step, "ok": ok}
            said["seconds"] = round(seconds, 3)
            if sent:
                said |= {"sent": sent, "files": files}
            return said if ok else {**said, "error": error}
        case Note(text):
            return {"event": "note", "text": text}
        case Fact(_, facts):
            return {"event": "host", **facts}
        case _:
            return {}
