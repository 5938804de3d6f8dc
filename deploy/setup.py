"""Hosts before the first release: what root does once, and what the deploy user does then."""

import secrets
import shlex
from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files

from deploy.asked import Asked
from deploy.command import Command
from deploy.consent import must_consent
from deploy.errors import Refused
from deploy.flow import SETUP
from deploy.host import Host, runs_code
from deploy.main import on_hosts_alone
from deploy.means import Means, on_hosts
from deploy.outcome import Outcome
from deploy.report import Note
from deploy.stage import Stage

ROOT_FILES = ("prepare-host.sh", "deploy-root")


def root_script(hosts: Sequence[Host]) -> str:
    """A shell script for root that prepares one of these hosts, which are of one kind.

    It carries deploy-root with it, so that `fab -H HOST setup --script | ssh root@HOST sh` is
    enough. Raises Refused if they are not: each is to get no more than it needs.
    """
    kinds = {
        (
            host.roles,
            host.project.static.server,
            host.project.services.units,
            host.project.apache.mode,
            host.project.tls,
            host.project.root,
            host.project.web.group,
            host.ssh.user,
        ): host.name
        for host in hosts
    }
    if len(kinds) > 1:
        raise Refused(
            "the selected hosts differ in what they need, so each kind gets a script of its own",
            hint=f"fab -H {hosts[0].name} setup --script | ssh root@{hosts[0].address} sh",
        )
    roles = ",".join(hosts[0].roles)
    user = next((host.ssh.user for host in hosts if host.ssh.user), "deploy")
    project = hosts[0].project
    options = {
        "--name": project.name,
        "--root": project.root,
        "--user": user,
        "--group": project.web.group,
        "--roles": roles,
    }
    if "web" in hosts[0].roles and project.embedded:
        options["--mode"] = "embedded"
    if "static" in hosts[0].roles:
        options["--static-server"] = project.static.server
    if "worker" in hosts[0].roles and project.services.units:
        options["--units"] = ",".join(project.services.units)
    flags = " --tls" if "web" in hosts[0].roles and project.tls else ""
    lines = ["set -eu", "d=$(mktemp -d)", "trap 'rm -rf \"$d\"' EXIT"]
    for name in ROOT_FILES:
        text = (files("deploy") / "templates" / name).read_text()
        lines += [f"cat >\"$d/{name}\" <<'END-OF-{name}'", text.rstrip("\n"), f"END-OF-{name}"]
    words = " ".join(f"{option} {shlex.quote(value)}" for option, value in options.items())
    lines.append(f'sh "$d/prepare-host.sh" {words}{flags}')
    return "\n".join(lines) + "\n"


def setup(asked: Asked, means: Means) -> Outcome:
    """Put the WSGI entry, a secret environment and the vhosts on hosts that root has prepared."""
    if not asked.dry:
        stage = asked.load()
        names = ", ".join(host.name for host in asked.select(stage))
        must_consent(stage, asked, (f"{stage.project.name} on {stage.name}: prepare {names}",))
        asked = replace(asked, agreed=True)
        _make_environment(asked, means, stage)
    return on_hosts_alone(asked, means, SETUP)


def _make_environment(asked: Asked, means: Means, stage: Stage) -> None:
    secret = secrets.token_urlsafe(50)  # one for all: hosts must understand each other's cookies
    selected = asked.select(stage)
    others = [host for host in stage.hosts if host not in selected and runs_code(host.roles)]
    with on_hosts(asked, means, stage, (*selected, *others)) as fleet:
        has = fleet.each(lambda host: Command(("digest_env", host.project.root), changes=False))
        given = sorted(name for name, result in has.items() if result.output.strip())
        said = fleet.each(lambda host: _make_env(host, secret, given, selected))
    for name, result in said.items():
        if result.output.strip():
            means.emit(Note(f"{name}: {result.output.strip()}"))


def _make_env(host: Host, secret: str, given: Sequence[str], selected: Sequence[Host]) -> Command:
    """Makes a SECRET_KEY if no host has one: a host with its own would throw visitors out."""
    root, group = host.project.root, host.project.web.group
    if host not in selected or host.name in given or not runs_code(host.roles):
        return Command(("true",), changes=False)
    if given:
        says = f"no {root}/shared/env was made: {given[0]} has one, so it must be the same here"
        hint = f"fab -H {host.name} env.push --file FILE, with that of {given[0]}"
        return Command(("echo", f"{says}: {hint}"), changes=False)
    return Command(("make_env", root, group), stdin=f"SECRET_KEY={secret}\n", changes=False)
