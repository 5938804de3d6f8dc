"""A page in place of the site, for work that visitors must not meet, and its taking away."""

from collections.abc import Sequence
from pathlib import Path

from deploy.asked import Asked
from deploy.command import Command
from deploy.consent import must_consent
from deploy.errors import Interrupted, PrepareFailed, Refused
from deploy.fleet import Fleet
from deploy.host import Host
from deploy.means import Means, on_hosts
from deploy.outcome import Outcome
from deploy.report import Note
from deploy.signals import deferred
from deploy.stage import Stage
from deploy.webserver import maintenance_page

LARGEST = 256 * 1024
"""Bytes a page of one's own may have: it is sent to every visitor, all day if need be."""


def put_up(asked: Asked, means: Means, reason: str, until: str, page: str) -> Outcome:
    """Every web host answers 503 with a page until `take_down`; a deploy goes on behind it.

    All hosts show it, or none: where one does not, the others get back what they had, which may
    be an earlier page.
    Raises Refused for a reason or a page that cannot be shown or if the operator does not agree,
    PrepareFailed naming the hosts.
    """
    for text in (reason, until):
        if text and not text.isprintable():
            raise Refused("reason and until are one line each: visitors read them")
    stage = asked.load()
    html = read_page(page) if page else maintenance_page(stage.project, reason, until)
    why = f"by {means.who}: {reason or 'no reason given'}{f', until {until}' if until else ''}"
    what = f"{stage.project.name} on {stage.name}: a page in place of the site"
    must_consent(stage, asked, (what,))
    with on_hosts(asked, means, stage, _web_hosts(asked, stage)) as fleet:
        try:
            with deferred():
                said = fleet.each_left(lambda host: _on(host, why, html))
        except KeyboardInterrupt:
            stays = _taken_back(fleet)
            raise Interrupted(f"stopped by you; {_what_is_up(stays)}", _next(stays)) from None
        failed = [f"{name}: {one.output.strip()}" for name, one in said.items() if not one.ok]
        if failed:
            stays = _taken_back(fleet)
            older = "fab apache.configure, if the vhost is older than this command"
            what = "\n  ".join((f"{_what_is_up(stays)}:", *failed))
            raise PrepareFailed(what, hint=_next(stays) or older)
    for name in said:
        means.emit(Note(f"{name}: visitors get the page; static files and uploads are served"))
    return Outcome()


def _taken_back(fleet: Fleet) -> list[str]:
    """The hosts on which it is not known what visitors get."""
    return [name for name, one in fleet.each_left(_back).items() if not one.ok]


def _what_is_up(stays: Sequence[str]) -> str:
    if stays:
        return f"the new page is perhaps still up on {', '.join(stays)}"
    return "the new page is up on no host"


def _next(stays: Sequence[str]) -> str:
    return "fab maintenance.off, once they are back" if stays else ""


def take_down(asked: Asked, means: Means) -> Outcome:
    """Visitors get the live release again. Raises PrepareFailed naming where that failed."""
    stage = asked.load()
    with on_hosts(asked, means, stage, _web_hosts(asked, stage)) as fleet:
        said = fleet.each_left(_off)
    for name, one in said.items():
        means.emit(Note(f"{name}: {one.output.strip()}"))
    failed = [name for name, one in said.items() if not one.ok]
    if failed:
        raise PrepareFailed(f"the page is still up on {', '.join(failed)}", "fab maintenance.off")
    return Outcome()


def _web_hosts(asked: Asked, stage: Stage) -> tuple[Host, ...]:
    hosts = tuple(host for host in asked.select(stage, ("web",)) if "web" in host.roles)
    if not hosts:
        raise Refused("none of the selected hosts is a web host: only those show the page")
    return hosts


def read_page(page: str) -> str:
    """The HTML in that file. Raises Refused if it is not there, not text, empty or too large."""
    try:
        text = Path(page).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"the page cannot be read: {error}") from None
    if not text.strip() or len(text.encode()) > LARGEST:
        raise Refused(f"{page} is empty, or larger than {LARGEST // 1024} KiB")
    return text


def _on(host: Host, why: str, html: str) -> Command:
    project = host.project
    name = project.web.server_name or "localhost"
    words = ("maintenance_on", project.root, why, str(project.web.port), name)
    return Command(words, stdin=html, changes=False)


def _back(host: Host) -> Command:
    return Command(("maintenance_back", host.project.root), changes=False)


def _off(host: Host) -> Command:
    return Command(("maintenance_off", host.project.root), changes=False)
