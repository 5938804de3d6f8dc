"""Makes collected static files ready to be served: pack.py [--brotli] DIRECTORY [BEFORE]

Puts beside each text file a .gz, which the server sends as it is, and with --brotli a .br; the same
content makes the same bytes. Names them in .hashed, behind the files that they stand for, and
writes .sums, the digest of each file's content, with which a host can tell what was damaged. What
BEFORE, another such directory, has of the same content is linked from there.
"""

import gzip
import hashlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ENDINGS = ("css", "js", "mjs", "svg", "json", "html", "txt", "xml", "map")
"""What is worth the trouble, if it is larger than SMALL bytes."""
SMALL = 1024
LISTS = (".hashed", ".release-files", ".sums")
Turn = Callable[[bytes], bytes]
"""A content into another one."""


@dataclass(frozen=True)
class Packer:
    """How a packed file is made, and how what it stands for is read again."""

    pack: Turn
    unpack: Turn


def packers(brotli: bool) -> dict[str, Packer]:
    """Each kind of packed file, by its ending."""
    made = {".gz": Packer(lambda content: gzip.compress(content, 9, mtime=0), gzip.decompress)}
    if brotli:
        from brotli import compress, decompress  # only there for those who ask for it

        made[".br"] = Packer(compress, decompress)
    return made


@dataclass(frozen=True)
class Packing:
    """A directory, the one before it if there is one, and how packed files are made."""

    top: Path
    before: Path | None
    packers: Mapping[str, Packer]

    def file(self, name: str) -> list[tuple[str, str]]:
        """Pack the file if that is worth it; the names of what is there then, and their digests."""
        content = (self.top / name).read_bytes()
        found = [(name, _digest(content))]
        if _worth(name, len(content)):
            found += [self._packed(name + ending, content) for ending in self.packers]
        return found

    def _packed(self, name: str, content: bytes) -> tuple[str, str]:
        target = self.top / name
        target.unlink(missing_ok=True)  # the site may bring its own, of another content
        packer = self.packers[target.suffix]
        made = self._linked(target, packer, content) or packer.pack(content)
        if not target.exists():
            target.write_bytes(made)
        return name, _digest(made)

    def _linked(self, target: Path, packer: Packer, content: bytes) -> bytes:
        """What was packed before, if it is whole and there, or else nothing."""
        if self.before is None:
            return b""
        there = self.before / target.relative_to(self.top)
        try:
            made = there.read_bytes()
            if packer.unpack(made) != content:
                return b""
            target.hardlink_to(there)
        except Exception:  # not there, damaged, another user's: then it is made
            return b""
        return made


def main(top: Path, before: Path | None, brotli: bool) -> None:
    """Pack, and write the lists."""
    packing = Packing(top, before, packers(brotli))
    names = [name for name in _files(top) if not _is_packed(top, name, packing.packers)]
    with ThreadPoolExecutor() as pool:
        found = dict(pair for pairs in pool.map(packing.file, names) for pair in pairs)
    hashed = top / ".hashed"
    if hashed.exists():
        plain = os.fsdecode(hashed.read_bytes()).split("\0")[:-1]
        hashed.write_bytes(os.fsencode("".join(_with_packed(plain, found))))
    lines = [_line(name, found[name]) for name in sorted(found, key=os.fsencode)]
    (top / ".sums").write_bytes(os.fsencode("".join(lines)))


def _files(top: Path) -> Iterator[str]:
    for folder, _, names in os.walk(top):
        for path in (Path(folder, name) for name in names):
            name = str(path.relative_to(top))
            if name not in LISTS and not path.is_symlink():
                yield name


def _is_packed(top: Path, name: str, packers: Mapping[str, Packer]) -> bool:
    """Whether it stands for a file beside it, and will be made of that."""
    plain, _, ending = name.rpartition(".")
    beside = top / plain
    return f".{ending}" in packers and beside.is_file() and _worth(plain, beside.stat().st_size)


def _worth(name: str, size: int) -> bool:
    path = Path(name)
    return path.suffix[1:] in ENDINGS and size > SMALL and path.name != "staticfiles.json"


def _with_packed(names: list[str], found: Mapping[str, str]) -> Iterator[str]:
    for name in names:
        yield from (f"{one}\0" for one in (name, f"{name}.gz", f"{name}.br") if one in found)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _line(name: str, digest: str) -> str:
    """As sha256sum writes it: the line of a name that holds one of these is marked."""
    told = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    mark = "" if told == name else "\\"
    return f"{mark}{digest}  {told}\n"


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if word != "--brotli"]
    main(Path(words[0]), Path(words[1]) if words[1:] else None, "--brotli" in sys.argv)
