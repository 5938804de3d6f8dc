"""Sends the collected files of the release in the current directory to the site's own storage.

send.py send SETTINGS OWNER [CHANGED]: what the bucket lacks, and nothing else. A file with a digest
in its name is never overwritten. The paths of other files that are replaced are listed in a file of
this run's own, CHANGED.*, from when they are replaced, or were given up.
send.py check SETTINGS: whether the bucket has, with the right content, all that the pages name.

Runs on the machine that deploys. Faults are one line each on standard error, and exit code 1.
"""

from __future__ import annotations

import fcntl
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from bucket import Bucket, site_bucket
from contents import collected, listed
from held import Files, Held, digest_of
from staticsite import Unfit, enter, one_line, static_root

BETWEEN = 1.0
"""Seconds between two lines about progress."""
SENDING = "sending-"
"""How the name of a list begins whose files are on their way."""


def main(arguments: list[str]) -> int:
    """Send or check. Returns the exit code."""
    if not (arguments[:1] == ["send"] and len(arguments) in (3, 4)) and not (
        arguments[:1] == ["check"] and len(arguments) == 2
    ):
        sys.stderr.write("usage: send.py send SETTINGS OWNER [CHANGED] | check SETTINGS\n")
        return 2
    verb, settings, *rest = arguments
    # Whoever ends this gives it some seconds: a file that is being replaced is finished first.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    here = Path.cwd().resolve()
    enter(here, settings)
    try:
        root = static_root(here)
        files = _Files(root, site_bucket())
        if verb == "send":
            files.send(rest[0], Path(rest[1]) if rest[1:] else None)
        else:
            files.check()
    except Unfit as error:
        sys.stderr.write(one_line(error))
        return 1
    return 0


class _Files:
    """The collected files of one release, and the bucket that they are to be in."""

    def __init__(self, root: Path, bucket: Bucket) -> None:
        self._root = root
        self._bucket = bucket
        self._mine = collected(root)
        self._hashed = set(listed(root / ".hashed"))
        self._sent = self._of = self._bytes = 0
        self._replacing = False

    def send(self, owner: str, changed: Path | None) -> None:
        """Send what the bucket lacks; files without a digest in their names come last."""
        held = Held(self._bucket)
        found = held.compared(self._mine)
        right, _ = held.read((n for n in found.unclear if n in self._hashed), self._mine)
        replaced = [name for name in found.unclear if name not in self._hashed]
        first = [name for name in found.lacking if name in self._hashed]
        then = [name for name in found.lacking if name not in self._hashed]
        self._of = len(first) + len(then) + len(replaced)
        ask = self._bucket.path
        paths = self._bucket.asked(lambda: list(map(ask, replaced))) if changed else []
        listing = _listing(changed, paths) if changed else nullcontext()
        with self._counting(), listing:
            self._keep_list(held, owner)
            held.forget([*first, *then, *replaced])
            self._put(first, replace=False)
            self._put(then, replace=not self._bucket.lists)
            self._put(replaced, replace=True)
        if self._sent or right:
            held.remember([*right, *first, *then, *replaced], self._mine)
        there = f"{len(self._mine) - self._sent} files were there"
        _say(f"{there}, {self._sent} of {self._of} files and {self._bytes} bytes sent")

    def check(self) -> None:
        """Unfit unless the bucket has what the pages name, or all files if names have no digest."""
        wanted = {name: self._mine[name] for name in self._hashed or self._mine}
        Held(self._bucket).must_have(wanted, "this release", "fab deploy-static")
        believed = "" if self._bucket.lists else ", if its index is right: it cannot be listed"
        _say(f"{self._bucket.says} has all {len(wanted)} files that the pages name{believed}")

    def _keep_list(self, held: Held, owner: str) -> None:
        """Before the first file is sent, as what no list names is never taken away."""
        if not self._hashed or not self._bucket.lists:
            return
        hashed = {name: own for name, own in self._mine.items() if name in self._hashed}
        plain = {name: own for name, own in self._mine.items() if name not in self._hashed}
        digest = digest_of((self._root / ".hashed").read_bytes())
        held.keep_list(owner, digest, Files(hashed, plain))

    @contextmanager
    def _counting(self) -> Iterator[None]:
        try:
            yield
        except Unfit as error:
            sent = f"{self._sent} of {self._of} files were sent"
            live = "what is live has all its files"
            if self._replacing:
                live = (
                    "files without a digest in their names were being replaced, so what is live may"
                    " have new ones, or miss some until they are sent again"
                )
            raise Unfit(f"{error}; {sent}; {live}") from None

    def _put(self, names: list[str], *, replace: bool) -> None:
        self._replacing = self._replacing or (replace and bool(names))
        said = time.monotonic()

        def put(name: str) -> None:
            self._bucket.put(name, self._root / name, replace=replace)

        def done(name: str) -> None:
            nonlocal said
            self._sent += 1
            self._bytes += self._mine[name].size
            if time.monotonic() - said > BETWEEN:
                said = time.monotonic()
                _say(f"{self._sent} of {self._of} files and {self._bytes} bytes sent")

        self._bucket.each(names, put, done)


@contextmanager
def _listing(changed: Path, paths: list[str]) -> Iterator[None]:
    """List these paths, which are replaced meanwhile: a CDN that is told before that is too early.

    Until then the list is locked, so that a run that is alive is known from one that was killed.
    """
    changed.parent.mkdir(parents=True, exist_ok=True)
    for left in changed.parent.glob(f"{SENDING}{changed.name}.*"):
        with suppress(OSError), left.open("r+") as file:  # its run is alive, or another took it up
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _list(left)
    if not paths:
        yield
        return
    with NamedTemporaryFile("w", encoding="utf-8", dir=changed.parent, delete=False) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write("".join(f"{path}\n" for path in paths))
        file.flush()
        made = Path(file.name)
        ours = made.rename(made.with_name(f"{SENDING}{changed.name}.{made.name}"))
        try:
            yield
        finally:
            _list(ours)


def _list(path: Path) -> None:
    path.rename(path.with_name(path.name.removeprefix(SENDING)))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
