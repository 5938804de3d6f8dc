"""The gate: the deployment checklist, asked in the new release before anything is switched."""

from collections.abc import Iterator, Sequence

from deploy.checks import ERROR, WARNING
from deploy.checks.judge import counted, judge, question, seen, summed_up, understood, untold
from deploy.command import Action
from deploy.host import CODE, Host
from deploy.steps import Judged, Target, step


def verdict(answers: Sequence[tuple[Host, str]]) -> Judged:
    """Each error is a fault of the hosts that have it; warnings are counted in one line."""
    hosts = [seen(host, understood(output)) for host, output in answers]
    results = judge(hosts, answers[0][0].project)
    faults = [
        (host, f"{one.check.name}: {one.found}\n  {one.check.why}\n  write: {one.check.write}")
        for one in results
        if one.state == ERROR
        for host in one.hosts
    ]
    worth_a_line = counted(results, ERROR) or counted(results, WARNING)
    more = "; fab check tells more" if worth_a_line and not faults else ""
    notes = (f"checks: {summed_up(results)}{more}",) if worth_a_line else ()
    return Judged((*notes, *untold(hosts)), tuple(faults))


@step("site.check", roles=CODE, judge=verdict)
def gate(t: Target) -> Iterator[Action]:
    """go through Django's deployment checklist, and stop at an error"""
    if t.project.checks.gate:
        yield question(t.host, t.code.id, t.run.id)
