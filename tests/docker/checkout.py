"""A project as its developer has it: a git checkout in which `fab` is typed."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.docker.told import PATIENCE, Running, Told

SITE = Path(__file__).parents[1] / "site"
FAB = Path(sys.executable).with_name("fab")
"""Fabric's own script, which a fabfile of the toolkit takes over."""
PYPROJECT = """
[project]
name = "guestbook"
version = "1"

[tool.deploy]
name = "guestbook"
stage = "sandbox"
source = "site"
settings = "config.settings.production"
"""
FABFILE = """
from deploy.cli import takeover

takeover()

from deploy.tasks import namespace

ns = namespace()
"""
INVENTORY = """
include = "{fleet}"

[hosts.web1]
roles = ["web"]

[hosts.web2]
roles = ["web"]

[hosts.static1]
roles = ["static"]

[hosts.db1]
roles = ["db"]

[project]
web.server_name = "localhost"
web.aliases = ["127.0.0.1"]
web.health = "/health/"
web.warm = ["/"]
static.mode = "server"
static.env = {{ SECRET_KEY = "only-to-collect-static-files", DATABASE_URL = "sqlite://:memory:" }}

[project.checks.waive]
https-redirect = "the fleet has no certificate"
csrf-cookie = "the fleet has no certificate"
session-cookie = "the fleet has no certificate"
hsts = "the fleet has no certificate"
"""


@dataclass(frozen=True)
class Checkout:
    """A git checkout of a project that deploys a copy of the sample site to the fleet.

    `secrets` are texts that no run may ever say.
    """

    top: Path
    env: Mapping[str, str] = field(repr=False)
    secrets: Sequence[str] = field(repr=False)

    def fab(
        self,
        *words: str,
        code: int = 0,
        env: Mapping[str, str] | None = None,
        stdin: str = "",
        raises: bool = False,
    ) -> Told:
        """What `fab WORDS` says; it has to end with this exit code, and to keep every secret.

        `raises` if the site is to show a traceback of its own.
        """
        done = subprocess.run(
            [FAB, *words],
            cwd=self.top,
            env={**self.env, **(env or {})},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        told = self._checked(Told(done.returncode, done.stdout, done.stderr), raises)
        assert told.code == code, told.text
        return told

    def start(self, *words: str, stdin: Path = Path(os.devnull)) -> Running:
        """Begins `fab WORDS` and does not wait for it."""
        out, err = self.top.parent / "out", self.top.parent / "err"
        number = len(list(self.top.parent.glob("out*")))
        out, err = (path.with_name(f"{path.name}{number}") for path in (out, err))
        with stdin.open("rb") as given, out.open("wb") as to, err.open("wb") as errors:
            process = subprocess.Popen(
                [FAB, *words],
                cwd=self.top,
                env=self.env,
                stdin=given,
                stdout=to,
                stderr=errors,
            )
        return Running(process, out, err, self._checked)

    def _checked(self, told: Told, raises: bool = False) -> Told:
        everything = told.text + told.log
        assert not [secret for secret in self.secrets if secret in everything], "a secret was said"
        assert ("Traceback" in told.text) == raises, told.text
        return told

    def write(self, path: str, text: str) -> None:
        """Makes a file of the site, or replaces it."""
        file = self.top / "site" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def edit(self, path: str, old: str, new: str) -> None:
        """Replaces words in a file of the site."""
        text = (self.top / "site" / path).read_text()
        assert old in text
        self.write(path, text.replace(old, new))

    def commit(self, subject: str = "Change the site") -> str:
        """Commits everything; the revision."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", subject)
        return self.git("rev-parse", "HEAD").strip()

    def title(self, words: str) -> str:
        """Commits another heading for every page; the revision."""
        text = (SITE / "templates" / "base.html").read_text()
        self.write("templates/base.html", text.replace("The guestbook", words))
        return self.commit(words)

    def git(self, *words: str) -> str:
        """What git says."""
        return subprocess.run(
            ["git", *words], cwd=self.top, env=self.env, capture_output=True, text=True, check=True
        ).stdout


def make_checkout(
    top: Path,
    fleet: Path,
    env: Mapping[str, str],
    secrets: Sequence[str],
    inventory: str = INVENTORY,
) -> Checkout:
    """A checkout with one commit, whose stage `sandbox` is the fleet of that fleet.toml."""
    (top / "inventories").mkdir(parents=True)
    shutil.copytree(SITE, top / "site", ignore=shutil.ignore_patterns("__pycache__"))
    (top / "pyproject.toml").write_text(PYPROJECT)
    (top / "fabfile.py").write_text(FABFILE)
    (top / ".gitignore").write_text("__pycache__/\n")
    (top / "inventories" / "sandbox.toml").write_text(inventory.format(fleet=fleet))
    checkout = Checkout(top, env, secrets)
    checkout.git("init", "--quiet", "--initial-branch", "main")
    checkout.commit("Begin")
    return checkout


def environment(home: Path) -> dict[str, str]:
    """The developer's environment, with caches and logs of this test session."""
    usual = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DEPLOY_", "GIT_", "PYTEST_")) and name != "SSH_AUTH_SOCK"
    }
    # Equal dates make equal commits of equal files, so what is cached by revision is found again.
    date = "2024-05-01T12:00:00Z"
    names = {f"GIT_{who}_{what}": "dev" for who in ("AUTHOR", "COMMITTER") for what in ("NAME",)}
    names |= {f"GIT_{who}_EMAIL": "dev@example.com" for who in ("AUTHOR", "COMMITTER")}
    names |= {f"GIT_{who}_DATE": date for who in ("AUTHOR", "COMMITTER")}
    folders = {"XDG_CACHE_HOME": str(home / "cache"), "XDG_STATE_HOME": str(home / "state")}
    return {**usual, **names, **folders}
