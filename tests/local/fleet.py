"""Directories that stand for hosts, and flows without the steps that need a server."""

import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from deploy.asked import Asked
from deploy.command import Action, Command, OnLine, Result
from deploy.errors import Locked, Refused
from deploy.flow import DEPLOY, ROLLBACK, Flow
from deploy.here import Here
from deploy.host import Host
from deploy.main import deploy
from deploy.means import Means
from deploy.outcome import Outcome
from deploy.project import Project
from deploy.reach import LinkLost, Reach
from deploy.recover import recover
from deploy.report import Event, Note
from deploy.rollback import go_back
from deploy.stage import Stage
from deploy.steps import Phase, Step, Target, step, word
from deploy.steps.activate import activate
from deploy.steps.build import collect, wheels
from deploy.steps.checks import gate
from deploy.steps.code import entry, install, seal
from deploy.steps.db import migrate
from deploy.steps.server import apache, static_server
from deploy.steps.slots import ask_again, load, warm
from deploy.steps.static import collect_on_web, switch, sync
from deploy.workshop import Workshop
from tests.local.locallink import LocalLink

HOSTS = ("web1", "web2", "web3")


@step("code.seal", roles=("web",))
def seal_without_packages(t: Target) -> Iterator[Action]:
    """mark the release complete; there is no virtualenv in these tests"""
    json = f'{{"revision": "{t.code.revision}", "migrations": "{t.code.migrations}"}}'
    path = f"{t.layout.release(t.code.id)}/release.json"
    yield word("remember", path, json)


def _back(t: Target) -> Iterator[Action]:
    old = t.found.web.current
    yield word("switch", t.layout.root, old) if old else word("unswitch", t.layout.root)


@step("web.activate", roles=("web",), phase=Phase.COMMIT, undo=_back, rolling=True)
def switch_only(t: Target) -> Iterator[Action]:
    """switch by one rename; no server runs in these tests"""
    yield word("switch", t.layout.root, t.code.id)


NEEDS_A_SERVER = (
    wheels,
    collect,
    install,
    entry,
    collect_on_web,
    gate,
    sync,
    static_server,
    apache,
    load,
    warm,
)
FLOW = DEPLOY.without(*NEEDS_A_SERVER, switch, migrate, ask_again)
FLOW = FLOW.replace(seal, seal_without_packages).replace(activate, switch_only)
BACK = ROLLBACK.without(warm, switch).replace(activate, switch_only)


NO_SERVER = "\nensure_slot() { :; }\nask() { :; }\n"
"""The words that speak to Apache: there is none in these tests."""


def failing(name: str, phase: Phase, *on: str, says: str = "it broke") -> Step:
    @step(name, roles=("web",), phase=phase)
    def fail(t: Target) -> Iterator[Action]:
        """fail on some hosts"""
        if t.host.name in on:
            yield Command(("sh", "-c", f"echo {says}; exit 3"))

    return fail


class Lost(LocalLink):
    """A link that is lost after so many actions, as when the operator's machine dies."""

    left: Callable[[], bool] = staticmethod(lambda: True)

    def execute(self, action: Action, on_line: OnLine) -> Result:
        if not self.left():
            self.close()
            raise LinkLost(self.name, "the connection was lost", "")
        return super().execute(action, on_line)


@dataclass
class Fleet:
    """Directories that stand for hosts, a repository to release from, and what was said."""

    path: Path
    said: list[Event] = field(default_factory=list)
    left: Callable[[], bool] = lambda: True
    server: str = NO_SERVER

    @property
    def stage(self) -> Stage:
        hosts = tuple(
            Host(name, name, ("web",), project=replace(self.project, root=str(self.root(name))))
            for name in HOSTS
        )
        return Stage("test", self.path, "", False, 8, self.project, hosts)

    @property
    def project(self) -> Project:
        return Project(name="shop", settings="s", root="/nowhere/shop", keep=3, shared=())

    def root(self, name: str) -> Path:
        return self.path / name / "site"

    def live(self) -> dict[str, str]:
        return {
            name: (self.root(name) / "current").readlink().name
            if (self.root(name) / "current").is_symlink()
            else "-"
            for name in HOSTS
        }

    def releases(self, name: str = "web1") -> list[str]:
        return sorted(path.name for path in (self.root(name) / "releases").iterdir())

    def asked(self, **changes: object) -> Asked:
        return replace(Asked(top=self.path / "repository", loaded=self.stage), **changes)  # type: ignore[arg-type]

    def means(self) -> Means:
        def reach(host: Host, words: str) -> Reach:
            link = Lost(self.path / host.name, words + self.server, host.name)
            link.left = self.left
            return link

        workshop = Workshop(self.path / "cache")
        return Means(Here(), reach, self.said.append, lambda _: workshop, "ann@desk")

    def deploy(self, flow: Flow = FLOW) -> Outcome:
        self.commit()
        return deploy(self.asked(), self.means(), flow=flow)

    def rollback(self, to: str = "") -> Outcome:
        return go_back(self.asked(), self.means(), to, flow=BACK)

    def recover(self) -> Outcome:
        """One recover, begun as soon as what the lost run had on the hosts is gone."""
        until = time.monotonic() + 10
        while True:
            try:
                return recover(self.asked(), self.means())
            except Locked as locked:
                if not locked.alive or time.monotonic() > until:
                    raise
            time.sleep(0.05)

    def commit(self) -> None:
        page = self.path / "repository" / "page.html"
        page.write_text(page.read_text() + "more\n" if page.exists() else "page\n")
        self.git("add", "-A")
        self.git("commit", "-qm", "More")

    def git(self, *argv: str) -> None:
        name = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com")
        subprocess.run(["git", *name, *argv], cwd=self.path / "repository", check=True)

    def notes(self) -> str:
        return "\n".join(event.text for event in self.said if isinstance(event, Note))


def without_web1(fleet: Fleet) -> Means:
    """The same hosts, of which one cannot be reached."""
    reach = fleet.means().reach

    class Away(LocalLink):
        def open(self) -> None:
            raise Refused(f"{self.name}: no route to host")

    def web1_is_away(host: Host, words: str) -> Reach:
        return Away(fleet.path / "web1", "", "web1") if host.name == "web1" else reach(host, words)

    return replace(fleet.means(), reach=web1_is_away)
