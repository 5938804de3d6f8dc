"""Sends the collected files of the release in the current directory to the site's own storage.

send.py send SETTINGS [CHANGED]: what the bucket lacks, and nothing else. A file with a digest in
its name is never overwritten. The paths of other files that are replaced are added to CHANGED.
send.py check SETTINGS: whether the bucket has, with the right content, all that the pages name.

Runs on the machine that deploys. Faults are one line each on standard error, and exit code 1.
"""

from __future__ import annotations

import gzip
import sys
import time
import zlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from bucket import Bucket, bucket_of
from contents import Compared, Mine, Stamp, collected, compare, indexed, listed
from refusal import refusal
from staticsite import Unfit, enter, one_line, static_root

THREADS = 10
"""As many connections as botocore keeps; a project may have it keep more, but seldom fewer."""
EACH = 4
"""So many files for each further thread: to connect takes as long as sending a few."""
BETWEEN = 1.0
"""Seconds between two lines about progress."""


def main(arguments: list[str]) -> int:
    """Send or check. Returns the exit code."""
    if not (arguments[:1] == ["send"] and len(arguments) in (2, 3)) and not (
        arguments[:1] == ["check"] and len(arguments) == 2
    ):
        sys.stderr.write("usage: send.py send SETTINGS [CHANGED] | check SETTINGS\n")
        return 2
    verb, settings, *changed = arguments
    here = Path.cwd().resolve()
    enter(here, settings)
    try:
        root = static_root(here)
        files = _Files(root, _storage())
        if verb == "send":
            files.send(Path(changed[0]) if changed else None)
        else:
            files.check()
    except Unfit as error:
        sys.stderr.write(one_line(error))
        return 1
    return 0


def _storage() -> Any:
    """The site's own, as its pages use it."""
    from django.contrib.staticfiles.storage import staticfiles_storage

    try:
        staticfiles_storage._setup()
    except Exception as error:  # whatever a project's own class raises is said, not shown
        raise Unfit(refusal(error, 'STORAGES["staticfiles"]', None)) from None
    return staticfiles_storage._wrapped


class _Files:
    """The collected files of one release, and the bucket that they are to be in."""

    def __init__(self, root: Path, storage: Any) -> None:
        self._root = root
        self._storage = storage
        self._bucket: Bucket = bucket_of(storage)
        self._mine = collected(root)
        self._hashed = set(listed(root / ".hashed"))
        self._sent = self._of = self._bytes = 0

    def send(self, changed: Path | None) -> None:
        """Send what the bucket lacks; files without a digest in their names come last."""
        there = self._asked(self._bucket.listing)
        found = self._compared(self._mine, there)
        right, _ = self._read(name for name in found.unclear if name in self._hashed)
        replaced = [name for name in found.unclear if name not in self._hashed]
        if changed and replaced:
            paths = self._asked(lambda: [self._bucket.path(name) for name in replaced])
            changed.parent.mkdir(parents=True, exist_ok=True)
            with changed.open("a", encoding="utf-8") as file:
                file.write("".join(f"{path}\n" for path in paths))
        first = [name for name in found.lacking if name in self._hashed]
        then = [name for name in found.lacking if name not in self._hashed]
        self._of = len(first) + len(then) + len(replaced)
        self._put(first, replace=False)
        self._put(then, replace=not self._bucket.lists)
        self._put(replaced, replace=True)
        if self._sent or right:
            self._remember([*right, *first, *then, *replaced])
        there = f"{len(self._mine) - self._sent} files were there"
        _say(f"{there}, {self._sent} of {self._of} files and {self._bytes} bytes sent")

    def check(self) -> None:
        """Unfit unless the bucket has what the pages name, or all files if names have no digest."""
        wanted = {name: self._mine[name] for name in self._hashed or self._mine}
        found = self._compared(wanted, self._asked(self._bucket.listing))
        _, wrong = self._read(found.unclear)
        faults = []
        if found.lacking:
            faults.append(
                f"{self._bucket.says} lacks {len(found.lacking)} of {len(wanted)} files of this"
                f" release, such as {found.lacking[0]}: fab deploy-static sends them"
            )
        if wrong:
            faults.append(
                f"{self._bucket.says} has {len(wrong)} of {len(wanted)} files of this release with"
                f" other content, such as {wrong[0]}; what has a digest in its name is never"
                " overwritten: delete them there, then fab deploy-static"
            )
        if faults:
            raise Unfit("; ".join(faults))
        believed = "" if self._bucket.lists else ", if its index is right: it cannot be listed"
        _say(f"{self._bucket.says} has all {len(wanted)} files that the pages name{believed}")

    def _asked(self, ask: Callable[[], Any]) -> Any:
        """What the storage answers. Unfit with one sentence, whatever it raises."""
        try:
            return ask()
        except Unfit:
            raise
        except Exception as error:  # each storage has errors of its own
            raise Unfit(refusal(error, self._bucket.says, self._storage)) from None

    def _compared(self, mine: dict[str, Mine], there: dict[str, Stamp]) -> Compared:
        found = compare(mine, there, {})
        if not found.unclear:
            return found
        return compare(mine, there, self._asked(self._bucket.index))

    def _read(self, names: Iterable[str]) -> tuple[list[str], list[str]]:
        """Of files whose listing tells nothing, those with our content, and the others."""
        names = list(names)
        same = dict.fromkeys(names, False)

        def one(name: str) -> None:
            try:
                same[name] = self._bucket.read(name) == (self._root / name).read_bytes()
            except (FileNotFoundError, gzip.BadGzipFile, EOFError, zlib.error):
                same[name] = False

        self._each(names, one, lambda _: None)
        return [name for name in names if same[name]], [name for name in names if not same[name]]

    def _put(self, names: list[str], *, replace: bool) -> None:
        said = time.monotonic()

        def done(name: str) -> None:
            nonlocal said
            self._sent += 1
            self._bytes += self._mine[name].size
            if time.monotonic() - said > BETWEEN:
                said = time.monotonic()
                _say(f"{self._sent} of {self._of} files and {self._bytes} bytes sent")

        self._each(
            names, lambda name: self._bucket.put(name, self._root / name, replace=replace), done
        )

    def _each(
        self, names: list[str], work: Callable[[str], None], done: Callable[[str], None]
    ) -> None:
        """`work` on each name, many at once; the first that fails ends it with Unfit."""
        with ThreadPoolExecutor(min(THREADS, 1 + len(names) // EACH)) as pool:
            running = {pool.submit(work, name): name for name in names}
            for one in as_completed(running):
                try:
                    self._asked(one.result)
                except Unfit as error:
                    pool.shutdown(wait=True, cancel_futures=True)
                    sent = f"; {self._sent} of {self._of} files were sent" if self._of else ""
                    raise Unfit(f"{error}{sent}; what is live has all its files") from None
                done(running[one])

    def _remember(self, names: list[str]) -> None:
        """Keep what a later listing will not tell of these files, which are right now."""
        there = self._asked(self._bucket.listing)
        if not all(there.get(name) == self._mine[name].stamp for name in names):
            index = self._asked(self._bucket.index)
            self._asked(lambda: self._bucket.keep(indexed(index, names, self._mine, there)))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
