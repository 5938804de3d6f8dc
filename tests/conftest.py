"""What holds for all tests."""

import signal


def pytest_configure() -> None:
    """Ctrl-C means what it means at a terminal, also where the tests run in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
