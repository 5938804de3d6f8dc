"""Visitors that never stop: pages and the stylesheets they name, at a fixed rate, each answer kept.

Run as a program: visitors.py OUT RATE KEEPALIVE MOST URL... until SIGTERM. Every answer is one line
of OUT: when, host, kind, status, release, seconds, and for status 0 the error. While MOST wait at a
host, nobody else comes to it.
"""

import asyncio
import re
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO
from urllib.parse import urlsplit

SHEET = re.compile(rb'rel="stylesheet" href="([^"]+)"')
PATIENCE = 60.0


@dataclass(frozen=True)
class Visit:
    """One answer: `at` by the monotonic clock; status 0 is no answer at all."""

    at: float
    host: str
    kind: str
    status: int
    release: str
    seconds: float
    error: str = ""

    @property
    def ok(self) -> bool:
        """Whether a visitor is content."""
        return self.status == 200


def parsed(line: str) -> Visit:
    """A line of the file as a value."""
    at, host, kind, status, release, seconds, error = line.rstrip("\n").split("\t")
    return Visit(float(at), host, kind, int(status), release, float(seconds), error)


class Stale(OSError):
    """The server closed an idle connection before it saw the request: browsers call again."""


@dataclass(frozen=True)
class Reply:
    """What came back on a connection."""

    status: int
    release: str
    body: bytes
    stays: bool


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, place: str, path: str, *, keep: bool
) -> Reply:
    how = "keep-alive" if keep else "close"
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {place}\r\nConnection: {how}\r\n\r\n".encode())
    await writer.drain()
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    except asyncio.IncompleteReadError as cut:
        raise (cut if cut.partial else Stale("closed while idle")) from None
    fields = dict(
        (name.lower(), value.strip())
        for name, _, value in (line.partition(":") for line in head[1:])
    )
    if fields.get("transfer-encoding") == "chunked":
        body = b""
        while size := int(await reader.readline(), 16):
            body += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
    elif "content-length" in fields:
        body = await reader.readexactly(int(fields["content-length"]))
    else:
        body = await reader.read()
    stays = keep and fields.get("connection", "").lower() != "close"
    return Reply(int(head[0].split()[1]), fields.get("x-release", ""), body, stays)


class Visitors:
    """The visitors of some sites. `keep`: each holds his connection as browsers do."""

    def __init__(
        self, out: TextIO, urls: Sequence[tuple[str, str]], *, keep: bool, most: int
    ) -> None:
        self._out = out
        self._urls = tuple(urls)
        self._keep = keep
        self._most = most
        self._waiting = dict.fromkeys((name for name, _ in urls), 0)
        self._idle: dict[str, list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def come(self, rate: float) -> None:
        """`rate` visits a second and host, until SIGTERM; whoever waits is waited for."""
        ended = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
        began, number = time.monotonic(), 0
        while not ended.is_set():
            for host, url in self._urls:
                if self._waiting[host] >= self._most:
                    continue
                self._waiting[host] += 1
                task = asyncio.create_task(self._visit(host, url, sheet=number % 2 == 0))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            number += 1
            pause = began + number / rate - time.monotonic()
            if pause > 0:
                await asyncio.sleep(pause)
        await asyncio.gather(*self._tasks)

    async def _visit(self, host: str, url: str, *, sheet: bool) -> None:
        try:
            body = await self._fetch(host, "page", url)
            found = SHEET.search(body)
            if sheet and found:
                await self._fetch(host, "sheet", found[1].decode())
        finally:
            self._waiting[host] -= 1

    async def _fetch(self, host: str, kind: str, url: str) -> bytes:
        place = urlsplit(url).netloc
        path = url[len(f"http://{place}") :] or "/"
        began = time.monotonic()
        try:
            reply = await asyncio.wait_for(self._ask(place, path), PATIENCE)
        except (OSError, EOFError, TimeoutError, ValueError, asyncio.LimitOverrunError) as error:
            said = f"{type(error).__name__}: {error}".replace("\t", " ").replace("\n", " ")
            self._write(Visit(began, host, kind, 0, "", time.monotonic() - began, said))
            return b""
        took = time.monotonic() - began
        self._write(Visit(began, host, kind, reply.status, reply.release, took))
        return reply.body

    async def _ask(self, place: str, path: str) -> Reply:
        idle = self._idle.setdefault(place, [])
        while idle:
            reader, writer = idle.pop()
            try:
                return await self._on(reader, writer, place, path)
            except (Stale, ConnectionResetError, BrokenPipeError):
                continue
        return await self._on(*await asyncio.open_connection(*place.split(":")), place, path)

    async def _on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, place: str, path: str
    ) -> Reply:
        reply = None
        try:
            reply = await _exchange(reader, writer, place, path, keep=self._keep)
        finally:
            if reply is not None and reply.stays:
                self._idle[place].append((reader, writer))
            else:
                writer.close()
        return reply

    def _write(self, visit: Visit) -> None:
        values = (visit.at, visit.host, visit.kind, visit.status, visit.release, visit.seconds)
        self._out.write("\t".join(map(str, (*values, visit.error))) + "\n")
        self._out.flush()


def main(words: Sequence[str]) -> None:
    """Let visitors come until SIGTERM."""
    out, rate, keep, most, *places = words
    urls = [(name, url) for name, _, url in (place.partition("=") for place in places)]
    with Path(out).open("w") as stream:
        people = Visitors(stream, urls, keep=keep == "keep", most=int(most))
        asyncio.run(people.come(float(rate)))


if __name__ == "__main__":
    main(sys.argv[1:])
