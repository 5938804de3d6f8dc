"""A web server's configuration by itself: what would change is shown, and asked about, first."""

import difflib
import sys
from collections.abc import Mapping, Sequence

from deploy.asked import Asked
from deploy.command import Command
from deploy.errors import Refused
from deploy.flow import Flow
from deploy.host import Host
from deploy.main import on_hosts_alone
from deploy.means import Means, on_hosts
from deploy.outcome import Outcome
from deploy.reach import only_looking
from deploy.report import Note
from deploy.webserver import apache_site, static_site


def configure(asked: Asked, means: Means, flow: Flow) -> Outcome:
    """Show how the configuration of the hosts differs, ask at a terminal, and install it.

    Where nothing differs nobody is asked and nothing is reloaded. Raises Refused if the answer is
    no, PrepareFailed if a server does not accept it; then it has its old one back.
    """
    stage = asked.load()
    hosts = [host for host in asked.select(stage, flow.roles) if set(flow.roles) & set(host.roles)]
    with on_hosts(asked, means, stage, hosts) as fleet, only_looking():
        said = fleet.each(lambda host: _shown(host, flow))
        changes = {h.name: difference(said[h.name].output, _site(h, flow)[2]) for h in fleet.hosts}
    for text, names in by_text(changes).items():
        for line in (text or "nothing differs, so nothing is reloaded").splitlines():
            means.emit(Note(f"{', '.join(names)}: {line}"))
    if any(changes.values()) and not asked.dry:
        _must_agree(asked)
    return on_hosts_alone(asked, means, flow)


def text(hosts: Sequence[Host], flow: Flow) -> str:
    """The file that belongs on these hosts, for whoever installs it by hand.

    Raises Refused if none of them has such a server, or if they need different ones.
    """
    texts = {_site(host, flow)[2]: host.name for host in hosts if set(flow.roles) & set(host.roles)}
    if len(texts) != 1:
        what = "need different files" if texts else "have no such server"
        names = ", ".join(host.name for host in hosts)
        raise Refused(f"the selected hosts {what}: {names}", hint="-H HOST names one")
    return next(iter(texts))


def _shown(host: Host, flow: Flow) -> Command:
    server, name, _ = _site(host, flow)
    return Command(("show_server", server, name), changes=False)


def _site(host: Host, flow: Flow) -> tuple[str, str, str]:
    """The server, the name of the site, and what its file should be."""
    project = host.project
    if "web" in flow.roles:
        return "apache", project.name, apache_site(project)
    return project.static.server, project.name, static_site(project)


def difference(installed: str, new: str) -> str:
    """What changes, as `diff -u` shows it; empty if nothing does."""
    return "\n".join(
        difflib.unified_diff(
            installed.splitlines(),
            new.splitlines(),
            "installed" if installed else "nothing is installed",
            "new",
            n=2,
            lineterm="",
        )
    )


def by_text(changes: Mapping[str, str]) -> dict[str, list[str]]:
    """The hosts with the same difference, so that a fleet is shown it once."""
    names: dict[str, list[str]] = {}
    for host, text in changes.items():
        names.setdefault(text, []).append(host)
    return names


def _must_agree(asked: Asked) -> None:
    if asked.yes or not sys.stdin.isatty():
        return
    sys.stderr.write("Install this, and reload? Type yes to go on: ")
    sys.stderr.flush()
    if sys.stdin.readline().strip() != "yes":
        raise Refused("not confirmed: nothing was changed")
