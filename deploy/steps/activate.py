"""The switch itself, the proof that visitors got it, and the way back."""

from collections.abc import Iterator

from deploy.command import Action
from deploy.host import CODE, Host
from deploy.steps import Phase, Target, step, word
from deploy.steps.services import restarted
from deploy.steps.slots import still_warm

IN_A_ROW = 5
"""How many answers in a row must come from the new release."""


def reloaded(host: Host, release: str | None) -> Iterator[Action]:
    """In embedded mode, let Apache's own processes load what is live now; else nothing.

    Behind a load balancer (web.drain) the host is left alone by visitors meanwhile. Without one a
    graceful reload can fail a request: see docs/apache.md.
    """
    project, web = host.project, host.project.web
    if not project.embedded or "web" not in host.roles:
        return
    name, port, seconds = web.server_name or "localhost", str(web.port), web.start_timeout
    around = ("drained", project.root, str(web.drain), port, name) if web.drain else ()
    ask = (str(seconds), port, name, web.health)
    words = (*around, "reload_embedded", project.root, project.name, release or "", *ask)
    yield word(*words, quiet_limit=120.0 + seconds + 2 * web.drain)


def verified(host: Host, kind: str, release: str) -> Iterator[Action]:
    """Ask the host, as a visitor would, whether it answers from that release."""
    project = host.project
    if kind == "static":
        name = project.static.server_name or "localhost"
        yield word("ask_static", str(project.static.port), name, release)
    elif "web" in host.roles:
        name = project.web.server_name or "localhost"
        port = str(project.web.port)
        yield word("ask", port, name, release, str(IN_A_ROW), project.web.health)


def _back(t: Target) -> Iterator[Action]:
    old = t.found.web.current
    if old is None:
        yield word("unswitch", t.layout.root)
        yield from reloaded(t.host, None)
    else:
        yield word("switch", t.layout.root, old)
        yield from restarted(t.host, old)
        yield from reloaded(t.host, old)
        yield from verified(t.host, "web", old)


@step(
    "web.activate",
    roles=CODE,
    phase=Phase.COMMIT,
    undo=_back,
    rolling=True,
    drains=True,
)
def activate(t: Target) -> Iterator[Action]:
    """switch by one rename, and see the public site answer from the new release"""
    if "web" in t.host.roles:
        yield still_warm(t)
        yield word("mark_slot", t.layout.root, t.code.id, t.found.idle_slot)
    yield word("switch", t.layout.root, t.code.id)
    yield from restarted(t.host, t.code.id)
    yield from reloaded(t.host, t.code.id)
    yield from verified(t.host, "web", t.code.id)


def _back_to_slot(t: Target) -> Iterator[Action]:
    yield word("mark_slot", t.layout.root, t.code.id, t.found.live_slot)
    yield from reloaded(t.host, t.code.id)
    yield from verified(t.host, "web", t.code.id)


@step(
    "web.change-slot",
    roles=("web",),
    phase=Phase.COMMIT,
    undo=_back_to_slot,
    rolling=True,
    drains=True,
)
def change_slot(t: Target) -> Iterator[Action]:
    """move visitors to the fresh processes of the same release"""
    yield still_warm(t)
    yield word("mark_slot", t.layout.root, t.code.id, t.found.idle_slot)
    yield from reloaded(t.host, t.code.id)
    yield from verified(t.host, "web", t.code.id)


@step("apache.check", roles=("web",), needs=("curl",))
def check(t: Target) -> Iterator[Action]:
    """ask the public site whether it answers from the live release"""
    yield from verified(t.host, "web", t.code.id)
