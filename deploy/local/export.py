"""Takes the files of a revision out of git: export.py NEW REPOSITORY TREE [BEFORE]

Makes the directory NEW, and in it .pushed, the names of its files, by which a host finds them
again among what is put beside them there; NEW.sums has a digest of each. Where there are symbolic
links, rsync alone is to send it, so neither is made. BEFORE is an export of another tree, by whose
name its directory goes: what did not change since is linked from there, and not read again.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

MANY = 300
"""From so many changed files on, all are taken out of git: a command line holds no more."""
SUBMODULE = "160000"


def main(new: Path, repository: str, tree: str, before: Path | None) -> None:
    """Export, from before if that will do, and list what there is."""
    # In a folder of the repository, git would look for that folder in the tree.
    where = ("git", "-C", repository, "rev-parse", "--show-toplevel")
    repository = subprocess.check_output(where, text=True).removesuffix("\n")
    changed = _changed(repository, before, tree) if before else None
    known: dict[str, str] = {}
    if before is None or changed is None:
        _take(new, repository, tree, [])
    else:
        known = _sums(before)
        for name, _ in changed:
            known.pop(name, None)
        _link(before, new, [name for name, _ in changed])
        if there := [name for name, stays in changed if stays]:
            _take(new, repository, tree, there)
    names = sorted(_files(new), key=os.fsencode)
    if not any((new / name).is_symlink() for name in names):
        _list(new, names, known)


def _take(new: Path, repository: str, tree: str, names: list[str]) -> None:
    new.mkdir(exist_ok=True)
    packed = new.with_name(f"{new.name}.tar")
    argv = ("git", "-C", repository, "--literal-pathspecs", "archive", "--format=tar")
    subprocess.run([*argv, f"--output={packed}", tree, "--", *names], check=True)
    subprocess.run(("tar", "-xf", packed, "-C", new), check=True)
    packed.unlink()


def _changed(repository: str, before: Path, tree: str) -> list[tuple[str, bool]] | None:
    """The files that differ, and whether they still exist; None if all have to be taken anew.

    Attributes say how git writes any file, and an archive has a directory for a submodule.
    """
    if not (before / ".pushed").exists():
        return None
    argv = ("git", "-C", repository, "diff-tree", "-r", "-z", "--no-renames", before.name, tree)
    said = subprocess.run(argv, capture_output=True, check=False)
    words = os.fsdecode(said.stdout).split("\0")[:-1]
    found = list(zip(words[::2], words[1::2], strict=True))
    unfit = any(SUBMODULE in how or Path(name).name == ".gitattributes" for how, name in found)
    if said.returncode or unfit or len(found) > MANY:
        return None
    return [(name, not how.endswith("D")) for how, name in found]


def _link(before: Path, new: Path, but: list[str]) -> None:
    shutil.copytree(before, new, copy_function=os.link)
    for name in (".pushed", *but):
        file = new / name
        if file.is_file():
            file.unlink()
        folder = file.parent
        while folder != new and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
            folder = folder.parent


def _files(new: Path) -> Iterator[str]:
    for folder, folders, names in os.walk(new):
        links = [name for name in folders if Path(folder, name).is_symlink()]
        yield from (str(Path(folder, name).relative_to(new)) for name in names + links)


def _sums(exported: Path) -> dict[str, str]:
    said = exported.with_name(f"{exported.name}.sums").read_bytes()
    lines = os.fsdecode(said).split("\0")[:-1]
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def _list(new: Path, names: list[str], known: dict[str, str]) -> None:
    lines = [f"{known.get(name) or _digest(new / name)}  {name}\0" for name in names]
    (new / ".pushed").write_bytes(os.fsencode("".join(f"{name}\0" for name in names)))
    new.with_name(f"{new.name}.sums").write_bytes(os.fsencode("".join(lines)))


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], Path(sys.argv[4]) if sys.argv[4:] else None)
