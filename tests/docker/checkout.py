"""A project as its developer has it: a git checkout in which `fab` is typed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

SITE = Path(__file__).parents[1] / "site"
FAB = Path(sys.executable).with_name("fab")
"""Fabric's own script, which a fabfile of the toolkit takes over."""
PATIENCE = 240.0
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
"""


@dataclass(frozen=True)
class Told:
    """What one run of `fab` said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """All that a person would have seen."""
        return self.out + self.err

    @cached_property
    def events(self) -> list[dict[str, Any]]:
        """The lines of --json."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def result(self) -> dict[str, Any]:
        """The last line of --json."""
        return self.events[-1]

    def of(self, event: str) -> list[dict[str, Any]]:
        """The lines of --json of one kind."""
        return [one for one in self.events if one["event"] == event]

    @property
    def log(self) -> str:
        """The full log, whose path is said at the end."""
        paths = [line[5:] for line in self.err.splitlines() if line.startswith("log: ")]
        return "".join(Path(path).read_text() for path in paths)


@dataclass(frozen=True)
class Running:
    """A run of `fab` that goes on beside the test."""

    process: subprocess.Popen[bytes]
    out: Path
    err: Path
    check: Callable[[Told], Told]

    def says(self, words: str, seconds: float = 60.0) -> None:
        """Waits until the run has said these words; fails if it ends before."""
        deadline = time.monotonic() + seconds
        while words not in self.out.read_text():
            ended = self.process.poll() is not None
            if ended or time.monotonic() > deadline:
                raise AssertionError(f"{words!r} was not said:\n{self.told().text}")
            time.sleep(0.02)

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the program, and to nothing that it has started."""
        self.process.send_signal(number)

    def ended(self, code: int) -> Told:
        """Waits for the end, which has to be this exit code."""
        self.process.wait(PATIENCE)
        told = self.check(self.told())
        assert told.code == code, told.text
        return told

    def told(self) -> Told:
        """What it has said until now."""
        code = self.process.returncode
        return Told(-1 if code is None else code, self.out.read_text(), self.err.read_text())


@dataclass(frozen=True)
class Checkout:
    """A git checkout of a project that deploys a copy of the sample site to the fleet.

    `secrets` are texts that no run may ever say.
    """

    top: Path
    env: Mapping[str, str] = field(repr=False)
    secrets: Sequence[str] = field(repr=False)

    def fab(self, *words: str, code: int = 0, env: Mapping[str, str] | None = None) -> Told:
        """What `fab WORDS` says; it has to end with this exit code, and to keep every secret."""
        done = subprocess.run(
            [FAB, *words],
            cwd=self.top,
            env={**self.env, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        told = self._checked(Told(done.returncode, done.stdout, done.stderr))
        assert told.code == code, told.text
        return told

    def start(self, *words: str) -> Running:
        """Begins `fab WORDS` and does not wait for it."""
        out, err = self.top.parent / "out", self.top.parent / "err"
        number = len(list(self.top.parent.glob("out*")))
        out, err = (path.with_name(f"{path.name}{number}") for path in (out, err))
        with out.open("wb") as to, err.open("wb") as errors:
            process = subprocess.Popen(
                [FAB, *words],
                cwd=self.top,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=to,
                stderr=errors,
            )
        return Running(process, out, err, self._checked)

    def _checked(self, told: Told) -> Told:
        everything = told.text + told.log
        assert not [secret for secret in self.secrets if secret in everything], "a secret was said"
        assert "Traceback" not in told.text, told.text
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
