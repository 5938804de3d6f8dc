"""The wire of the benchmark: it counts what goes over it, and makes others wait."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from bench.wire import Wires


@pytest.fixture
def echo() -> Iterator[tuple[str, int]]:
    """A server that greets and then says everything again."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        call, _ = server.accept()
        with call:
            call.sendall(b"hello")
            while said := call.recv(65_536):
                call.sendall(said)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield server.getsockname()
    server.close()


def heard(call: socket.socket, size: int) -> bytes:
    said = b""
    while len(said) < size:
        said += call.recv(65_536)
    return said


def test_bytes_connections_and_exchanges_are_counted(echo: tuple[str, int]) -> None:
    wires = Wires([echo])
    with socket.create_connection(("127.0.0.1", wires.wires[0].port)) as call:
        heard(call, 5)
        for _ in range(3):
            call.sendall(b"x" * 100)
            assert heard(call, 100) == b"x" * 100
    count = wires.total()
    wires.close()
    assert (count.connections, count.sent, count.received, count.exchanges) == (1, 300, 305, 3)


def test_nothing_arrives_before_its_round_trip_is_over(echo: tuple[str, int]) -> None:
    wires = Wires([echo])
    wires.round_trip(0.1)
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", wires.wires[0].port)) as call:
        heard(call, 5)
        greeted = time.monotonic()
        call.sendall(b"x")
        heard(call, 1)
        answered = time.monotonic()
    wires.close()
    # The greeting takes the handshake's round trip and one of its own.
    assert greeted - began >= 0.2
    assert answered - greeted >= 0.1


def test_the_end_of_one_side_reaches_the_other(echo: tuple[str, int]) -> None:
    wires = Wires([echo])
    with socket.create_connection(("127.0.0.1", wires.wires[0].port)) as call:
        heard(call, 5)
        call.sendall(b"last")
        call.shutdown(socket.SHUT_WR)
        assert heard(call, 4) == b"last"
        assert call.recv(10) == b""
    wires.close()
