"""The web servers' own configuration: written when it changed, tested before it is used."""

import hashlib
from collections.abc import Iterator

from deploy.command import Action
from deploy.steps import Target, step, word
from deploy.webserver import apache_site, static_site


def _configure(t: Target, server: str, text: str) -> Iterator[Action]:
    digest = hashlib.sha256(text.encode()).hexdigest()
    if t.found.installed.get(server) != digest:
        yield word("configure_server", server, t.project.name, t.layout.root, digest, stdin=text)


@step("apache.configure", roles=("web",), needs=("sudo",))
def apache(t: Target) -> Iterator[Action]:
    """write the site's vhost, if it changed, and test it"""
    yield from _configure(t, "apache", apache_site(t.project))


@step("static.configure", roles=("static",), needs=("sudo",))
def static_server(t: Target) -> Iterator[Action]:
    """write the static server's vhost, if it changed, and test it"""
    yield from _configure(t, t.project.static.server, static_site(t.project))
