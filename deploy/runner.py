"""A plan is run: step by step, hosts in parallel, and taken back if the switch fails."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from deploy.atwork import AtWork, Execute, Failure
from deploy.plan import Part, Plan, Work, in_turn
from deploy.report import Began, Emit, Note
from deploy.signals import deferred
from deploy.steps import Phase, Step


@dataclass(eq=False)
class StepsFailed(Exception):
    """A run did not get to its end: a step failed, or the operator interrupted it in `part`.

    `stuck` are hosts that could not be put back, or not be told of the decision. If the run is
    `undecided`, the answer of the host that decides was lost, or the undo itself was interrupted:
    not everything was put back. If it was `decided`, the release is live and stays. `stays` tells
    what cannot be taken back, `left` names steps after `part` that were not begun. A run that was
    `abandoned` was interrupted again while it was being ended: the operator wants to leave at once.
    """

    part: Part
    failures: Sequence[Failure] = ()
    stuck: Sequence[Failure] = ()
    interrupted: bool = False
    undecided: bool = False
    decided: bool = False
    stays: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    abandoned: bool = False


def run_plan(
    plan: Plan, execute: Execute, stop: Callable[[], None], emit: Emit, limit: int
) -> tuple[Failure, ...]:
    """Run the plan. Returns the failures of the FINISH phase: the release is live all the same.

    Raises StepsFailed after undoing what was committed, also when the operator interrupts: then
    `stop` first ends what runs on the hosts.
    """
    runner = _Runner(execute, stop, emit, limit)
    try:
        return runner.run(plan)
    except StepsFailed:
        raise
    except KeyboardInterrupt:
        raise runner.interrupted() from None
    except BaseException:
        runner.at_work.end()
        runner.undo()
        raise


class _Runner:
    """Runs parts, and remembers what was begun so that it can be taken back."""

    def __init__(self, execute: Execute, stop: Callable[[], None], emit: Emit, limit: int) -> None:
        self.at_work = AtWork(execute, stop, emit, limit)
        self._emit = emit
        self._begun: list[tuple[Part, Work]] = []
        self._stays: dict[str, None] = {}
        self._decided = False
        self._part: Part | None = None
        self._rest: tuple[Part, ...] = ()
        self._failures: list[Failure] = []
        self._warnings: list[Failure] = []

    def run(self, plan: Plan) -> tuple[Failure, ...]:
        """All parts in order; what failed after the decision. Raises StepsFailed, all undone."""
        for number, part in enumerate(plan.parts, 1):
            self._part, self._rest = part, plan.parts[number:]
            if part.step.phase is Phase.FINISH:
                self._settle()
            with deferred() if part.step.brief else nullcontext():
                self._failures = failures = self._do(part)
                if part.step.decides and any(failure.lost for failure in failures):
                    # Not even somebody who interrupts may undo what may have been decided.
                    raise StepsFailed(part, failures, undecided=True, stays=self._said)
            if failures and part.step.phase is Phase.FINISH:
                self._warnings += failures
            elif failures:
                raise StepsFailed(part, failures, self.undo(), stays=self._said)
        return tuple(self._warnings)

    def interrupted(self) -> BaseException:
        """End what runs and undo; what to raise. Whoever interrupts that wants to leave at once.

        An undo that was interrupted, because something had failed, is done anew from its start.
        Once the run is decided, what is brief is still done: all hosts have to know of it.
        """
        if self._part is None:
            return KeyboardInterrupt()
        ended = StepsFailed(
            self._part,
            tuple(dict.fromkeys((*self._warnings, *self._failures))),
            interrupted=True,
            decided=self._decided,
            stays=self._said,
            left=tuple(part.step.name for part in self._rest),
        )
        switched = bool(self._begun)
        try:
            self.at_work.end()
            ended.stuck = self.undo()
            for part in self._rest if self._decided else ():
                if part.step.brief:
                    ended.stuck = (*ended.stuck, *self._do(part))
        except KeyboardInterrupt:
            ended.undecided = switched
            ended.abandoned = True
        return ended

    def _do(self, part: Part) -> list[Failure]:
        self._emit(Began(part.step.name, part.step.says, _names(part.work)))
        failures: list[Failure] = []
        for wave in part.waves:
            if part.step.phase is Phase.COMMIT:
                self._begun += [(part, work) for work in wave]
                self._leave_behind(part.step)
            failed = self.at_work.each(part.step, wave, lambda work: work.actions)
            failures += failed
            if len(failed) < len(wave):
                self._leave_behind(part.step)
            if failures and not part.step.thorough:
                return failures
            if part.step.decides:
                self._settle()
        return failures or self._judged(part)

    def _leave_behind(self, step: Step) -> None:
        self._stays |= dict.fromkeys([step.leaves] if step.leaves else [])

    def _judged(self, part: Part) -> list[Failure]:
        if part.step.judge is None:
            return []
        answers = [(work.host, self.at_work.answers.pop(work.host.name)) for work in part.work]
        judged = part.step.judge(answers)
        for text in judged.notes:
            self._emit(Note(text))
        return [Failure(host, part.step.name, fault) for host, fault in judged.faults]

    def _settle(self) -> None:
        """The release is live and stays: nothing that comes after takes it back."""
        self._begun, self._decided = [], True

    @property
    def _said(self) -> tuple[str, ...]:
        """What was begun and cannot be taken back, in words."""
        return tuple(self._stays)

    def undo(self) -> list[Failure]:
        """Take back every commit that was begun, last first; the hosts where that failed."""
        stuck: list[Failure] = []
        begun = [(part, work) for part, work in reversed(self._begun) if work.undo]
        begun.sort(key=lambda one: not one[0].step.undo_first)  # else last first, as it was
        for step in dict.fromkeys(part.step for part, _ in begun):
            # A host that is stuck keeps its open journal: that is how it is found again.
            lost = {failure.host for failure in stuck}
            works = [w for part, w in begun if part.step is step and w.host.name not in lost]
            self._emit(Began(step.name, "put back what was live", _names(works), undoing=True))
            for wave in in_turn(works, lambda work: work.undo):
                stuck += self.at_work.each(step, wave, lambda work: work.undo)
            if stuck and step.undo_first:
                break  # hosts must not be put back onto what does not fit: recover does all of it
        self._begun = []
        return stuck


def _names(works: Sequence[Work]) -> tuple[str, ...]:
    return tuple(work.host.name for work in works)
