"""`fab check`: every host is asked, the answers are judged, and people read what to write."""

import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from deploy.asked import Asked
from deploy.checks import ERROR, OFF, WARNING, Seen
from deploy.checks.judge import (
    OK,
    UNKNOWN,
    WAIVED,
    Result,
    counted,
    judge,
    question,
    seen,
    summed_up,
    understood,
    untold,
)
from deploy.command import Result as Said
from deploy.errors import PrepareFailed, Refused
from deploy.findings import Findings
from deploy.fitness import faults
from deploy.fleet import Fleet
from deploy.flow import DEPLOY
from deploy.host import CODE, Host, runs_code
from deploy.means import Means, on_hosts
from deploy.outcome import Outcome
from deploy.parallel import in_parallel
from deploy.reach import only_looking
from deploy.release import checked_id
from deploy.report import Event, Fact, Note, Table
from deploy.stage import Stage

HOLDING = frozenset({*CODE, "static"})
"""The roles of hosts that a release goes to; others have nothing that could be checked."""
NO_PROGRAM = "checklist.py': [Errno 2]"


def check(
    asked: Asked, means: Means, release: str = "", *, all_: bool = False, strict: bool = False
) -> Outcome:
    """Ask every selected host, and say what is wrong, why it matters and what to write.

    Without `release`, of the one that is live, or else of the newest. Changes nothing. Raises
    PrepareFailed if a check is an error, or with `strict` a warning.
    """
    stage = asked.load()
    hosts = [one for one in asked.select(stage) if HOLDING & set(one.roles)]
    if not hosts:
        raise Refused(
            "none of the selected hosts has a role that is checked: web, db, worker, static"
        )
    with on_hosts(asked, means, stage, hosts) as fleet, only_looking():
        found = fleet.look()
        everyone = _asked(fleet, found, release and checked_id(release), stage)
    results = judge(everyone, stage.project)
    for event in _told(results, as_json=asked.json, everything=all_):
        means.emit(event)
    for line in untold(everyone):
        means.emit(Note(line))
    more = {"warnings": counted(results, WARNING)}
    _must_pass(results, strict, more)
    return Outcome(release or None, more)


def _asked(
    fleet: Fleet, found: dict[str, Findings], release: str, stage: Stage
) -> tuple[Seen, ...]:
    salt = secrets.token_hex(16)

    def one(host: Host) -> Seen:
        said = found[host.name]
        unfit = tuple(faults(DEPLOY, host, said))
        if not runs_code(host.roles) or said.root == "missing":
            disk = {"free": said.free // 1024, "percent": 100, "inodes": 100}
            return seen(host, {"disk": disk}, unfit)
        action = question(host, _release(host, said, release), salt)
        result = fleet.execute(host.name, action, lambda _line: None)
        now = time.time()
        facts = _facts(host, result)
        clock = facts["time"] - now if "time" in facts else None
        return seen(host, facts, unfit, clock)

    return tuple(in_parallel(fleet.hosts, one, stage.parallel))


def _release(host: Host, found: Findings, release: str) -> str:
    there = found.web.complete
    if release and release not in there:
        raise Refused(f"{host.name} has no complete release {release}", "fab releases")
    chosen = release or found.web.current or max(there, default="")
    if not chosen:
        raise Refused(
            f"{host.name} has no release that could be checked",
            "fab deploy, which checks the new release before anything is switched",
        )
    return chosen


def _facts(host: Host, result: Said) -> dict[str, Any]:
    if NO_PROGRAM in result.output:
        raise Refused(f"{host.name} does not have checklist.py yet", "fab setup")
    return understood(result.output)


def _told(results: Sequence[Result], *, as_json: bool, everything: bool) -> Iterator[Event]:
    if as_json:
        for one in results:
            yield Fact("", fact(one))
        return
    quiet = () if everything else (OK, OFF, UNKNOWN)
    shown = [one for one in results if one.state not in quiet]
    if shown:
        rows = tuple(
            (one.check.name, one.state, ", ".join(one.hosts), one.reason or one.found)
            for one in shown
        )
        yield Table("", ("check", "is", "hosts", "what was found"), rows)
    for check in dict.fromkeys(one.check for one in shown if one.state in (ERROR, WARNING)):
        yield Note(f"{check.name}: {check.why}\n  write: {check.write}")
    yield Note(f"check: {summed_up(results)}")


def fact(one: Result) -> dict[str, object]:
    """The result as scripts read it: docs/json.md."""
    said: dict[str, object] = {
        "event": "check",
        "check": one.check.name,
        "state": one.state,
        "hosts": list(one.hosts),
    }
    if one.state in (ERROR, WARNING, WAIVED):
        said |= {"found": one.found, "why": one.check.why, "write": one.check.write}
    return said | ({"reason": one.reason} if one.state == WAIVED else {})


def _must_pass(results: Sequence[Result], strict: bool, more: Mapping[str, object]) -> None:
    grave = [one for one in results if one.state == ERROR or (strict and one.state == WARNING)]
    if grave:
        names = ", ".join(dict.fromkeys(one.check.name for one in grave))
        raise PrepareFailed(
            f"not fit for visitors: {names}",
            "mend it; where it is meant to be so, say why: checks.waive (docs/checklist.md)",
            more=more,
        )
