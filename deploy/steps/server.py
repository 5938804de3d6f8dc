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


@step("apache.configure", roles=("web",), needs=("sudo",), drains=True)
def apache(t: Target) -> Iterator[Action]:
    """write the site's vhost, if it changed, and test it"""
    web = t.project.web
    outside = (t.layout.root, str(web.drain), str(web.port), web.server_name or "localhost")
    visited = web.drain and t.found.web.current
    yield from _configure(
        t, "apache", apache_site(t.project), ("drained", *outside) if visited else ()
    )
    if t.found.draining:  # by a run that was cut off
        yield word("come_back", *outside, quiet_limit=60.0 + web.drain)


@step("static.configure", roles=("static",), needs=("sudo",))
def static_server(t: Target) -> Iterator[Action]:
    """write the static server's vhost, if it changed, and test it"""
    yield from _configure(t, t.project.static.server, static_site(t.project))
