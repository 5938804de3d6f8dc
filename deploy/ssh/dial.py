"""Opens the TCP connection, with the options that make it quick and its death noticed."""

import socket
import time
from contextlib import suppress

_OPTIONS = (
    # Paramiko leaves Nagle on, which costs every command 40 ms on a near network.
    (socket.IPPROTO_TCP, "TCP_NODELAY", 1),
    (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
    (socket.IPPROTO_TCP, "TCP_KEEPIDLE", 15),
    (socket.IPPROTO_TCP, "TCP_KEEPINTVL", 5),
    (socket.IPPROTO_TCP, "TCP_KEEPCNT", 3),
    (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", 30_000),
)


def dial(host: str, port: int, timeout: float) -> socket.socket:
    """Connect to the first address of `host` that answers, `timeout` seconds for all of them.

    Raises what sockets raise: gaierror, ConnectionRefusedError, TimeoutError, other OSError.
    """
    until = time.monotonic() + timeout
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    failure = OSError(f"{host} has no address")
    for at, (family, kind, protocol, _, address) in enumerate(addresses):
        # An address that is silent must leave time for those behind it.
        share = max(0.01, until - time.monotonic()) / (len(addresses) - at)
        made = socket.socket(family, kind, protocol)
        try:
            made.settimeout(share)
            made.connect(address)
        except OSError as error:
            made.close()
            failure = error
        else:
            _tune(made)
            return made
    raise failure


def _tune(made: socket.socket) -> None:
    for level, name, value in _OPTIONS:
        option = getattr(socket, name, None)
        if option is not None:
            with suppress(OSError):
                made.setsockopt(level, option, value)
