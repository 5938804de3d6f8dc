"""What a host has to be told of a directory when it has another one that is nearly the same."""

import base64
import gzip
import hashlib
import io
import os
import tarfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock

LIMIT = 1 << 18
"""Bytes of a script. More is for rsync, which sends while it reads."""
DIFFERS = 76
"""What the host says when the outcome is not what it should be, and rsync has to do it."""
NAMES = ".pushed"
"""In a directory that was exported, the names of its files, a NUL after each."""


@dataclass(frozen=True)
class Delta:
    """The lines for the host's push_delta, a digest of the whole, and how many files are sent."""

    lines: str
    digest: str
    files: int


def delta(base: Path, source: Path) -> Delta | None:
    """What makes `source` of `base`; None if that is not known or too much for one message.

    Exports do not change, so what was found for one host holds for all others.
    """
    with _one_at_a_time:
        return _delta(base, source)


_one_at_a_time = Lock()


@lru_cache(maxsize=1)
def _delta(base: Path, source: Path) -> Delta | None:
    try:
        before, after = _entries(base), _entries(source)
        sums = _sums(source).read_bytes()
    except OSError:  # exported before such lists were made, or with symbolic links in it
        return None
    changed = [name for name, what in after.items() if before.get(name) != what]
    gone = b"".join(name + b"\0" for name in before if name not in after)
    new = _packed(source, changed)
    lines = f"{base64.b64encode(gone).decode()}\n{base64.b64encode(new).decode()}\n"
    if len(lines) > LIMIT:
        return None
    modes = b"".join(b"%o\n" % mode for name, (_, mode) in after.items() if name != _NAMES)
    return Delta(lines, hashlib.sha256(sums + modes).hexdigest(), len(changed))


_NAMES = NAMES.encode()


def _sums(exported: Path) -> Path:
    return exported.with_name(f"{exported.name}.sums")


def _entries(exported: Path) -> dict[bytes, tuple[bytes, int]]:
    """Of each file that is sent: a digest, and the mode that it has on a host."""
    found = {}
    for line in _sums(exported).read_bytes().split(b"\0")[:-1]:
        digest, _, name = line.partition(b"  ")
        found[name] = (digest, _mode(exported, name))
    listed = (exported / NAMES).read_bytes()
    found[_NAMES] = (hashlib.sha256(listed).hexdigest().encode(), 0o644)
    return found


def _mode(top: Path, name: bytes) -> int:
    """As rsync's --chmod makes it."""
    mode = os.stat(os.path.join(os.fsencode(top), name)).st_mode  # noqa: PTH116, PTH118  # of thousands
    return 0o755 if mode & 0o100 else 0o644


def _packed(source: Path, names: list[bytes]) -> bytes:
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as small,
        tarfile.open(fileobj=small, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name in names:
            content = (source / os.fsdecode(name)).read_bytes()
            member = tarfile.TarInfo(os.fsdecode(name))
            member.size, member.mode = len(content), _mode(source, name)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()
