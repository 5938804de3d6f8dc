"""How a run that did not succeed ended: the error, in words for the person who has to act."""

from collections.abc import Mapping, Sequence

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
from deploy.runner import Failure, StepsFailed
from deploy.steps import Phase
from deploy.steps.db import look_ahead, migrate


def verdict(
    failed: StepsFailed, hosts: Sequence[Host], found: Mapping[str, Findings]
) -> DeployError:
    """The error that ends the task, with the exit code that docs/reference.md promises."""
    live = _live(hosts, found)
    stopped = ["stopped by you"] if failed.interrupted else []
    causes = "\n".join([*stopped, *([told(failed.failures)] if failed.failures else [])])
    stays = "".join(f"\n{sentence}" for sentence in failed.stays)
    if failed.decided:
        return Interrupted(f"{causes}; the new release is live, and only tidying up is left")
    if failed.stuck:
        stuck = "\n".join(f"{failure.host}: {failure.error}" for failure in failed.stuck)
        what = f"{causes}\nand not every host could be put back:\n{stuck}{stays}"
        return Inconsistent(what, hint="fab recover")
    if failed.undecided:
        twice = "stopped twice by you: hosts may differ now"
        what = twice if failed.interrupted else f"{causes}\nnot known whether the run was decided"
        return Inconsistent(f"{what}{stays}", hint="fab recover")
    if failed.interrupted:
        return Interrupted(f"{causes}; {live}{stays}")
    if failed.part.step.name == migrate.name:
        return MigrationFailed(
            f"{causes}\nnothing was switched: {live}; the database may be ahead of it",
            hint="mend the migration and deploy again; fab db.migrate runs it alone",
        )
    if failed.part.step.phase is Phase.PREPARE:
        looked = failed.part.step.name == look_ahead.name
        hint = "fab db.plan shows every migration that is pending, and its SQL" if looked else ""
        return PrepareFailed(f"{causes}\nnothing was switched: {live}", hint)
    return RolledBack(f"{causes}\nevery host was put back and verified: {live}{stays}")


def not_contracted(failures: Sequence[Failure], release: str | None) -> DeployError:
    """The error for a release that is live, but without the migrations that were to follow."""
    return Unfinished(
        f"{release} is live and stays, on a schema that still has what it no longer needs:\n"
        + told(failures),
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
