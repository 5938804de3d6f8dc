"""The backups of the database on its host: listed, and put back."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from deploy.asked import Asked
from deploy.choice import live_release
from deploy.command import Command
from deploy.consent import must_consent
from deploy.course import run_flow
from deploy.errors import Refused
from deploy.flow import restoring
from deploy.host import Host
from deploy.means import Means, on_hosts
from deploy.outcome import Outcome
from deploy.reach import only_looking
from deploy.release import Layout
from deploy.report import Fact, Note, Table
from deploy.report.plain import size
from deploy.stage import Stage
from deploy.steps.backup import NEVER

NAME = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9]{6}-[0-9a-f]+")
DATABASE = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,62}")
COLUMNS = ("backup", "made", "of release", "why", "database", "size")


def show(asked: Asked, means: Means) -> Outcome:
    """List the backups on the db primary, newest first."""
    stage = asked.load()
    host = _primary(stage)
    found = _listed(asked, means, stage, host)
    for backup in found if asked.json else ():
        means.emit(Fact(host.name, listed(host.name, backup)))
    if not found:
        means.emit(Note(f"{host.name} has no backup; fab db.backup makes one"))
    elif not asked.json:
        rows = tuple(_row(backup) for backup in found)
        means.emit(Table(f"backups on {host.name}", COLUMNS, rows))
    return Outcome()


def restore(asked: Asked, means: Means, name: str, into: str = "") -> Outcome:
    """Put a backup in the place of the data, or into another database, which must be empty.

    Raises Refused if there is no such backup, or if the operator does not agree.
    """
    _must_be(NAME, name, "the name of a backup, as fab db.list shows them")
    if into:
        _must_be(DATABASE, into, "a name for a database: letters, digits, _ and .")
    stage = asked.load()
    host = _primary(stage)
    backup = next((one for one in _listed(asked, means, stage, host) if one["name"] == name), None)
    if backup is None:
        raise Refused(f"{host.name} has no backup {name}: nothing was changed", hint="fab db.list")
    if not into and not asked.dry:
        what = f"The data of {stage.project.name} on {stage.name} becomes that of {backup['made']}."
        loses = "Whatever was written since is in no table any more; it is saved as a backup first."
        if stage.project.db.backup == NEVER:
            loses = 'Whatever was written since is LOST: db.backup is "never".'
        must_consent(replace(stage, confirm=True), asked, (what, loses))
    return run_flow(replace(asked, yes=True), means, stage, restoring(name, into), live_release)


def _must_be(pattern: re.Pattern[str], value: str, wanted: str) -> None:
    if not pattern.fullmatch(value):
        raise Refused(f"{value!r} is not {wanted}: nothing was changed")


def _primary(stage: Stage) -> Host:
    if not stage.role("db"):
        raise Refused(f"stage {stage.name} has no host of role db, which would hold backups")
    return stage.role("db")[0]


def _listed(asked: Asked, means: Means, stage: Stage, host: Host) -> list[Mapping[str, Any]]:
    layout = Layout(host.project.root)
    argv = (host.project.python, f"{layout.entry}/backups.py", layout.root)
    with on_hosts(asked, means, stage, (host,)) as fleet, only_looking():
        said = fleet.execute(host.name, Command(argv, changes=False), lambda _line: None)
    if not said.ok:
        raise Refused(
            f"{host.name} cannot list its backups: {said.output.strip()[-300:]}",
            hint="fab deploy, if nothing was released there by this version yet",
        )
    return [json.loads(line) for line in said.output.splitlines()]


def listed(host: str, backup: Mapping[str, Any]) -> dict[str, object]:
    """A backup on that host as scripts read of it."""
    facts = {key: value for key, value in backup.items() if key != "name"}
    return {"event": "backup", "backup": backup["name"], "host": host, **facts}


def _row(backup: Mapping[str, Any]) -> tuple[str, ...]:
    database = f"{backup['engine']} {backup['database']}"
    return (
        backup["name"],
        backup["made"],
        backup["release"],
        backup["why"],
        database,
        size(backup["size"]),
    )
