"""From the facts of all hosts to results: a pure function, and what it needs of hosts."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from deploy.checks import ERROR, OFF, WARNING, Check, NotTold, Seen
from deploy.checks.catalogue import CHECKS
from deploy.command import Command
from deploy.host import Host
from deploy.project import Project
from deploy.release import Layout

ANSWER = "checklist: "
QUIET = 120.0
"""Seconds that the question may take: Django starts, and servers that do not answer are awaited."""
OK, WAIVED, UNKNOWN = "ok", "waived", "unknown"
LOAD = "settings-load"


@dataclass(frozen=True)
class Result:
    """What came of a check on these hosts. `found` says what is wrong, `reason` why it is waived.

    `state` is ok, error, warning, waived, off or unknown: there was nothing to judge by.
    """

    check: Check
    state: str
    hosts: tuple[str, ...] = ()
    found: str = ""
    reason: str = ""


def question(host: Host, release: str, salt: str) -> Command:
    """What a host with code is asked about a release that it has. Changes nothing."""
    layout, project = Layout(host.project.root), host.project
    code = layout.release(release)
    argv = (
        f"{code}/venv/bin/python",
        f"{layout.entry}/checklist.py",
        *("--settings", project.settings),
        *("--requirements", project.requirements),
        *("--user", project.web.user),
        *("--group", project.web.group),
        layout.root,
        release,
    )
    return Command(argv, cwd=code, stdin=f"{salt}\n", quiet_limit=QUIET, changes=False)


def understood(output: str) -> dict[str, Any]:
    """The facts in what a host said; where there are none, what it said is the fault."""
    lines = [line for line in output.splitlines() if line.strip()]
    said = [line for line in lines if line.startswith(ANSWER)]
    if not said:
        return {"settings": "the site", "fault": lines[-1] if lines else "it says nothing"}
    facts: dict[str, Any] = json.loads(said[-1].removeprefix(ANSWER))
    return facts


def seen(
    host: Host,
    facts: Mapping[str, Any],
    unfit: Sequence[str] = (),
    clock: float | None = None,
) -> Seen:
    """A host as the rules see it: facts, and what its settings in the inventory ask for."""
    project = host.project
    web = project.web
    names = [name for name in (web.server_name, *web.aliases) if name]
    return Seen(
        host.name,
        roles=host.roles,
        names=tuple(names),
        workers=0 if project.embedded else web.processes * web.threads * 2,
        redirects=project.tls,
        static_mode=project.static.mode,
        static_root=str(PurePosixPath(project.static.root)),
        static_url=project.static.url,
        unfit=tuple(unfit),
        clock=clock,
        facts=facts,
    )


def judge(hosts: Sequence[Seen], project: Project) -> tuple[Result, ...]:
    """Every check's results, in order: one for each fault, with the hosts that have it."""
    severity, waived = dict(project.checks.severity), dict(project.checks.waive)
    results: list[Result] = []
    for check in CHECKS:
        grave = severity.get(check.name, check.severity)
        if grave == OFF:
            results.append(Result(check, OFF))
            continue
        for result in _results(check, hosts):
            if result.state == ERROR and check.name in waived:
                results.append(_as(result, WAIVED, waived[check.name]))
            else:
                results.append(_as(result, grave) if result.state == ERROR else result)
    return tuple(results)


def _as(result: Result, state: str, reason: str = "") -> Result:
    return Result(result.check, state, result.hosts, result.found, reason)


def _results(check: Check, hosts: Sequence[Seen]) -> Iterator[Result]:
    asked = [host for host in hosts if set(host.roles) & set(check.roles)]
    if check.across:
        yield from _across(check, asked) if asked else ()
        return
    found: dict[tuple[str, str], list[str]] = {}
    for host in asked:
        found.setdefault(_one(check, host), []).append(host.name)
    faulty = any(state == ERROR for state, _ in found)
    for (state, fault), names in found.items():
        # A check that fails somewhere is not also fine elsewhere: one line says where it fails.
        if state != OK or not faulty:
            yield Result(check, state, tuple(names), fault)


def _one(check: Check, host: Seen) -> tuple[str, str]:
    assert check.rule is not None  # noqa: S101 - a check without one is across all hosts
    try:
        fault = check.rule(host)
    except NotTold:
        return UNKNOWN, ""
    return (ERROR, fault) if fault else (OK, "")


def _across(check: Check, hosts: Sequence[Seen]) -> Iterator[Result]:
    assert check.across is not None  # noqa: S101 - as above
    names = tuple(host.name for host in hosts)
    try:
        fault = check.across(hosts)
    except NotTold:
        yield Result(check, UNKNOWN, names)
        return
    yield Result(check, ERROR if fault else OK, names, fault)


def untold(hosts: Sequence[Seen]) -> tuple[str, ...]:
    """What could not be found out on a host, although its settings load; a line for each."""
    return tuple(
        f"{host.name} cannot tell about {question.replace('_', ' ')}: {error}"
        for host in hosts
        for question, error in host.facts.get("untold", {}).items()
    )


def counted(results: Sequence[Result], state: str) -> int:
    """How many checks ended like this."""
    return len({result.check.name for result in results if result.state == state})


def summed_up(results: Sequence[Result]) -> str:
    """The results in one line, such as `31 checks passed, 2 warnings (hsts, admins), 1 waived`."""
    said = [f"{counted(results, OK)} checks passed"]
    for state, word in ((ERROR, "error"), (WARNING, "warning")):
        names = dict.fromkeys(result.check.name for result in results if result.state == state)
        if names:
            plural = "s" if len(names) > 1 else ""
            said.append(f"{len(names)} {word}{plural} ({', '.join(names)})")
    said += [
        f"{count} {state}" for state in (WAIVED, OFF, UNKNOWN) if (count := counted(results, state))
    ]
    return ", ".join(said)
