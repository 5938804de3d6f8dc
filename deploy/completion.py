"""What a shell may complete after -R, -H, -x and -I."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from deploy.errors import DeployError
from deploy.host import ROLES
from deploy.inventory import load_stage, stages
from deploy.site import default_stage, find_top

ROLE = ("-R", "--roles")
HOST = ("-H", "--hosts", "-x", "--exclude-hosts")
STAGE = ("-I", "--inventory")


def candidates(
    typed: Sequence[str], start: Path, environ: Mapping[str, str]
) -> tuple[tuple[str, ...], bool]:
    """The words that may stand where the cursor is, and whether the last word is complete.

    Bash does not say whether a space follows the last word: if it is one of the words that may
    stand there, the next thing may be a task as well.
    """
    words = [word for word in typed if word != "="]
    before, last = ["", "", *words][-2:]
    flags = (*ROLE, *HOST, *STAGE)
    flag, begun = (last, "") if last in flags else (before, last)
    if flag not in flags:
        return (), False
    try:
        top = find_top(start)
        names = _names(flag, top, _stage(words, top, environ), environ)
    except DeployError:
        return (), False
    done, comma, current = begun.rpartition(",")
    taken = done.split(",")
    found = tuple(f"{done}{comma}{name}" for name in names if name not in taken)
    return found, current in names


def _names(flag: str, top: Path, stage: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    if flag in STAGE:
        return stages(top)
    loaded = load_stage(top, stage, (), environ)
    if flag in ROLE:
        return tuple(role for role in ROLES if loaded.role(role))
    return tuple(host.name for host in loaded.hosts)


def _stage(words: Sequence[str], top: Path, environ: Mapping[str, str]) -> str:
    for flag, value in pairwise(words):
        if flag in STAGE:
            return value
    return default_stage(top, environ)
