"""The web servers' own configuration: written when it changed, tested before it is used."""

import hashlib
from collections.abc import Iterator

from deploy.command import Action
from deploy.steps import Target, step, word
from deploy.webserver import apache_site, static_site


def _differs(t: Target, server: str, text: str) -> bool:
    return t.found.installed.get(server) != hashlib.sha256(text.encode()).hexdigest()


def changes_vhost(t: Target) -> bool:
    """Whether Apache is given another configuration of the site, and reloads."""
    return _differs(t, "apache", apache_site(t.project))


def _configure(t: Target, server: str, text: str, around: tuple[str, ...] = ()) -> Iterator[Action]:
    if _differs(t, server, text):
        words = (*around, "configure_server", server, t.project.name)
        yield word(*words, stdin=text, quiet_limit=60.0 + 2 * t.project.web.drain)


def reloadable(t: Target) -> Iterator[Action]:
    """In embedded mode, see that this host lets the deploy user reload Apache."""
    if t.project.embedded:
        yield word("may_reload", t.project.name)


STAYS = (
    "the web server's changed configuration stays where it was installed: apache.configure and"
    " static.configure of an older revision install the one before"
)


@step("apache.configure", roles=("web",), needs=("sudo",), drains=True, leaves=STAYS)
def apache(t: Target) -> Iterator[Action]:
    """write the site's vhost, if it changed, and test it"""
    web = t.project.web
    outside = (t.layout.root, str(web.drain), str(web.port), web.server_name or "localhost")
    visited = web.drain and t.found.web.current
    if changes_vhost(t):
        yield from reloadable(t)  # before anything is changed
    yield from _configure(
        t, "apache", apache_site(t.project), ("drained", *outside) if visited else ()
    )
    if t.found.draining:  # by a run that was cut off
        yield word("come_back", *outside, quiet_limit=60.0 + web.drain)


@step("static.configure", roles=("static",), needs=("sudo",), leaves=STAYS)
def static_server(t: Target) -> Iterator[Action]:
    """write the static server's vhost, if it changed, and test it"""
    yield from _configure(t, t.project.static.server, static_site(t.project))
