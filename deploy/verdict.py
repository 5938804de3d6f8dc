"""How a run that did not succeed ended: the error, in words for the person who has to act."""

from collections.abc import Mapping, Sequence

from deploy.atwork import Failure
from deploy.errors import (
    DeployError,
    Inconsistent,
    Interrupted,
    MigrationFailed,
    PrepareFailed,
    RolledBack,
    Unfinished,
)
from deploy.findings import Findings
from deploy.host import Host
from deploy.runner import StepsFailed
from deploy.steps import Phase
from deploy.steps.checks import gate
from deploy.steps.db import contract, migrate, migrate_back
from deploy.steps.journal import commit

RESTORE = "db.restore"
LEFT = "fab recover, which gives the locks back"
"""What to type next when a run was left at once."""
NOT_ALL = "not every host could be put back"
HINTS = {
    gate.name: "mend it; where it is meant to be so, say why: checks.waive (docs/checklist.md)",
}
"""What to type next where a step of the prepare phase failed."""


def verdict(
    failed: StepsFailed,
    hosts: Sequence[Host],
    found: Mapping[str, Findings],
    saved: str = "",
    release: str | None = None,
) -> DeployError:
    """The error that ends the task, with the exit code that docs/reference.md promises.

    `saved` is the backup that the run has made, if it has; `release` is what it was about.
    """
    live = _live(hosts, found)
    stopped = ["stopped by you"] if failed.interrupted else []
    causes = "\n".join([*stopped, *([told(failed.failures)] if failed.failures else [])])
    again = any(failure.step == migrate_back.name for failure in failed.stuck)
    left = [text for text in failed.stays if not (again and text == migrate_back.leaves)]
    stays = "".join(f"\n{text.replace('{release}', release or 'ID')}" for text in left)
    if failed.part.step.phase is not Phase.PREPARE:
        stays += way_back(saved)
    if failed.decided:
        return _interrupted_late(failed, causes, saved)
    if failed.stuck:
        stuck = "\n".join(f"{failure.host}: {failure.error}" for failure in failed.stuck)
        which = "no host was put back, as the schema could not be" if again else NOT_ALL
        what = f"{causes}\nand {which}:\n{stuck}{stays}"
        return Inconsistent(what, hint="fab recover")
    if failed.undecided:
        twice = "stopped twice by you: hosts may differ now"
        what = twice if failed.interrupted else f"{causes}\nnot known whether the run was decided"
        return Inconsistent(f"{what}{stays}", hint="fab recover")
    if failed.interrupted:
        return Interrupted(f"{causes}; {live}{stays}", LEFT if failed.abandoned else "")
    if failed.part.step.name in (migrate.name, RESTORE):
        return _in_database(failed.part.step.name, f"{causes}\nnothing was switched: {live}", saved)
    if failed.part.step.phase is Phase.PREPARE:
        hint = HINTS.get(failed.part.step.name, "")
        return PrepareFailed(f"{causes}\nnothing was switched: {live}{stays}", hint)
    return RolledBack(f"{causes}\nevery host was put back and verified: {live}{stays}")


def _interrupted_late(failed: StepsFailed, causes: str, saved: str) -> Interrupted:
    """The release was decided: what was left when the operator stopped the run."""
    untold = [one for one in (*failed.failures, *failed.stuck) if one.step == commit.name]
    if untold:
        what = f"the new release is live, but not every host knows that it stays:\n{told(untold)}"
        return Interrupted(f"stopped by you; {what}{way_back(saved)}", "fab recover")
    steps = (failed.part.step.name, *failed.left, *(one.step for one in failed.failures))
    if contract.name in steps:
        what = "the new release is live, but migrations that follow the switch were not all run"
        hint = f"{LEFT}; then: fab db.migrate" if failed.abandoned else "fab db.migrate"
        return Interrupted(f"{causes}; {what}{way_back(saved)}", hint)
    what = "the new release is live, and only tidying up is left"
    return Interrupted(f"{causes}; {what}", LEFT if failed.abandoned else "")


def _in_database(step: str, what: str, saved: str) -> MigrationFailed:
    if step == RESTORE:
        return MigrationFailed(what + way_back(saved))
    return MigrationFailed(
        f"{what}; the database may be ahead of it{way_back(saved)}",
        hint="mend what failed, then the same command again",
    )


def way_back(saved: str) -> str:
    """The sentence that says where the data is as it was before the run; empty if nowhere."""
    return f"\nthe data as it was before is in a backup: fab db.restore {saved}" if saved else ""


def not_contracted(
    failures: Sequence[Failure], release: str | None, saved: str = ""
) -> DeployError:
    """The error for a release that is live, but without the migrations that were to follow."""
    return Unfinished(
        f"{release} is live and stays, on a schema that still has what it no longer needs:\n"
        + told(failures)
        + way_back(saved),
        hint="mend what failed, then: fab db.migrate",
    )


def told(failures: Sequence[Failure]) -> str:
    """What failed, each cause once, with every host that met it."""
    causes: dict[tuple[str, str], list[str]] = {}
    for failure in failures:
        causes.setdefault((failure.step, failure.error), []).append(failure.host)
    return "\n".join(
        f"{step} failed on {', '.join(hosts)}: {error}" for (step, error), hosts in causes.items()
    )


def _live(hosts: Sequence[Host], found: Mapping[str, Findings]) -> str:
    """What the hosts served when the run began, and serve now."""
    names: dict[str, list[str]] = {}
    for host in hosts:
        kind = "static" if host.roles == ("static",) else "web"
        current = found[host.name].tree(kind).current or "nothing yet"
        names.setdefault(current, []).append(host.name)
    said = [f"{', '.join(on)} on {current}" for current, on in sorted(names.items())]
    return f"live as before: {'; '.join(said)}" if said else "every host is as before"
