"""Which revision is released: resolved once, on this machine, to a commit and keys of content."""

import hashlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from deploy.errors import Refused
from deploy.packages import requirements
from deploy.project import Project
from deploy.repository import Repository, RunHere


@dataclass(frozen=True)
class Source:
    """A revision of the project. `tree`, `requirements` and `migrations` are keys of content.

    `top` is the folder of the fabfile, which may be any of its repository; `path` begins there.
    `brought` are the folders of the code that are installed as packages.
    """

    top: Path
    path: str
    revision: str
    tree: str
    requirements: str
    migrations: str
    subject: str = ""
    brought: tuple[str, ...] = ()


def resolve(top: Path, project: Project, revision: str, run: RunHere) -> Source:
    """The source that `revision` names; an empty one means HEAD with nothing left uncommitted.

    Raises Refused for what git does not know, a dirty tree, or a tree without manage.py. The text
    of `revision` reaches git as one word and nothing else; only the commit it names travels on.
    """
    git = Repository(top, run)
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
    asked = requirements(git, project, listing)
    return Source(
        top=top,
        path=prefix,
        revision=commit,
        tree=tree,
        requirements=asked.key,
        migrations=_migrations_key(listing, asked.key),
        subject=git.say("log", "-1", "--format=%s", commit).strip()[:72],
        brought=asked.brought,
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
    git = Repository(top, run)
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


def _commits(git: Repository, between: str, where: tuple[str, ...]) -> tuple[Commit, ...]:
    lines = git.say("log", "--format=%h%x09%an%x09%s", between, *where).splitlines()
    return tuple(Commit(*line.split("\t", 2)) for line in lines if line.count("\t") >= 2)


def _refuse_uncommitted(git: Repository, source: str) -> None:
    said = git.say("status", "--porcelain", "--untracked-files=normal", "--", source or ".")
    changed = [line[3:] for line in said.splitlines() if line.strip()]
    if changed:
        shown = ", ".join(changed[:3]) + (", ..." if len(changed) > 3 else "")
        raise Refused(
            f"{len(changed)} changed file(s) are not committed and would not be released: {shown}",
            hint="commit them, or say what you want: --revision HEAD",
        )


def _migrations_key(listing: dict[str, str], requirements: str) -> str:
    """A digest over all that can bring a migration: the project's own, and installed packages."""
    digest = hashlib.sha256(requirements.encode())
    for path, blob in sorted(listing.items()):
        if "/migrations/" in f"/{path}":
            digest.update(f"{path} {blob}\n".encode())
    return digest.hexdigest()[:12]
