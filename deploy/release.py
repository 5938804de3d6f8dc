"""Releases: their ids and paths, which one is "previous", and which may be pruned."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from deploy.errors import Refused

ID = re.compile(r"\d{6}-[0-9a-f]{7}")


@dataclass(frozen=True)
class Release:
    """What goes live: an id that is the same on every host, and what it was made from.

    `revision` is the full commit; `tree`, `venv` and `migrations` are keys of content: equal keys
    mean equal code, equal installed packages, and equal migration files. `units` are the services
    that it was made for on the host; None if that is not known. `pages` are what it is asked for,
    first the one that tells whether it is well; none if that is not known.
    """

    id: str
    revision: str = ""
    venv: str = ""
    migrations: str = ""
    tree: str = ""
    units: tuple[str, ...] | None = None
    pages: tuple[str, ...] = ()


@dataclass(frozen=True)
class WayBack:
    """Migrations to take back before an older release goes live, last first, by `code`.

    `code` is the newer release whose operations can do that.
    """

    code: str
    names: tuple[str, ...]


def checked_id(text: str) -> str:
    """`text` if it has the form of a release id, else Refused. Nothing else may reach a host."""
    if not ID.fullmatch(text):
        raise Refused(
            f"{text!r} is not a release id; ids look like 000042-1a2b3c4",
            hint="fab releases lists those there are",
        )
    return text


def next_id(known: Iterable[str], revision: str) -> str:
    """The id after the highest of `known`, for a commit. No clock takes part, so none can be wrong.

    Names that are not release ids are ignored.
    """
    numbers = [int(name[:6]) for name in known if ID.fullmatch(name)]
    return f"{max(numbers, default=0) + 1:06d}-{revision[:7]}"


@dataclass(frozen=True)
class Layout:
    """Where things lie on a host, below the site's root."""

    root: str

    @property
    def current(self) -> str:
        """The link whose rename is the switch."""
        return f"{self.root}/current"

    @property
    def static(self) -> str:
        """The static role's own tree, with releases and a current of its own."""
        return f"{self.root}/static"

    @property
    def shared(self) -> str:
        """What outlives releases: env, media, logs."""
        return f"{self.root}/shared"

    @property
    def entry(self) -> str:
        """The WSGI script that Apache runs, and what it needs to know."""
        return f"{self.root}/entry"

    @property
    def maintenance(self) -> str:
        """The page that visitors get while it is there, and who put it up."""
        return f"{self.root}/maintenance"

    def release(self, release_id: str) -> str:
        """The directory of a release's code."""
        return f"{self.root}/releases/{release_id}"

    def static_release(self, release_id: str) -> str:
        """The directory of a release's collected files on a static host."""
        return f"{self.static}/releases/{release_id}"

    def venv(self, key: str) -> str:
        """The virtualenv of that key, shared by all releases that need the same packages."""
        return f"{self.root}/venvs/{key}"

    def wheels(self, key: str) -> str:
        """Where wheels wait while that virtualenv is built."""
        return f"{self.root}/.deploy/wheels-{key}"


def inside(path: str, directory: str) -> bool:
    """Whether `path` lies below `directory`, both absolute and without links."""
    return PurePosixPath(path).is_relative_to(directory)


def previous(live: str | None, history: Sequence[str], complete: Iterable[str]) -> str | None:
    """The release to go back to: what was live before `live`, and can still be served.

    `history` is the stack that the journal gives, oldest first. A release that was rolled back
    from is no longer on it, so that going back twice goes back two releases.
    """
    usable = set(complete)
    older = history[: history.index(live)] if live in history else history
    return next((name for name in reversed(older) if name in usable and name != live), None)


def as_of(number: int, ever_live: Iterable[str], complete: Iterable[str]) -> str | None:
    """The newest usable release that was not made after release `number`.

    This is what the static hosts served when that web release went live.
    """
    usable = set(complete)
    fitting = [name for name in ever_live if name in usable and int(name[:6]) <= number]
    return max(fitting, default=None)


def expired(
    complete: Iterable[str], partial: Iterable[str], keep: int, needed: Iterable[str | None]
) -> tuple[str, ...]:
    """Which releases may be removed: complete ones beyond the newest `keep`, and all partial ones.

    Whatever is in `needed` (live, previous, warm in a slot, being made) stays.
    """
    stays = set(needed)
    newest_first = sorted(complete, reverse=True)
    old = [name for name in newest_first[keep:] if name not in stays]
    return tuple(sorted(old + [name for name in partial if name not in stays]))
