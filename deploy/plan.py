"""Flow and findings become a plan: the exact commands for each host, before anything runs."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from deploy.command import Action, Command
from deploy.flow import Flow
from deploy.host import CODE, Host
from deploy.journal import Run
from deploy.steps import Phase, Step, Target


@dataclass(frozen=True)
class Work:
    """What one step does on one host, and how that is taken back."""

    host: Host
    actions: tuple[Action, ...]
    undo: tuple[Action, ...] = ()


@dataclass(frozen=True)
class Part:
    """One step of the plan, with its work on every host that has any."""

    step: Step
    work: tuple[Work, ...]

    @property
    def waves(self) -> tuple[tuple[Work, ...], ...]:
        """The hosts that go together: a rolling step tries a single one first."""
        together = in_turn(self.work, lambda work: work.actions)
        if not self.step.rolling or len(together) != 1 or len(self.work) == 1:
            return together
        first = next((work for work in self.work if "web" in work.host.roles), self.work[0])
        return ((first,), tuple(work for work in self.work if work is not first))


def in_turn(
    works: Sequence[Work], actions: Callable[[Work], Sequence[Action]]
) -> tuple[tuple[Work, ...], ...]:
    """The hosts that go together, all of them, or each alone.

    Alone where a load balancer is told to leave a host or to come back (web.drain): with all
    hosts out at once it would have nowhere to send visitors.
    """
    if any(_drains(actions(work)) for work in works):
        return tuple((work,) for work in works)
    return (tuple(works),)


def _drains(actions: Sequence[Action]) -> bool:
    # A word may stand behind another that only attempts it.
    words = {word for action in actions if isinstance(action, Command) for word in action.argv[:2]}
    return bool(words & {"drained", "come_back"})


@dataclass(frozen=True)
class Plan:
    """Everything that a run will do, in order; `idle` names the steps that have nothing to do."""

    run: Run
    parts: tuple[Part, ...]
    idle: tuple[str, ...] = ()

    def lines(self) -> Iterator[str]:
        """The plan as people read it: step, host, and each command as it will be sent."""
        phase: Phase | None = None
        for part in self.parts:
            if part.step.phase is not phase:
                phase = part.step.phase
                yield f"== {PHASE_SAYS[phase]} =="
            yield f"{part.step.name}: {part.step.says}"
            for work in part.work:
                for action in work.actions:
                    yield f"  {work.host.name}$ {action.shown()}"


PHASE_SAYS = {
    Phase.PREPARE: "prepare: nothing that is live changes",
    Phase.COMMIT: "commit: taken back on every host if anything fails",
    Phase.FINISH: "finish: the release is live",
}


def make_plan(flow: Flow, run: Run, targets: Sequence[Target]) -> Plan:
    """The plan of a flow for these targets. Steps that have nothing to do anywhere are left out."""
    parts = tuple(Part(step, tuple(_work(step, targets))) for step in flow.steps)
    busy = {part.step.name for part in parts if part.work}
    idle = tuple(part.step.name for part in parts if part.step.name not in busy)
    return Plan(run, tuple(part for part in parts if part.work), idle)


def _work(step: Step, targets: Sequence[Target]) -> Iterator[Work]:
    for target in targets:
        if not step.serves(_roles(target)):
            continue
        actions = tuple(step.build(target))
        if actions:
            undo = tuple(step.undo(target)) if step.undo else ()
            yield Work(target.host, actions, undo)


def _roles(target: Target) -> tuple[str, ...]:
    """The roles of the host for which this run makes something live."""
    live = dict.fromkeys(CODE, target.web) | {"static": target.static}
    return tuple(role for role in target.host.roles if live.get(role, target))
