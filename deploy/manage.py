"""What people run on the hosts: management commands, shell lines, a terminal, and the logs."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from deploy.asked import Asked
from deploy.command import Command, OnLine
from deploy.errors import CommandFailed, Refused
from deploy.fleet import Fleet
from deploy.host import Host
from deploy.means import Means, on_hosts
from deploy.outcome import Outcome
from deploy.output import Lines
from deploy.parallel import in_parallel
from deploy.reach import LinkLost
from deploy.release import Layout, checked_id
from deploy.report import Fact, Printed
from deploy.stage import Stage
from deploy.webserver import log_files

MANAGE_QUIET = 3600.0
"""Seconds a command may be silent: reports and imports take their time."""
FOLLOW_QUIET = 7 * 86400.0
"""The same for a log in which nothing happens."""


def manage(asked: Asked, means: Means, stdin: str | None = None, release: str = "") -> Outcome:
    """Run what stands behind `--` on the db primary, or on each host that -R or -H selects.

    On one host, with a terminal here, the command has it, unless it is given `stdin`. It is one of
    `release`, or of what is live. Raises Refused if nothing stands there or a host does not have
    that release, CommandFailed with the command's own exit code.
    """
    words, release = asked.rest, checked_id(release) if release else ""
    if not words:
        raise Refused("which command?", hint="fab manage -- showmigrations")
    stage = asked.load()
    hosts = asked.select(stage, ("db",) if stage.role("db") else ("web",))
    if not asked.roles and not asked.hosts:
        hosts = hosts[:1]

    def command(host: Host) -> Command:
        return _command(host, release, words, stdin)

    if len(hosts) == 1 and means.terminal and not asked.json and stdin is None:
        if release:
            with on_hosts(asked, means, stage, hosts) as fleet:
                _must_have(release, fleet)
        return _ended(words[0], {hosts[0].name: means.terminal(hosts[0], command(hosts[0]))})
    with on_hosts(asked, means, stage, hosts) as fleet:
        _must_have(release, fleet)
        codes = _streamed(asked, means, stage, fleet, command)
    return _ended(words[0], codes)


def _must_have(release: str, fleet: Fleet) -> None:
    found = fleet.look()
    trees = {host.name: found[host.name].web for host in fleet.hosts}
    if without := [name for name, tree in trees.items() if not (release or tree.current)]:
        raise Refused(f"no release is live on {', '.join(without)}", hint="fab deploy")
    if without := [
        name for name, tree in trees.items() if release and release not in tree.complete
    ]:
        raise Refused(f"there is no release {release} on {', '.join(without)}", hint="fab releases")


def run(asked: Asked, means: Means) -> Outcome:
    """Run the shell line behind `--` on each host that -R or -H selects, as the deploying user.

    Raises Refused without a line or a selection, CommandFailed with the line's own exit code.
    """
    line = " ".join(asked.rest)
    if not line or not (asked.roles or asked.hosts or asked.exclude):
        raise Refused("which command, and on which hosts?", hint="fab -R web run -- uptime")
    stage = asked.load()
    command = Command(("sh", "-c", line), quiet_limit=MANAGE_QUIET, changes=False)
    return _ended(line, _on_each(asked, means, stage, asked.select(stage), lambda _host: command))


def shell(asked: Asked, means: Means) -> Outcome:
    """Open the deploying user's shell on one host, in the site's directory.

    Raises Refused if -R and -H select several, or if there is no terminal here.
    """
    hosts = asked.select(asked.load())
    if len(hosts) != 1:
        names = ", ".join(host.name for host in hosts)
        raise Refused(f"one terminal, but {names}", hint=f"fab -H {hosts[0].name} shell")
    if not means.terminal:
        raise Refused("there is no terminal here", hint=f"fab -H {hosts[0].name} run -- COMMAND")
    argv = ("sh", "-c", 'exec "${SHELL:-/bin/sh}" -l')
    means.terminal(hosts[0], Command(argv, cwd=hosts[0].project.root, changes=False))
    return Outcome()


def logs(asked: Asked, means: Means, lines: int, *, follow: bool, access: bool) -> Outcome:
    """Show the last lines of Apache's error log, or access log, of each web host.

    With `follow` also those that come, until Ctrl-C. Raises CommandFailed if one cannot be read.
    """
    stage = asked.load()
    hosts = tuple(host for host in asked.select(stage, ("web",)) if "web" in host.roles)
    if not hosts:
        raise Refused("none of the selected hosts is a web host: only those have these logs")
    words = ("tail", "-n", str(max(0, lines)), *(("-F",) if follow else ()))

    def command(host: Host) -> Command:
        error_log, access_log = log_files(host.project)
        argv = (*words, access_log if access else error_log)
        return Command(argv, quiet_limit=FOLLOW_QUIET if follow else 60.0, changes=False)

    codes = _on_each(asked, means, stage, hosts, command)
    hint = "as root there: usermod --append --groups adm USER lets who deploys read Apache's logs"
    return _ended("tail", codes, hint)


def _on_each(
    asked: Asked,
    means: Means,
    stage: Stage,
    hosts: Sequence[Host],
    command: Callable[[Host], Command],
) -> dict[str, int]:
    with on_hosts(asked, means, stage, hosts) as fleet:
        return _streamed(asked, means, stage, fleet, command)


def _streamed(
    asked: Asked, means: Means, stage: Stage, fleet: Fleet, command: Callable[[Host], Command]
) -> dict[str, int]:
    """The exit code on each host; lines are shown as they come, with their host if not alone."""
    alone = len(fleet.hosts) == 1

    def tell(host: Host, line: str) -> None:
        if asked.json:
            means.emit(Fact(host.name, {"event": "output", "host": host.name, "text": line}))
        else:
            means.emit(Printed(f"{line}\n" if alone else f"[{host.name}] {line}\n"))

    def hearing(host: Host, lines: Lines) -> OnLine:
        if not means.passes_on:
            return lambda line: tell(host, line)
        if alone and not asked.json:
            return lambda piece: means.emit(Printed(piece))
        return lines.add

    def one(host: Host) -> int:
        lines = Lines(lambda line: tell(host, line))
        asked_for = replace(command(host), whole=means.passes_on)
        try:
            return fleet.execute(host.name, asked_for, hearing(host, lines)).exit_code
        except LinkLost as lost:
            what = f"{lost.what}; it is not known how the command ended"
            raise Refused(what, "fab status") from None
        finally:
            lines.end()

    codes = in_parallel(fleet.hosts, one, stage.parallel)
    return {host.name: code for host, code in zip(fleet.hosts, codes, strict=True)}


def _ended(what: str, codes: dict[str, int], hint: str = "") -> Outcome:
    """Raises CommandFailed unless all went well; with one exit code for all, that is ours."""
    failed = {name: code for name, code in codes.items() if code}
    if failed:
        said = ", ".join(f"{name} (exit code {code})" for name, code in failed.items())
        code = next(iter(failed.values())) if len(set(failed.values())) == 1 else 1
        raise CommandFailed(f"{what} failed on {said}", hint, exit_code=code)
    return Outcome()


def _command(host: Host, release: str, words: tuple[str, ...], stdin: str | None) -> Command:
    layout = Layout(host.project.root)
    folder = layout.release(release) if release else layout.current
    python = f"{folder}/venv/bin/python"
    argv = (python, f"{layout.entry}/run.py", layout.root, release or "current", *words)
    return Command(argv, cwd=folder, stdin=stdin or "", quiet_limit=MANAGE_QUIET, changes=False)
