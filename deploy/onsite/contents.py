"""What is collected and what a bucket has, compared by content, without asking for single files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

NOT_SENT = "staticfiles.json"
"""The manifest: each release reads its own, on the web hosts."""


class Stamp(NamedTuple):
    """What a listing says of a file in the bucket; a storage may not say how large it is."""

    size: int | None = None
    etag: str = ""


class Mine(NamedTuple):
    """A file that was collected."""

    size: int
    md5: str

    @property
    def stamp(self) -> Stamp:
        """What S3 says of a file that was sent as it is, in one piece."""
        return Stamp(self.size, self.md5)


class Compared(NamedTuple):
    """Names by what the bucket has: nothing, or what a listing does not show to be the same."""

    lacking: list[str]
    unclear: list[str]


Index = dict[str, tuple[str, Stamp]]
"""Of files whose stamp does not tell their content: the MD5 of ours, and the stamp it got there."""


def collected(root: Path) -> dict[str, Mine]:
    """What is to be in the bucket."""
    return {name: _mine(root / name) for name in listed(root / ".release-files", but=NOT_SENT)}


def listed(path: Path, but: str = "") -> list[str]:
    """The names in a list that collect.py wrote."""
    names = path.read_bytes().decode("utf-8", "surrogateescape").split("\0")
    return [name for name in names if name and name != but]


def _mine(path: Path) -> Mine:
    data = path.read_bytes()
    return Mine(len(data), hashlib.md5(data, usedforsecurity=False).hexdigest())


def compare(mine: Mapping[str, Mine], there: Mapping[str, Stamp], index: Index) -> Compared:
    """What has to be sent or looked into; all else is in the bucket as it is here."""
    found = Compared([], [])
    for name, own in mine.items():
        if name not in there:
            found.lacking.append(name)
        elif there[name] != own.stamp and index.get(name) != (own.md5, there[name]):
            found.unclear.append(name)
    return found


def unknown(index: Index, names: Iterable[str]) -> Index:
    """The index while `names` are being replaced: none of them is known to be anything."""
    return index | {name: ("", index[name][1]) for name in names if name in index}


def indexed(
    index: Index, names: Iterable[str], mine: Mapping[str, Mine], there: Mapping[str, Stamp]
) -> Index:
    """The index once `names` are known to be in the bucket as they are here."""
    kept = {name: entry for name, entry in index.items() if there.get(name) == entry[1]}
    for name in names:
        if name in there and there[name] != mine[name].stamp:
            kept[name] = (mine[name].md5, there[name])
    return kept


def index_text(index: Index) -> str:
    """The index as it is kept in the bucket."""
    files = {name: [md5, *stamp] for name, (md5, stamp) in sorted(index.items())}
    return json.dumps({"format": 1, "files": files}, indent=0)


def index_of(text: bytes) -> Index:
    """The index from its text; one that cannot be understood is as good as none."""
    try:
        files = json.loads(text)["files"]
        return {name: (md5, Stamp(size, etag)) for name, (md5, size, etag) in files.items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}
