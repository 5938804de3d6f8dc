"""Keeping everybody from releasing for a while, with a reason, and lifting that again."""

from deploy.asked import Asked
from deploy.command import Command
from deploy.errors import Locked, PrepareFailed, Refused
from deploy.findings import Findings
from deploy.host import Host
from deploy.means import Means, on_hosts
from deploy.outcome import Outcome
from deploy.participants import participants
from deploy.report import Note
from deploy.stage import Stage


def freeze(asked: Asked, means: Means, reason: str) -> Outcome:
    """No run may begin on the selected hosts until `unlock`; status and the refusal say why."""
    if not reason.strip() or not reason.isprintable():
        raise Refused("a reason is needed, in one line: whoever is stopped by this wants to know")
    return _everywhere(asked, means, "freeze", f"by {means.who}: {reason}")


def thaw(asked: Asked, means: Means) -> Outcome:
    """Lift the freeze. Raises Locked if what stands in the way is a run: only recover ends that."""
    stage = asked.load()
    with on_hosts(asked, means, stage, _released(asked, stage)) as fleet:
        found = fleet.look()
    outcome = _everywhere(asked, means, "thaw")
    held = sorted(name for name, said in found.items() if _is_held(said))
    if held:
        raise Locked(f"a run still stands on {', '.join(held)}", hint="fab status, fab recover")
    return outcome


def _released(asked: Asked, stage: Stage) -> tuple[Host, ...]:
    """The selected hosts on which a run could begin at all: balancers and replicas have no lock."""
    selected = asked.select(stage)
    taking_part = {host.name for host in participants(stage, selected)}
    hosts = tuple(host for host in selected if host.name in taking_part)
    if not hosts:
        raise Refused("none of the selected hosts has a role that holds releases")
    return hosts


def _is_held(found: Findings) -> bool:
    return found.lock is not None or bool(found.open_runs)


def _everywhere(asked: Asked, means: Means, word: str, *more: str) -> Outcome:
    stage = asked.load()
    with on_hosts(asked, means, stage, _released(asked, stage)) as fleet:
        said = fleet.each_left(
            lambda host: Command((word, host.project.root, *more), changes=False)
        )
    failed = [f"{name}: {one.output.strip()}" for name, one in said.items() if not one.ok]
    for name, result in said.items():
        if result.ok:
            means.emit(Note(f"{name}: {result.output.strip() or 'frozen'}"))
    if failed:
        raise PrepareFailed(
            "not done everywhere:\n" + "\n".join(failed),
            hint="the same again once that is mended; fab status says which hosts are frozen",
        )
    return Outcome()
