"""A headless Chromium, driven by its own protocol: what it asked for, and what it made of it."""

import base64
import json
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.docker.hosts import ask

NAMES = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--window-size=1000,800",
    "--remote-debugging-port=0",
)
START = 60.0
"""Seconds that the browser may take to start."""
QUIET = 1.0
"""Seconds without a request after which a page counts as loaded."""
LIMIT = 60.0
"""Seconds that a page may take."""


@dataclass
class Loaded:
    """A page as it was loaded: the status of each address that was asked for, and what failed."""

    statuses: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)


class Browser:
    """One tab."""

    def __init__(self, line: ClientConnection) -> None:
        self._line = line
        self._number = 0
        self._events: list[dict[str, Any]] = []
        for domain in ("Page", "Network", "Runtime", "Log"):
            self._call(f"{domain}.enable")
        self._call("Network.setCacheDisabled", cacheDisabled=True)

    def open(self, url: str) -> Loaded:
        """Load a page and all that it names, as a visitor does who was never there."""
        self._events.clear()
        self._call("Page.navigate", url=url)
        until = time.monotonic() + LIMIT
        while self._hear(QUIET) or not self._has("Page.loadEventFired"):
            assert time.monotonic() < until, f"{url} does not end"
        return self._loaded()

    def value(self, script: str) -> Any:
        """What the script says on the page that is open."""
        said = self._call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")

    def screenshot(self, file: Path) -> None:
        """Keep what is to be seen."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(base64.b64decode(self._call("Page.captureScreenshot")["data"]))

    def _loaded(self) -> Loaded:
        loaded = Loaded()
        asked: dict[str, str] = {}
        for event in self._events:
            said: Mapping[str, Any] = event["params"]
            match event["method"]:
                case "Network.requestWillBeSent":
                    asked[said["requestId"]] = said["request"]["url"]
                case "Network.responseReceived":
                    loaded.statuses[said["response"]["url"]] = said["response"]["status"]
                case "Network.loadingFailed":
                    address = asked.get(said["requestId"], "?")
                    loaded.failures.append(f"{address}: {said['errorText']}")
                case "Log.entryAdded" if said["entry"]["level"] == "error":
                    loaded.console.append(said["entry"]["text"])
                case "Runtime.exceptionThrown":
                    loaded.console.append(str(said["exceptionDetails"]))
        unanswered = [url for url in asked.values() if not url.startswith("data:")]
        loaded.failures += [f"{url}: no answer" for url in unanswered if url not in loaded.statuses]
        return loaded

    def _has(self, method: str) -> bool:
        return any(event["method"] == method for event in self._events)

    def _hear(self, seconds: float) -> bool:
        """Whether the browser told anything within so many seconds."""
        try:
            event = json.loads(self._line.recv(timeout=seconds))
        except TimeoutError:
            return False
        if "method" in event:
            self._events.append(event)
        return True

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        self._line.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            said = json.loads(self._line.recv(timeout=LIMIT))
            if said.get("id") == self._number:
                assert "error" not in said, said
                result: dict[str, Any] = said["result"]
                return result
            if "method" in said:
                self._events.append(said)


def installed() -> str | None:
    """The browser's program, if there is one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def browser(program: str, profile: Path) -> Iterator[Browser]:
    """A browser with a profile of its own, and one empty tab."""
    log = profile.with_suffix(".log")
    argv = [program, *OPTIONS, f"--user-data-dir={profile}", "about:blank"]
    with log.open("wb") as to:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=to, stderr=to)
    try:
        with connect(_tab(process, profile, log), max_size=None) as line:
            yield Browser(line)
    finally:
        process.terminate()
        process.wait(30)


def _tab(process: subprocess.Popen[bytes], profile: Path, log: Path) -> str:
    """The address of the tab, once the browser has told its port."""
    told = profile / "DevToolsActivePort"
    until = time.monotonic() + START
    while time.monotonic() < until and process.poll() is None:
        lines = told.read_text().splitlines() if told.exists() else []
        if lines:
            tabs = json.loads(ask(f"http://127.0.0.1:{lines[0]}/json/list").text)
            pages = [tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page"]
            if pages:
                return str(pages[0])
        time.sleep(0.1)
    raise AssertionError(f"the browser did not start:\n{log.read_text(errors='replace')[-2000:]}")
