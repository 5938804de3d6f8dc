"""The switch itself, the proof that visitors got it, and the way back."""

from collections.abc import Iterator

from deploy.command import Action, Command
from deploy.host import CODE, Host
from deploy.release import Release
from deploy.steps import Phase, Target, step, word
from deploy.steps.server import balancer, come_back
from deploy.steps.services import restarted, still_at_work
from deploy.steps.slots import pages, still_warm

IN_A_ROW = 5
"""How many answers in a row must come from the new release."""


def reloaded(
    host: Host, release: str | None, made: Release | None = None, *, back: bool = False
) -> Iterator[Command]:
    """In embedded mode, let Apache's own processes load what is live now; else nothing.

    Behind a load balancer (web.drain) the host is left alone by visitors meanwhile. Without one a
    graceful reload can fail a request: see docs/apache.md.
    """
    project, web = host.project, host.project.web
    if not project.embedded or "web" not in host.roles:
        return
    name, port, seconds = web.server_name or "localhost", str(web.port), web.start_timeout
    around = ("drained", *balancer(host)) if web.drain else ()
    ask = (str(seconds), port, name, pages(project, made)[0], "ask_back" if back else "ask")
    words = (*around, "reload_embedded", project.root, project.name, release or "", *ask)
    yield word(*words, quiet_limit=120.0 + seconds + 2 * web.drain)


def verified(
    host: Host, kind: str, release: str, made: Release | None = None, *, back: bool = False
) -> Iterator[Action]:
    """Ask the host, as a visitor would, whether it answers from that release.

    One that is put `back` may refuse the request, as one of another host name than its own: it has
    to answer, and be the one that was live.
    """
    project = host.project
    if kind == "static":
        name = project.static.server_name or "localhost"
        yield word("ask_static", str(project.static.port), name, release)
    elif "web" in host.roles:
        name, port = project.web.server_name or "localhost", str(project.web.port)
        asks = "ask_back" if back else "ask"
        yield word(asks, port, name, release, str(IN_A_ROW), pages(project, made)[0])


def _back(t: Target) -> Iterator[Action]:
    old = t.found.web.current
    if old is None:
        yield word("unswitch", t.layout.root)
        yield from reloaded(t.host, None)
        yield from still_at_work(t.host)
    else:
        made = _made(t, old)
        yield word("switch", t.layout.root, old)
        yield from restarted(t.host, old, lenient=True)
        yield from reloaded(t.host, old, made, back=True)
        yield from verified(t.host, "web", old, made, back=True)


def _made(t: Target, release: str) -> Release | None:
    return t.found.web.complete.get(release)


@step(
    "web.activate",
    roles=CODE,
    phase=Phase.COMMIT,
    undo=_back,
    rolling=True,
)
def activate(t: Target) -> Iterator[Action]:
    """switch by one rename, and see the public site answer from the new release"""
    if "web" in t.host.roles:
        yield still_warm(t)
        yield word("mark_slot", t.layout.root, t.code.id, t.found.idle_slot)
    yield word("switch", t.layout.root, t.code.id)
    made = _made(t, t.code.id)
    yield from restarted(t.host, t.code.id, made)
    yield from reloaded(t.host, t.code.id, made)
    yield from verified(t.host, "web", t.code.id, made)
    reloads = t.project.embedded and t.project.web.drain
    if t.found.draining and "web" in t.host.roles and not reloads:
        yield from come_back(t.host)  # which it could not while what was live did not answer


def _back_to_slot(t: Target) -> Iterator[Action]:
    yield word("mark_slot", t.layout.root, t.code.id, t.found.live_slot)
    yield from reloaded(t.host, t.code.id, _made(t, t.code.id))
    yield from verified(t.host, "web", t.code.id, _made(t, t.code.id))


@step(
    "web.change-slot",
    roles=("web",),
    phase=Phase.COMMIT,
    undo=_back_to_slot,
    rolling=True,
)
def change_slot(t: Target) -> Iterator[Action]:
    """move visitors to the fresh processes of the same release"""
    yield still_warm(t)
    yield word("mark_slot", t.layout.root, t.code.id, t.found.idle_slot)
    yield from reloaded(t.host, t.code.id, _made(t, t.code.id))
    yield from verified(t.host, "web", t.code.id, _made(t, t.code.id))


@step("apache.check", roles=("web",), needs=("curl",))
def check(t: Target) -> Iterator[Action]:
    """ask the public site whether it answers from the live release"""
    yield from verified(t.host, "web", t.code.id, _made(t, t.code.id))
