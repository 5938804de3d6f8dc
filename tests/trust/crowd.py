"""The crowd of visitors beside a suite: starts it, reads what it met, ends it."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.trust.visitors import Visit, parsed

MOST = 40
"""So many wait at a host before others stay away. Apache keeps 100 connections for a group of
processes; on a machine that is busy with other suites, visitors who come whatever happens make a
longer queue than that, and get 503 after 15 s, whether anything is deployed or not."""
EVERYBODY = 1_000_000
"""Nobody stays away: for suites that have the machine to themselves."""


class Crowd:
    """Visitors that come all the time, and what they were answered so far."""

    def __init__(
        self, out: Path, urls: Mapping[str, str], rate: float, *, keep: bool, most: int
    ) -> None:
        places = [f"{name}={url}/" for name, url in urls.items()]
        how = "keep" if keep else "close"
        program = str(Path(__file__).with_name("visitors.py"))
        self._out = out
        self._out.write_text("")
        self._read = 0
        self._program = subprocess.Popen(
            [sys.executable, program, str(out), str(rate), how, str(most), *places]
        )

    def news(self) -> list[Visit]:
        """The answers since this was asked before."""
        with self._out.open() as lines:
            lines.seek(self._read)
            text = lines.read()
        whole = text[: text.rfind("\n") + 1]
        self._read += len(whole.encode())
        return [parsed(line) for line in whole.splitlines()]

    def leave(self) -> None:
        """Nobody comes any more; whoever still waits is waited for."""
        self._program.terminate()
        self._program.wait(90)


@contextmanager
def crowd(
    out: Path, urls: Mapping[str, str], rate: float, *, keep: bool = False, most: int = MOST
) -> Iterator[Crowd]:
    """Visitors for as long as the block lasts."""
    people = Crowd(out, urls, rate, keep=keep, most=most)
    try:
        yield people
    finally:
        people.leave()


def failures(visits: list[Visit]) -> list[str]:
    """The visits that failed, in words."""
    return [
        f"a visitor of {one.host} got {one.status or one.error} for a {one.kind}"
        f" after {one.seconds:.1f} s"
        for one in visits
        if not one.ok
    ]
