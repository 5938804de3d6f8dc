"""Looks after what a bucket holds for the releases that web hosts keep.

kept.py check SETTINGS OWNER DIGEST=RELEASE...: whether the bucket has the files of each of these
releases, and whether visitors get those of the first, of which a few are asked for over HTTP.
kept.py back SETTINGS OWNER DIGEST=RELEASE: the same of a release that is gone back to, whose
files are not here: exit code LACKING if the bucket was asked and has not all; visitors are not
asked.
kept.py prune SETTINGS OWNER DIGEST=RELEASE...: take away what only releases of this owner name
that are not among these.

Runs on the machine that deploys. Faults are one line each on standard error, and exit code 1.
"""

from __future__ import annotations

import gzip
import http.client
import sys
import urllib.request
import zlib
from collections.abc import Mapping
from pathlib import Path

from bucket import Bucket, site_bucket
from contents import Mine, collected, listed
from held import Files, Held, Lacking, digest_of, md5
from staticsite import Unfit, enter, one_line, static_root

BATCH = 100
"""So many files are deleted before it is asked again whether a release has come that names some."""
ASKED = 20
"""At most so many files are asked for over HTTP."""
LACKING = 65
"""The exit code of a bucket that has not what it should have."""
TIMEOUT = 10.0
"""Seconds to wait for each of them."""


def main(arguments: list[str]) -> int:
    """Check, or prune. Returns the exit code."""
    if len(arguments) < 3 or arguments[0] not in ("check", "back", "prune"):
        sys.stderr.write("usage: kept.py check|back|prune SETTINGS OWNER DIGEST=RELEASE...\n")
        return 2
    verb, settings, owner, *words = arguments
    here = Path.cwd().resolve()
    enter(here, settings)
    try:
        root = static_root(here)
        held = Held(site_bucket())
        kept = dict(word.split("=", 1) for word in words)
        if verb == "check":
            _check(held, owner, kept, root)
        elif verb == "back":
            _whole(held, owner, kept, root)
        else:
            _prune(held, owner, kept)
    except Unfit as error:
        sys.stderr.write(one_line(error))
        return LACKING if verb == "back" and isinstance(error, Lacking) else 1
    return 0


def _check(held: Held, owner: str, kept: Mapping[str, str], root: Path) -> None:
    """Unfit unless the bucket has the files of all these releases, and visitors get the first's."""
    _visit(held.bucket, _whole(held, owner, kept, root))


def _whole(held: Held, owner: str, kept: Mapping[str, str], root: Path) -> dict[str, Mine]:
    """The files of the first release that has any; Lacking unless the bucket has those of all."""
    asked: dict[str, Mine] = {}
    for digest, release in kept.items():
        wanted = _wanted(held, owner, digest, root)
        if not wanted:
            _say(f"warning: {held.bucket.says} has no list of the files of {release}")
            continue
        held.must_have(wanted, release, f"fab deploy-static --revision {release[7:]}")
        _say(f"{held.bucket.says} has all {len(wanted)} files that pages of {release} name")
        asked = asked or wanted
    return asked


def _wanted(held: Held, owner: str, digest: str, root: Path) -> dict[str, Mine]:
    """What pages of these names ask for, by the list of it, or by what was collected of them."""
    for name, what in held.lists().items():
        if what == (owner, digest):
            return held.list(name).hashed
    if not (root / ".hashed").exists():
        return {}
    text, mine = (root / ".hashed").read_bytes(), collected(root)
    if digest != (digest_of(text) if text else ""):
        return {}
    return {name: mine[name] for name in listed(root / ".hashed")} or mine


def _visit(bucket: Bucket, files: Mapping[str, Mine]) -> None:
    """Unfit unless a visitor who asks for some of these, evenly spread, gets our files."""
    some = sorted(files)[:: max(1, -(-len(files) // ASKED))]
    urls = [bucket.asked(lambda name=name: bucket.url(name)) for name in some]
    if not all(url.startswith(("http://", "https://")) for url in urls):
        _say("warning: the storage gives addresses without a host, so none was asked for")
        return
    for name, url in zip(some, urls, strict=False):
        if fault := _fault(url, files[name]):
            raise Unfit(f"visitors do not get {url.partition('?')[0]}: {fault}")
    _say(f"{len(some)} of {len(files)} files were asked for over HTTP, and came as they are")


def _fault(url: str, mine: Mine) -> str:
    """What is wrong with the answer that a visitor gets; empty if it is the file."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:  # noqa: S310 - http by _visit
            content: bytes = answer.read()
            if answer.headers.get("Content-Encoding") == "gzip":
                content = gzip.decompress(content)
    except (OSError, ValueError, http.client.HTTPException, EOFError, zlib.error) as error:
        return str(error).strip("<>") or type(error).__name__
    return "" if md5(content) == mine.md5 else "it has other content"


def _prune(held: Held, owner: str, kept: Mapping[str, str]) -> None:
    """Take away what only lists of releases name that are gone.

    Unfit, with nothing taken away, unless there is a list for each release that is kept. What no
    list names is somebody else's, and stays; so does what a list of another owner names.
    """
    says, lists = held.bucket.says, held.lists()
    if "" in kept:
        raise Unfit(
            f"nothing was taken away: files of {kept['']} carry no digest in their names, so it"
            " cannot be told which of them its pages need"
        )
    mine = {digest for whose, digest in lists.values() if whose == owner}
    without = [release for digest, release in kept.items() if digest not in mine]
    if without or not kept:
        mend = f": fab deploy-static --revision {without[0][7:]} makes one" if without else ""
        whose = ", ".join(without) or "the releases that are kept"
        raise Unfit(f"nothing was taken away: {says} has no list of the files of {whose}{mend}")
    old = [name for name, (whose, digest) in lists.items() if whose == owner and digest not in kept]
    stays: set[str] = set()
    for name in lists.keys() - set(old):
        stays |= held.list(name).names
    gone = sorted({name for one in old for name in _ours(held, held.list(one))} - stays)
    taken = _take_away(held, gone)
    # Last, so that a prune that was cut off still knows what to take away.
    held.bucket.each(old, held.bucket.delete)
    _must_not_be_missed(held, taken)
    _say(f"{len(taken)} files of releases that are gone were taken out of {says}")


def _take_away(held: Held, gone: list[str]) -> set[str]:
    """Delete these, but for what a list names that comes meanwhile; the names of what is deleted.

    Each stage has a lock of its own, so others that share the bucket may release at any time.
    """
    taken: set[str] = set()
    for start in range(0, len(gone), BATCH):
        batch = set(gone[start : start + BATCH]).difference(*held.new_lists().values())
        held.bucket.each(sorted(batch), held.bucket.delete)
        taken |= batch
    return taken


def _must_not_be_missed(held: Held, taken: set[str]) -> None:
    """Unfit if a release that was sent at the very moment counts on a file that was deleted."""
    new = held.new_lists()
    there = held.bucket.asked(held.bucket.listing).keys() if new else set()
    for name, names in new.items():
        if missed := sorted((names & taken) - there):
            raise Unfit(
                f"{len(missed)} files were taken out of {held.bucket.says} while a release of"
                f" {name.split('/')[1]} was sent that needs them, such as {missed[0]}:"
                " fab deploy-static of that stage sends them again"
            )


def _ours(held: Held, files: Files) -> set[str]:
    """Of these, what is there and is what was sent: a name without a digest may be reused."""
    same = {name for name, mine in files.plain.items() if held.there.get(name) == mine.stamp}
    return (files.hashed.keys() & held.there.keys()) | same


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
