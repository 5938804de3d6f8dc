"""Finds what must not be sent: symbolic links that lead out of the directory."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from deploy.command import Upload
from deploy.errors import PrepareFailed


def check_tree(upload: Upload) -> None:
    """Raises `PrepareFailed` when the source is missing or a link in it leads out."""
    if not upload.source.is_dir():
        raise PrepareFailed(f"there is no directory {upload.source} to send")
    odd = [path for path in upload.only if not path or _climbs(path)]
    if odd:
        raise PrepareFailed(f"not a path inside {upload.source}: {', '.join(map(ascii, odd))}")
    leaving = sorted(_leaving(upload))
    if leaving:
        listed = "".join(f"\n  {line}" for line in leaving[:20])
        more = f"\n  and {len(leaving) - 20} more" if len(leaving) > 20 else ""
        raise PrepareFailed(
            f"symbolic links lead out of {upload.source}, nothing was sent:{listed}{more}",
            "replace them by files, or exclude them",
        )


def _leaving(upload: Upload) -> Iterator[str]:
    for link in _links(upload.source):
        name = str(link.relative_to(upload.source))
        wanted = not upload.only or any(_within(name, only) for only in upload.only)
        if wanted and not any(_within(name, path) for path in upload.exclude):
            target = str(link.readlink())
            if _leads_out(name, target):
                yield f"{ascii(name)[1:-1]} -> {ascii(target)[1:-1]}"


def _links(directory: Path) -> Iterator[Path]:
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_symlink():
                yield Path(entry.path)
            elif entry.is_dir(follow_symlinks=False):
                yield from _links(Path(entry.path))


def _within(name: str, path: str) -> bool:
    parts = PurePosixPath(path).parts
    return PurePosixPath(name).parts[: len(parts)] == parts


def _leads_out(name: str, target: str) -> bool:
    """By the text alone, as rsync's own --safe-links decides, so that the two agree."""
    parts = PurePosixPath(target).parts
    climb = next((at for at, part in enumerate(parts) if part != ".."), len(parts))
    return (
        target.startswith("/")
        or ".." in parts[climb:]
        or climb > len(PurePosixPath(name).parts) - 1
    )


def _climbs(path: str) -> bool:
    return path.startswith("/") or ".." in PurePosixPath(path).parts
