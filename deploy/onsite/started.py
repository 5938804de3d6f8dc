"""Starts Django in a release for a program that works on the database, with words for failures."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from enter import enter, facts, release_of
from envfile import NotReady, mask


def started(
    root: Path, release: str, work: Callable[[], int], doing: str = "the migrations fail"
) -> int:
    """The exit code of `work`, done in the release; 1 if it is NotReady, 2 if it never began.

    `doing` is how an error that nobody foresaw begins.
    """
    values: dict[str, str] = {}
    try:
        made = release_of(root, release)
        values = enter(root, made, facts(root, made)["settings"])
        import django

        django.setup()
    except NotReady as error:
        return _ended(2, str(error))
    except Exception as error:
        return _ended(2, mask(f"the site does not start: {type(error).__name__}: {error}", values))
    try:
        return work()
    except NotReady as error:
        return _ended(1, mask(str(error), values))
    except Exception as error:
        return _ended(1, mask(f"{doing}: {type(error).__name__}: {error}", values))


def say(line: str) -> None:
    """A line for whoever waits, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@contextmanager
def at_work(seconds: float = 60.0) -> Iterator[None]:
    """Say now and then that something is done, so that long work is not taken for a fault."""
    over = threading.Event()

    def tell() -> None:
        while not over.wait(seconds):
            say("still at work")

    threading.Thread(target=tell, daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _ended(code: int, text: str) -> int:
    sys.stdout.flush()
    sys.stderr.write(f"{text}\n")
    return code
