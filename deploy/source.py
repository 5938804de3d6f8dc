"""Which revision is released: resolved once, on this machine, to a commit and keys of content."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from posixpath import normpath

from deploy.command import Command, Result
from deploy.errors import Refused
from deploy.project import Project

RunHere = Callable[[Command], Result]
FULL_REVISION = re.compile(r"[0-9a-f]{40}")
REFERENCE = re.compile(
    r"^[ \t]*(?:-r|-c|--requirement|--constraint)[ \t=]*(?P<file>[^\s#]+)", re.MULTILINE
)
"""Another requirements file, seen from the one that names it."""

BROUGHT_ALONG = re.compile(
    r"^[ \t]*(?:(?:-e|--editable)[ \t=]+)?(?:[\w.-]+(?:\[[^\]]*\])?[ \t]*@[ \t]*file:(?://)?)?"
    r"(?P<path>\.(?=[\s\[;#]|$)|[\w.-]*/[^\s\[;#:]*)(?=[\s\[;#]|$)",
    re.MULTILINE,
)
"""A package that comes with the code, a folder or a wheel: `.`, `-e ./ours`, `a @ file:ours/a`."""


@dataclass(frozen=True)
class Source:
    """A revision of the project. `tree`, `requirements` and `migrations` are keys of content.

    `top` is the folder of the fabfile, which may be any of its repository; `path` begins there.
    """

    top: Path
    path: str
    revision: str
    tree: str
    requirements: str
    migrations: str
    subject: str = ""


def resolve(top: Path, project: Project, revision: str, run: RunHere) -> Source:
    """The source that `revision` names; an empty one means HEAD with nothing left uncommitted.

    Raises Refused for what git does not know, a dirty tree, or a tree without manage.py. The text
    of `revision` reaches git as one word and nothing else; only the commit it names travels on.
    """
    git = _Git(top, run)
    below = git.prefix()
    if not revision:
        _refuse_uncommitted(git, project.source)
    commit = git.commit(revision or "HEAD")
    prefix = "" if project.source in ("", ".") else f"{project.source.strip('/')}/"
    whole = below + prefix
    tree = git.tree(commit, whole)
    listing = git.listing(tree)
    if "manage.py" not in listing:
        raise Refused(
            f"there is no manage.py in {whole or 'the top folder'} of revision {commit[:7]}",
            hint="set source in [tool.deploy] to the folder that holds manage.py",
        )
    requirements = _requirements_key(git, project.requirements, listing)
    return Source(
        top=top,
        path=prefix,
        revision=commit,
        tree=tree,
        requirements=requirements,
        migrations=_migrations_key(listing, requirements),
        subject=git.say("log", "-1", "--format=%s", commit).strip()[:72],
    )


@dataclass(frozen=True)
class Commit:
    """A commit, for people."""

    revision: str
    author: str
    subject: str


@dataclass(frozen=True)
class Changes:
    """What lies between a live revision and a source: `missing` is live and not in the source."""

    commits: tuple[Commit, ...]
    missing: tuple[Commit, ...]
    migrations: tuple[str, ...]


def changes(top: Path, source: Source, live: str, run: RunHere) -> Changes:
    """The commits and new migration files of `source` since `live`, newest first.

    Raises Refused if git does not know what is live. Migrations are those of the project itself,
    named after their folder; what packages bring is known on the hosts alone.
    """
    git = _Git(top, run)
    since = git.commit(live)
    where = ("--", source.path or ".")
    added = git.say(
        "diff", "--name-only", "--diff-filter=A", "-z", since, source.revision, *where
    ).split("\0")
    names = [PurePosixPath(path) for path in added if "/migrations/" in f"/{path}"]
    return Changes(
        _commits(git, f"{since}..{source.revision}", where),
        _commits(git, f"{source.revision}..{since}", where),
        tuple(f"{p.parts[-3]}.{p.stem}" for p in names if _is_migration(p)),
    )


def _is_migration(path: PurePosixPath) -> bool:
    return path.suffix == ".py" and path.stem != "__init__" and len(path.parts) >= 3


def _commits(git: "_Git", between: str, where: tuple[str, ...]) -> tuple[Commit, ...]:
    lines = git.say("log", "--format=%h%x09%an%x09%s", between, *where).splitlines()
    return tuple(Commit(*line.split("\t", 2)) for line in lines if line.count("\t") >= 2)


GIT_KEEPS = 256 * 1024 * 1024
"""Bytes of an answer: a listing has a line for each of many thousand files."""


class _Git:
    """Questions to git about one repository, each an argument list that no shell sees."""

    def __init__(self, top: Path, run: RunHere) -> None:
        self._top = top
        self._run = run

    def ask(self, *argv: str) -> Result:
        argv = ("git", "-C", str(self._top), *argv)
        return self._run(Command(argv, changes=False, keep=GIT_KEEPS))

    def say(self, *argv: str) -> str:
        result = self.ask(*argv)
        if not result.ok:
            raise Refused(f"git {argv[0]} failed: {result.output.strip()[-300:]}")
        return result.output

    def prefix(self) -> str:
        """Where in its repository this folder is: "backend/", or nothing if it is the top."""
        found = self.ask("rev-parse", "--show-prefix")
        if not found.ok and "not a git repository" not in found.output:
            raise Refused(f"git does not open {self._top}: {found.output.strip()[-400:]}")
        if not found.ok:
            raise Refused(
                f"{self._top} is not a git repository, and releases are made of commits",
                hint="git init && git add . && git commit",
            )
        return found.output.rstrip("\n")

    def commit(self, revision: str) -> str:
        if "\0" in revision or "\n" in revision:
            raise Refused(f"{revision!r} is not a revision")
        found = self.ask(
            "rev-parse", "--verify", "--quiet", "--end-of-options", revision + "^{commit}"
        )
        commit = found.output.strip()
        if not found.ok or not FULL_REVISION.fullmatch(commit):
            raise Refused(
                f"git knows no revision {revision!r}",
                hint="git fetch, or name a branch, a tag or a commit that is here",
            )
        return commit

    def tree(self, commit: str, prefix: str) -> str:
        found = self.ask("rev-parse", "--verify", "--quiet", f"{commit}:{prefix}")
        if not found.ok:
            raise Refused(
                f"revision {commit[:7]} has no folder {prefix.rstrip('/')}",
                hint="set source in [tool.deploy], and commit what is in it",
            )
        return found.output.strip()

    def listing(self, tree: str) -> dict[str, str]:
        lines = self.say("ls-tree", "-r", "-z", "--full-tree", tree).split("\0")
        if modules := [line.partition("\t")[2] for line in lines if line.startswith("160000 ")]:
            raise Refused(
                f"{modules[0]} is a submodule, of which git exports nothing but an empty folder",
                hint="have its files in this repository, or install it as a package",
            )
        pairs = (line.split("\t", 1) for line in lines if "\t" in line)
        return {path: facts.split(" ")[2] for facts, path in pairs}


def _refuse_uncommitted(git: _Git, source: str) -> None:
    said = git.say("status", "--porcelain", "--untracked-files=normal", "--", source or ".")
    changed = [line[3:] for line in said.splitlines() if line.strip()]
    if changed:
        shown = ", ".join(changed[:3]) + (", ..." if len(changed) > 3 else "")
        raise Refused(
            f"{len(changed)} changed file(s) are not committed and would not be released: {shown}",
            hint="commit them, or say what you want: --revision HEAD",
        )


def _requirements_key(git: _Git, path: str, listing: dict[str, str]) -> str:
    """A digest over the requirements file and every file that it refers to."""
    if path not in listing:
        raise Refused(
            f"there is no {path} in the source",
            hint="set requirements in [tool.deploy] to your requirements file, and commit it",
        )
    digest, waiting, seen = hashlib.sha256(), [path], set()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in listing:
            continue
        seen.add(name)
        digest.update(listing[name].encode())
        text = git.say("cat-file", "blob", listing[name])
        waiting += _referred_to(name, text, listing)
        for match in BROUGHT_ALONG.finditer(text):
            # pip sees these paths from where it is started, not from the file.
            path = normpath(match["path"])
            mine = [at for at in listing if path in (".", at) or at.startswith(f"{path}/")]
            digest.update("".join(f"{at} {listing[at]}\n" for at in sorted(mine)).encode())
    return digest.hexdigest()[:12]


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


def _migrations_key(listing: dict[str, str], requirements: str) -> str:
    """A digest over all that can bring a migration: the project's own, and installed packages."""
    digest = hashlib.sha256(requirements.encode())
    for path, blob in sorted(listing.items()):
        if "/migrations/" in f"/{path}":
            digest.update(f"{path} {blob}\n".encode())
    return digest.hexdigest()[:12]
