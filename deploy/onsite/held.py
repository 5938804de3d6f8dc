"""What a bucket holds of the files of releases, and what it is told to remember of them."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from bucket import Bucket
from contents import Compared, Mine, Stamp, compare, indexed, unknown
from staticsite import Unfit

LISTS = "fab-deploy-files/"
"""Where the bucket keeps lists of files: OWNER/DIGEST_OF_NAMES-DIGEST_OF_LIST.json."""
LIST = re.compile(re.escape(LISTS) + r"([^/]+)/([0-9a-f]{16})-[0-9a-f]{16}\.json")
OWNER = re.compile(r"[A-Za-z0-9._-]+")


class Lacking(Unfit):
    """The bucket was asked, and does not have what a release needs."""


class Files(NamedTuple):
    """The files of a release: those that carry digests in their names, and the others."""

    hashed: dict[str, Mine]
    plain: dict[str, Mine]

    @property
    def names(self) -> set[str]:
        """All of them."""
        return self.hashed.keys() | self.plain.keys()


class Held:
    """What the bucket holds, asked for once."""

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket
        self.there: dict[str, Stamp] = bucket.asked(bucket.listing)

    def compared(self, mine: Mapping[str, Mine]) -> Compared:
        """What the bucket lacks, and what neither its listing nor its index shows to be right."""
        found = compare(mine, self.there, {})
        if not found.unclear:
            return found
        return compare(mine, self.there, self.bucket.asked(self.bucket.index))

    def read(self, names: Iterable[str], mine: Mapping[str, Mine]) -> tuple[list[str], list[str]]:
        """Of files whose listing tells nothing, those with our content, and the others."""
        names = list(names)
        same = dict.fromkeys(names, False)

        def one(name: str) -> None:
            try:
                same[name] = md5(self.bucket.read(name)) == mine[name].md5
            except (FileNotFoundError, gzip.BadGzipFile, EOFError, zlib.error):
                same[name] = False

        self.bucket.each(names, one)
        return [name for name in names if same[name]], [name for name in names if not same[name]]

    def must_have(self, wanted: Mapping[str, Mine], whose: str, mend: str) -> None:
        """Lacking unless these files of `whose` release are there with the right content."""
        found, says = self.compared(wanted), self.bucket.says
        _, wrong = self.read(found.unclear, wanted)
        faults = []
        if found.lacking:
            faults.append(
                f"{says} lacks {len(found.lacking)} of {len(wanted)} files of {whose},"
                f" such as {found.lacking[0]}: {mend} sends them"
            )
        if wrong:
            faults.append(
                f"{says} has {len(wrong)} of {len(wanted)} files of {whose} with"
                f" other content, such as {wrong[0]}; what has a digest in its name is never"
                f" overwritten: delete them there, then {mend}"
            )
        if faults:
            raise Lacking("; ".join(faults))

    def forget(self, names: Iterable[str]) -> None:
        """Before these are replaced: a run that is cut off then must not leave them trusted."""
        bucket = self.bucket
        if Stamp() in self.there.values():  # any other listing shows by itself what was replaced
            index = bucket.asked(bucket.index)
            bucket.asked(lambda: bucket.keep(unknown(index, names)))

    def remember(self, names: Iterable[str], mine: Mapping[str, Mine]) -> None:
        """Keep what a later listing will not tell of these files, which are right now."""
        bucket, names = self.bucket, list(names)
        there = bucket.asked(bucket.listing)
        if not all(there.get(name) == mine[name].stamp for name in names):
            index = bucket.asked(bucket.index)
            bucket.asked(lambda: bucket.keep(indexed(index, names, mine, there)))

    def keep_list(self, owner: str, digest: str, files: Files) -> None:
        """Remember whose files these are, so that it can be told later what may go."""
        text = json.dumps({"format": 1, **files._asdict()}, indent=0, sort_keys=True)
        name = f"{LISTS}{owner}/{digest}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"
        if name not in self.there:
            self.bucket.asked(lambda: self.bucket.write(name, text))

    def lists(self) -> dict[str, tuple[str, str]]:
        """The lists that there are, each with its owner and the digest of the names in it."""
        found = {name: LIST.fullmatch(name) for name in self.there}
        return {name: (match[1], match[2]) for name, match in found.items() if match}

    def new_lists(self) -> dict[str, set[str]]:
        """Lists that have come since the bucket was asked, each with the names in it."""
        now = self.bucket.asked(lambda: self.bucket.listing(LISTS))
        new = [name for name in now if LIST.fullmatch(name) and name not in self.there]
        return {name: self.list(name).names for name in new}

    def list(self, name: str) -> Files:
        """The files of such a list. Unfit if it cannot be read: half a list is none."""
        text = self.bucket.asked(lambda: self.bucket.read(name))
        try:
            said = json.loads(text)
            return Files(_mine(said["hashed"]), _mine(said["plain"]))
        except (ValueError, TypeError, KeyError, AttributeError):
            raise Unfit(f"{name} in {self.bucket.says} cannot be understood") from None


def digest_of(hashed: bytes) -> str:
    """A name for a list of names with digests: as digest_files in deploy/remote makes it."""
    return hashlib.sha256(hashed).hexdigest()[:16]


def md5(content: bytes) -> str:
    """The digest that S3 and our lists tell contents by."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _mine(files: dict[str, list[object]]) -> dict[str, Mine]:
    return {name: Mine(int(str(size)), str(digest)) for name, (size, digest) in files.items()}
