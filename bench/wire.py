"""A wire to a host with a round-trip time of our choosing, that counts what goes over it.

The kernel's netem is not there on every machine, so this is a TCP proxy. It delays each chunk by
half a round trip, and a new connection by what TCP's own handshake would take. It does not
imitate slow start, loss or a narrow line.
"""

import asyncio
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, fields

CHUNK = 1 << 18


@dataclass
class Count:
    """What went over a wire: connections, bytes there and back, and exchanges.

    An exchange begins when the operator's side speaks after it has heard something. On a wire with
    a delay of some size that is a round trip somebody waited for.
    """

    connections: int = 0
    sent: int = 0
    received: int = 0
    exchanges: int = 0

    def __add__(self, other: "Count") -> "Count":
        names = [one.name for one in fields(self)]
        return Count(**{name: getattr(self, name) + getattr(other, name) for name in names})


@dataclass
class Wire:
    """One host's wire: where it begins here, and what was counted since `clear`."""

    target: tuple[str, int]
    port: int = 0
    delay: float = 0.0
    count: Count = field(default_factory=Count)

    def clear(self) -> None:
        """Count from nothing again."""
        self.count = Count()


class Wires:
    """The wires of a fleet, kept by a thread until `close`."""

    def __init__(self, targets: Iterable[tuple[str, int]]) -> None:
        self.wires = tuple(Wire(target) for target in targets)
        self._servers: list[asyncio.Server] = []
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._ready.wait()

    def round_trip(self, seconds: float) -> None:
        """The round-trip time of every connection that begins from now on."""
        for wire in self.wires:
            wire.delay = seconds / 2

    def clear(self) -> None:
        """Count from nothing on every wire."""
        for wire in self.wires:
            wire.clear()

    def total(self) -> Count:
        """What all wires counted."""
        return sum((wire.count for wire in self.wires), Count())

    def close(self) -> None:
        """Cut every wire."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self._end())
        self._loop.close()

    async def _end(self) -> None:
        for server in self._servers:
            server.close()
        calls = asyncio.all_tasks() - {asyncio.current_task()}
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    async def _listen(self) -> None:
        for wire in self.wires:
            server = await asyncio.start_server(_Call(wire).come, "127.0.0.1", wire.port)
            self._servers.append(server)
            wire.port = server.sockets[0].getsockname()[1]


class _Call:
    """Carries the connections of one wire."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self._going: set[asyncio.Task[None] | None] = set()

    async def come(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until both sides are done."""
        # The loop itself keeps only weak references to its tasks.
        self._going.add(task := asyncio.current_task())
        try:
            await self._connect(reader, writer)
        except asyncio.CancelledError:
            return  # all wires are cut
        finally:
            self._going.discard(task)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire, delay = self.wire, self.wire.delay
        wire.count.connections += 1
        # SYN, SYN-ACK, ACK: the host hears of the connection after one and a half round trips.
        await asyncio.sleep(3 * delay)
        try:
            there, to_host = await asyncio.open_connection(*wire.target)
        except OSError:
            writer.close()
            return
        heard = [True]
        await asyncio.gather(
            self._carry(reader, to_host, delay, heard, out=True),
            self._carry(there, writer, delay, heard, out=False),
            return_exceptions=True,
        )
        for end in (writer, to_host):
            end.close()

    async def _carry(
        self,
        source: asyncio.StreamReader,
        to: asyncio.StreamWriter,
        delay: float,
        heard: list[bool],
        out: bool,
    ) -> None:
        loop, late = asyncio.get_running_loop(), asyncio.Queue[tuple[float, bytes]]()

        async def read() -> None:
            with suppress(OSError):
                while chunk := await source.read(CHUNK):
                    if out:
                        self._count_out(len(chunk), heard)
                    late.put_nowait((loop.time() + delay, chunk))
            late.put_nowait((loop.time() + delay, b""))

        reading = loop.create_task(read())
        try:
            while True:
                due, chunk = await late.get()
                if (wait := due - loop.time()) > 0:
                    await asyncio.sleep(wait)
                if not chunk:
                    to.write_eof()
                    return
                if not out:
                    self.wire.count.received += len(chunk)
                    heard[0] = True
                to.write(chunk)
                await to.drain()
        finally:
            reading.cancel()

    def _count_out(self, size: int, heard: list[bool]) -> None:
        self.wire.count.sent += size
        self.wire.count.exchanges += heard[0]
        heard[0] = False
