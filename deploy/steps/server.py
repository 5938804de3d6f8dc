"""The web servers' own configuration: written when it changed, tested before it is used."""

import hashlib
from collections.abc import Iterator

from deploy.command import Action, Command
from deploy.host import Host
from deploy.project import Project
from deploy.steps import Target, attempt, step, word
from deploy.webserver import apache_site, static_site


def _differs(t: Target, server: str, text: str) -> bool:
    return t.found.installed.get(server) != hashlib.sha256(text.encode()).hexdigest()


def changes_vhost(t: Target) -> bool:
    """Whether Apache is given another configuration of the site, and reloads."""
    return _differs(t, "apache", apache_site(t.project))


def slot_words(project: Project, slot: str, release: str) -> tuple[str, ...]:
    """What the words have to know that wait for a slot to have loaded a release."""
    processes, seconds = str(project.slot_processes), str(patience(project))
    return project.root, project.name, slot, release, processes, seconds


def patience(project: Project) -> int:
    """Seconds that processes may take to begin: those before them may have to end a request."""
    return project.web.start_timeout + project.web.request_timeout


def reloadable(t: Target) -> Iterator[Action]:
    """In embedded mode, see that this host lets the deploy user reload Apache."""
    if t.project.embedded:
        yield word("may_reload", t.project.name)


def balancer(host: Host) -> tuple[str, ...]:
    """What the words have to know that tell a load balancer to leave the host, or to come back."""
    web = host.project.web
    return host.project.root, str(web.drain), str(web.port), web.server_name or "localhost"


def come_back(host: Host) -> Iterator[Command]:
    """Let the load balancer send visitors again, once the site answers."""
    yield word("come_back", *balancer(host), quiet_limit=60.0 + host.project.web.drain)


STAYS = (
    "the web server's changed configuration stays where it was installed: apache.configure and"
    " static.configure of an older revision install the one before"
)


@step("apache.configure", roles=("web",), needs=("sudo",), leaves=STAYS, rolling=True)
def apache(t: Target) -> Iterator[Action]:
    """write the site's vhost, if it changed, and test it"""
    if changes_vhost(t):
        yield from reloadable(t)  # before anything is changed
        yield _changed(t)
    if t.found.draining:  # by a run that was cut off; a site that does not answer is mended first
        yield from map(attempt, come_back(t.host))


def _changed(t: Target) -> Action:
    project, live, text = t.project, t.found.web.current, apache_site(t.project)
    if live is None:
        return word("configure_server", "apache", project.name, stdin=text)
    words = ("configure_site", *slot_words(project, t.found.live_slot, live))
    around = ("drained", *balancer(t.host)) if project.web.drain else ()
    limit = 150.0 + patience(project) + 2 * project.web.drain
    return word(*around, *words, stdin=text, quiet_limit=limit)


@step("static.configure", roles=("static",), needs=("sudo",), leaves=STAYS)
def static_server(t: Target) -> Iterator[Action]:
    """write the static server's vhost, if it changed, and test it"""
    server, text = t.project.static.server, static_site(t.project)
    if _differs(t, server, text):
        yield word("configure_server", server, t.project.name, stdin=text)
