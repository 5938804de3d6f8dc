"""Which packages a release asks for: its requirements files, and what of the code they install."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from posixpath import normpath

from deploy.errors import Refused
from deploy.project import Project
from deploy.repository import Repository

REFERENCE = re.compile(
    r"^[ \t]*(?:-r|-c|--requirement|--constraint)[ \t=]*(?P<file>[^\s#]+)", re.MULTILINE
)
"""Another requirements file, seen from the one that names it."""

BROUGHT_ALONG = re.compile(
    r"^[ \t]*(?P<editable>(?:-e|--editable)[ \t=]+)?(?:[\w.-]+(?:\[[^\]]*\])?[ \t]*@[ \t]*file:(?://)?)?"
    r"(?P<path>\.(?=[\s\[;#]|$)|[\w.-]*/[^\s\[;#:]*)(?=[\s\[;#]|$)",
    re.MULTILINE,
)
"""A package that comes with the code, a folder or a wheel: `.`, `-e ./ours`, `a @ file:ours/a`."""


@dataclass(frozen=True)
class Requirements:
    """`key` is a digest over what is asked for; `brought` are the packages that the code brings."""

    key: str
    brought: tuple[str, ...]


def requirements(git: Repository, project: Project, listing: dict[str, str]) -> Requirements:
    """What the requirements file asks for, and every file that it refers to.

    Refused if one of them is not in the `listing` of the source, or if one asks for what no
    virtualenv of several releases can have.
    """
    if project.requirements not in listing:
        raise Refused(
            f"there is no {project.requirements} in the source",
            hint="set requirements in [tool.deploy] to your requirements file, and commit it",
        )
    digest, waiting, seen = hashlib.sha256(), [project.requirements], set()
    brought: dict[str, None] = {}
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        digest.update(listing[name].encode())
        text = git.say("cat-file", "blob", listing[name])
        waiting += _referred_to(name, text, listing)
        for match in BROUGHT_ALONG.finditer(text):
            if match["editable"] and project.install == "pip":
                raise Refused(
                    f"{name} says {match[0].strip()}: its code would be that of one release, also"
                    " after that is gone",
                    hint=f"write {match['path']}, or set install to wheels in [tool.deploy]",
                )
            path = normpath(match["path"])
            brought[path] = None
            digest.update(_contents(path, listing).encode())
    return Requirements(digest.hexdigest()[:12], tuple(brought))


def _contents(path: str, listing: dict[str, str]) -> str:
    """The files at `path` and below, which pip sees from where it is started, not from the file."""
    mine = (at for at in sorted(listing) if path in (".", at) or at.startswith(f"{path}/"))
    return "".join(f"{at} {listing[at]}\n" for at in mine)


def _referred_to(name: str, text: str, listing: dict[str, str]) -> list[str]:
    """The requirements files that this one names; Refused if one of them is not in the source."""
    found = []
    for match in REFERENCE.finditer(text):
        if "://" in match["file"]:
            continue
        path = normpath(f"{PurePosixPath(name).parent}/{match['file']}")
        if path not in listing:
            raise Refused(
                f"{name} refers to {match['file']}, which is not in the source",
                hint="commit it, or move it below the folder that holds manage.py",
            )
        found.append(path)
    return found
