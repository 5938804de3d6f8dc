"""Management commands of the live release, with its settings and its secret environment."""

import shlex

from deploy.asked import Asked
from deploy.command import Command
from deploy.errors import DeployError, Refused
from deploy.host import Host
from deploy.means import Means, on_hosts
from deploy.outcome import Outcome
from deploy.parallel import in_parallel
from deploy.release import Layout
from deploy.report import Note

MANAGE_QUIET = 3600.0
"""Seconds a command may be silent: reports and imports take their time."""


def manage(asked: Asked, means: Means) -> Outcome:
    """Run what stands behind `--` on the db primary, or on each host that -R or -H selects.

    Raises Refused if nothing stands there or no release is live, DeployError if the command fails.
    """
    try:
        words = tuple(shlex.split(asked.rest))
    except ValueError as error:
        raise Refused(f"the command cannot be read: {error}") from None
    if not words:
        raise Refused("which command?", hint="fab manage -- showmigrations")
    stage = asked.load()
    hosts = asked.select(stage, ("db",) if stage.role("db") else ("web",))
    if not asked.roles and not asked.hosts:
        hosts = hosts[:1]
    with on_hosts(asked, means, stage, hosts) as fleet:
        found = fleet.look()
        without = [host.name for host in fleet.hosts if not found[host.name].web.current]
        if without:
            raise Refused(f"no release is live on {', '.join(without)}", hint="fab deploy")

        def one(host: Host) -> int:
            said = fleet.execute(host.name, _command(host, words), lambda line: tell(host, line))
            return said.exit_code

        def tell(host: Host, line: str) -> None:
            means.emit(Note(line if len(hosts) == 1 else f"[{host.name}] {line}"))

        codes = in_parallel(fleet.hosts, one, stage.parallel)
    failed = [host.name for host, code in zip(hosts, codes, strict=True) if code]
    if failed:
        raise DeployError(f"{words[0]} failed on {', '.join(failed)}")
    return Outcome()


def _command(host: Host, words: tuple[str, ...]) -> Command:
    layout = Layout(host.project.root)
    python = f"{layout.current}/venv/bin/python"
    argv = (python, f"{layout.entry}/run.py", layout.root, "current", *words)
    return Command(argv, cwd=layout.current, quiet_limit=MANAGE_QUIET, changes=False)
