"""The crowd of visitors beside a suite: starts it, reads what it met, ends it."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.trust.visitors import Visit, parsed


class Crowd:
    """Visitors that come all the time, and what they were answered so far."""

    def __init__(self, out: Path, urls: Mapping[str, str], rate: float, *, keep: bool) -> None:
        places = [f"{name}={url}/" for name, url in urls.items()]
        how = "keep" if keep else "close"
        program = str(Path(__file__).with_name("visitors.py"))
        self._out = out
        self._out.write_text("")
        self._read = 0
        self._program = subprocess.Popen(
            [sys.executable, program, str(out), str(rate), how, *places]
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
    out: Path, urls: Mapping[str, str], rate: float, *, keep: bool = False
) -> Iterator[Crowd]:
    """Visitors for as long as the block lasts."""
    people = Crowd(out, urls, rate, keep=keep)
    try:
        yield people
    finally:
        people.leave()


def failures(visits: list[Visit]) -> list[str]:
    """The visits that failed, in words."""
    return [
        f"a visitor of {one.host} got {one.status or one.error} for a {one.kind}"
        for one in visits
        if not one.ok
    ]
