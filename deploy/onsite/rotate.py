"""Gives the site another SECRET_KEY: rotate.py ROOT RELEASE WHAT, the new key on standard input.

A key is announced first: every process takes what is signed with it, and none signs with it yet.
When that is so everywhere, it takes the place of the old one, which then is the first of the
fallbacks. So no host ever meets a session or a form that it does not know. WHAT is announce,
withdraw, use, unuse or forget; each of them does nothing where it has been done already. Exit code
2, with nothing changed, if the settings do not take their keys from the environment.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

from enter import enter, facts, release_of
from envfile import NotReady, mask, read

KEY, OLD = "SECRET_KEY", "SECRET_KEY_FALLBACKS"
LINE = re.compile(rf"[ \t]*(?:export[ \t]+)?({KEY}|{OLD})=")
HOW = (
    f'{OLD} = [key for key in os.environ.get("{OLD}", "").split(",") if key], '
    f'with SECRET_KEY = os.environ["{KEY}"]'
)
Keys = tuple[str, ...]
"""The key in use, and behind it those that are still taken."""


def announced(keys: Keys, new: str) -> Keys:
    """The new key is taken, and not used."""
    return keys if new in keys else (*keys, new)


def withdrawn(keys: Keys, new: str) -> Keys:
    """It is not even taken."""
    return (keys[0], *(key for key in keys[1:] if key != new))


def used(keys: Keys, new: str) -> Keys:
    """It is used, and what was used before is the first of the others."""
    return (new, *(key for key in keys if key != new))


def unused(keys: Keys, new: str) -> Keys:
    """It is taken, and what was used before it is used again."""
    return keys if keys[0] != new or len(keys) == 1 else (keys[1], *keys[2:], new)


def forgotten(keys: Keys, _new: str) -> Keys:
    """Nothing but what is in use is taken."""
    return keys[:1]


WHAT: dict[str, Callable[[Keys, str], Keys]] = {
    "announce": announced,
    "withdraw": withdrawn,
    "use": used,
    "unuse": unused,
    "forget": forgotten,
}


def main(arguments: list[str], new: str) -> int:
    """Changes shared/env; 2 if that cannot be done, with the reason on standard error."""
    if len(arguments) != 3 or arguments[2] not in WHAT:
        sys.stderr.write(f"usage: rotate.py ROOT RELEASE {'|'.join(WHAT)}\n")
        return 2
    root = Path(arguments[0])
    values: dict[str, str] = {}
    try:
        path = root / "shared" / "env"
        values = read(path)
        before = keys_of(values)
        after = WHAT[arguments[2]](before, new)
        if arguments[2] == "announce":
            must_be_taken(root, arguments[1], after)
        if after != before:
            replace(path, changed(path.read_text(encoding="utf-8"), after))
    except NotReady as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except Exception as error:
        said = mask(f"the site does not start: {type(error).__name__}: {error}", values)
        sys.stderr.write(f"{said}\n")
        return 2
    return 0


def keys_of(values: dict[str, str]) -> Keys:
    """The keys in the environment. NotReady if there is none, or one holds what parts them."""
    if not values.get(KEY):
        raise NotReady(f"there is no {KEY} in shared/env: fab setup makes one, or fab env.push")
    keys = (values[KEY], *(key for key in values.get(OLD, "").split(",") if key))
    if re.search(r"[,'\s]", keys[0]):
        raise NotReady(f"{KEY} holds a comma, a quote or a space, so it cannot be one of {OLD}")
    return keys


def must_be_taken(root: Path, release: str, keys: Keys) -> None:
    """NotReady unless the settings, with these keys in the environment, take all of them."""
    made = release_of(root, release)
    enter(root, made, facts(root, made)["settings"])
    os.environ[OLD] = ",".join(keys[1:])
    from django.conf import settings

    if keys[0] != settings.SECRET_KEY or not set(keys[1:]) <= set(settings.SECRET_KEY_FALLBACKS):
        raise NotReady(f"the settings do not take their keys from the environment: write {HOW}")


def changed(text: str, keys: Keys) -> str:
    """The file with these keys, and all its other lines as they were."""
    lines = [line for line in text.splitlines() if not LINE.match(line)]
    lines.append(f"{KEY}='{keys[0]}'")
    if keys[1:]:
        lines.append(f"{OLD}='{','.join(keys[1:])}'")
    return "\n".join(lines) + "\n"


def replace(path: Path, text: str) -> None:
    """Make `text` the file by one rename, readable by the same group and nobody else."""
    half = path.with_name("env.new")
    half.unlink(missing_ok=True)
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.chown(half, -1, path.stat().st_gid)
    half.chmod(0o640)
    half.replace(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], sys.stdin.read().strip()))
