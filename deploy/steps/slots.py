"""The warm slots: the release is loaded in the idle one and asked there, before visitors see it."""

from collections.abc import Iterator

from deploy.command import Action, Command
from deploy.project import Project
from deploy.release import Release
from deploy.steps import Phase, Target, step, word
from deploy.steps.server import changes_vhost, patience, reloadable, slot_words
from deploy.webserver import SLOTS


def private_port(t: Target, slot: str) -> str:
    """The loopback port on which a slot answers, whichever of them is live."""
    return str(t.project.web.private_ports[SLOTS.index(slot)])


def _in_slot(word_: str, project: Project, slot: str, release: str) -> Command:
    words = slot_words(project, slot, release)
    return word(word_, *words, quiet_limit=2.0 * patience(project) + 30.0)


def ensured(project: Project, slot: str, release: str) -> Command:
    """See that a release, live or not, has its processes in its slot."""
    return _in_slot("ensure_slot", project, slot, release)


def still_warm(t: Target) -> Command:
    """See that all processes of the idle slot are there, or wait for those that came anew.

    Between warming and the switch a process may have died, or somebody restarted Apache.
    """
    return _in_slot("wait_slot", t.project, t.found.idle_slot, t.code.id)


def pages(project: Project, made: Release | None) -> tuple[str, ...]:
    """What is asked of a release, first what tells whether it is well.

    One that was `made` before is not asked for what only newer ones have: settings may be ahead.
    """
    wanted = (project.web.health, *project.web.warm)
    if made is None or not made.pages:
        return wanted
    return tuple(page for page in wanted if page in made.pages) or made.pages[:1]


def _asked(t: Target) -> Iterator[Action]:
    name = t.project.web.server_name or "localhost"
    port = private_port(t, t.found.idle_slot)
    asked = pages(t.project, t.found.web.complete.get(t.code.id))
    yield word("ask", port, name, t.code.id, "1", *asked, quiet_limit=90.0)


def migrates(t: Target) -> bool:
    """Whether the database is in the hands of this run at all."""
    return any("db" in host.roles and host.project.db.migrate for host, _ in t.fleet)


def schema_may_change(t: Target) -> bool:
    """Whether migrations will run, either way, so that pages may fail until they did."""
    if t.source is None:
        return t.back is not None
    for host, found in t.fleet:
        if "db" in host.roles and host.project.db.migrate:
            return found.migrated != t.code.migrations
    return False


@step("web.load", roles=("web",), needs=("sudo",))
def load(t: Target) -> Iterator[Action]:
    """let the idle slot begin anew, and load the release as soon as it is complete"""
    # A vhost that changes restarts these processes anyway, so the release is loaded after that.
    if not changes_vhost(t) and not t.project.embedded:
        yield _in_slot("load_slot", t.project, t.found.idle_slot, t.code.id)


@step("web.warm", roles=("web",), needs=("sudo", "curl"))
def warm(t: Target) -> Iterator[Action]:
    """load the release in the idle slot, and ask it there"""
    yield from reloadable(t)
    yield _in_slot("start_slot", t.project, t.found.idle_slot, t.code.id)
    if t.source is not None and migrates(t) and not schema_may_change(t):
        yield word("no_migrations_pending", t.layout.root, t.found.idle_slot)
    if not schema_may_change(t):
        yield from _asked(t)


@step("web.refresh", roles=("web",), needs=("sudo", "curl"))
def refresh(t: Target) -> Iterator[Action]:
    """load the live release anew in the idle slot, and ask it there"""
    yield from reloadable(t)
    yield _in_slot("restart_in_slot", t.project, t.found.idle_slot, t.code.id)
    yield from _asked(t)


@step("web.ask", roles=("web",), phase=Phase.COMMIT)
def ask_again(t: Target) -> Iterator[Action]:
    """ask the warm release again, now that the database is migrated"""
    if schema_may_change(t):
        yield from _asked(t)
