"""Visitors: steady requests to every host of the fleet, while something happens to it."""

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from urllib.parse import urlsplit

from tests.docker.hosts import WEB, Hosts

RATE = 40
"""Requests a second to each host."""
LIMIT = 180.0
"""Seconds after which the visitors leave in any case."""


@dataclass(frozen=True)
class Seen:
    """One answer that was whole, and when it was asked for, by the monotonic clock."""

    host: str
    release: str
    at: float
    seconds: float


@dataclass
class Traffic:
    """Visitors who come for as long as the `with` block lasts.

    On each web host half of them keep their connection. Every new stylesheet that a page names
    is asked for at once, and all that were named are asked for again and again. `failures` says
    what went wrong; `headings` are those that pages of each release, by the seven characters of
    its revision, have to show.
    """

    hosts: Hosts
    headings: dict[str, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    sheets: dict[str, None] = field(default_factory=dict)

    def __enter__(self) -> "Traffic":
        self._stop = threading.Event()
        visitors = [(self._visit, name, keep) for name in WEB for keep in (True, False)]
        self._threads = [threading.Thread(target=visit, args=(n, k)) for visit, n, k in visitors]
        self._threads.append(threading.Thread(target=self._style))
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _paced(self, rate: float) -> Iterator[float]:
        """The time of each request; what comes late is not made up for."""
        began = time.monotonic()
        while not self._stop.is_set() and time.monotonic() - began < LIMIT:
            now = time.monotonic()
            yield now
            self._stop.wait(max(0.0, 1 / rate - (time.monotonic() - now)))

    def _visit(self, name: str, keep: bool) -> None:
        with _line(self.hosts.fleet.urls[name], keep) as ask:
            for at in self._paced(RATE / 2):
                try:
                    status, release, body = ask("/")
                except (OSError, http.client.HTTPException) as error:
                    self.failures.append(f"{name}: {type(error).__name__}: {error}")
                    continue
                self.seen.append(Seen(name, release, at, time.monotonic() - at))
                self._judge(name, status, release, body)

    def _judge(self, name: str, status: int, release: str, body: str) -> None:
        if status != 200:
            self.failures.append(f"{name}: {status} from {release}")
            return
        if not body.rstrip().endswith("</html>"):
            self.failures.append(f"{name}: half a page from {release}")
        heading = self.headings.get(release[-7:])
        if heading and f">{heading}</a>" not in body:
            self.failures.append(f"{name}: {release} answered with a page of another release")
        sheet = body.partition('rel="stylesheet" href="')[2].partition('"')[0]
        if sheet and sheet not in self.sheets:
            self._fetch(sheet)
        self.sheets[sheet] = None

    def _style(self) -> None:
        for _ in self._paced(RATE):
            names = list(self.sheets)
            if names:
                self._fetch(names[int(time.monotonic() * RATE) % len(names)])

    def _fetch(self, sheet: str) -> None:
        place = urlsplit(sheet)
        try:
            with _line(f"{place.scheme}://{place.netloc}", keep=False) as ask:
                status, _, body = ask(place.path)
        except (OSError, http.client.HTTPException) as error:
            self.failures.append(f"{sheet}: {type(error).__name__}: {error}")
            return
        if status != 200 or "--ink" not in body:
            self.failures.append(f"{sheet}: {status}")


@contextmanager
def _line(url: str, keep: bool) -> Iterator["_Ask"]:
    ask = _Ask(urlsplit(url).netloc, keep)
    try:
        yield ask
    finally:
        ask.close()


class _Ask:
    """Requests over one connection that is kept, or over a new one each."""

    def __init__(self, place: str, keep: bool) -> None:
        self._place = place
        self._keep = keep
        self._call: http.client.HTTPConnection | None = None

    def __call__(self, path: str) -> tuple[int, str, str]:
        """Status, release and body. A kept connection that the server has closed is made anew."""
        kept = self._call is not None
        try:
            return self._asked(path)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            # As browsers do: between two requests a server may close what it kept open.
            self.close()
            if not kept:
                raise
            return self._asked(path)

    def _asked(self, path: str) -> tuple[int, str, str]:
        if self._call is None:
            self._call = http.client.HTTPConnection(self._place, timeout=20)
        self._call.request("GET", path)
        said = self._call.getresponse()
        body = said.read().decode()
        release = said.getheader("X-Release") or ""
        if not self._keep or said.getheader("Connection", "").lower() == "close":
            self.close()
        return said.status, release, body

    def close(self) -> None:
        """Hang up."""
        if self._call is not None:
            self._call.close()
            self._call = None
