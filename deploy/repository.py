"""Questions to git about one repository, each an argument list that no shell sees."""

import re
from collections.abc import Callable
from pathlib import Path

from deploy.command import Command, Result
from deploy.errors import Refused

RunHere = Callable[[Command], Result]
FULL_REVISION = re.compile(r"[0-9a-f]{40}")
GIT_KEEPS = 256 * 1024 * 1024
"""Bytes of an answer: a listing has a line for each of many thousand files."""


class Repository:
    """What git knows of the repository that a folder is in. Asking it changes nothing."""

    def __init__(self, top: Path, run: RunHere) -> None:
        self._top = top
        self._run = run

    def ask(self, *argv: str) -> Result:
        """What git answers, whether it succeeded or not."""
        argv = ("git", "-C", str(self._top), *argv)
        return self._run(Command(argv, changes=False, keep=GIT_KEEPS))

    def say(self, *argv: str) -> str:
        """What git answers. Refused, with the end of what it said, if it fails."""
        result = self.ask(*argv)
        if not result.ok:
            raise Refused(f"git {argv[0]} failed: {result.output.strip()[-300:]}")
        return result.output

    def prefix(self) -> str:
        """Where in its repository this folder is: "backend/", or nothing. Refused if in none."""
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
        """The full name of the commit that a revision names. Refused if git knows none."""
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
        """The name of a commit's tree below `prefix`. Refused if there is no such folder."""
        found = self.ask("rev-parse", "--verify", "--quiet", f"{commit}:{prefix}")
        if not found.ok:
            raise Refused(
                f"revision {commit[:7]} has no folder {prefix.rstrip('/')}",
                hint="set source in [tool.deploy], and commit what is in it",
            )
        return found.output.strip()

    def listing(self, tree: str) -> dict[str, str]:
        """The files of a tree, each with the name of its contents. Refused if it has submodules."""
        lines = self.say("ls-tree", "-r", "-z", "--full-tree", tree).split("\0")
        if modules := [line.partition("\t")[2] for line in lines if line.startswith("160000 ")]:
            raise Refused(
                f"{modules[0]} is a submodule, of which git exports nothing but an empty folder",
                hint="have its files in this repository, or install it as a package",
            )
        pairs = (line.split("\t", 1) for line in lines if "\t" in line)
        return {path: facts.split(" ")[2] for facts, path in pairs}
