"""A plan is run: step by step, hosts in parallel, and taken back if the switch fails."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from deploy.command import Action, OnLine, Result, in_few_messages
from deploy.errors import DeployError
from deploy.parallel import in_parallel
from deploy.plan import Part, Plan, Work
from deploy.report import FACT, TELL, Began, Emit, Ended, Note, Said
from deploy.signals import deferred
from deploy.steps import HERE, Phase, Step

Execute = Callable[[str, Action, OnLine], Result]
"""Runs an action on the host of that name. Raises DeployError when the host is lost."""
LAST_LINES = 20
"""How much of what a failing command said is shown; the log has all of it."""


@dataclass(frozen=True)
class Failure:
    """A step that failed on a host, in the words of the command that failed.

    `lost`: the host went away, so that nobody knows how far the step came.
    """

    host: str
    step: str
    error: str
    lost: bool = False

    def __str__(self) -> str:
        return f"{self.step} failed on {self.host}: {self.error}"


STOPPED = (130, 137, 143)
"""The exit codes of what was ended by SIGINT, SIGKILL or SIGTERM."""


@dataclass(eq=False)
class StepsFailed(Exception):
    """A run did not get to its end: a step failed, or the operator interrupted it in `part`.

    `stuck` are hosts that could not be put back. If the run is `undecided`, the answer of the host
    that decides was lost, or the undo itself was interrupted: not everything was put back. If it
    was `decided`, the release is live and stays. `stays` tells what cannot be taken back, `left`
    names steps after `part` that were not begun. A run that was `abandoned` was interrupted again
    while it was being ended: the operator wants to leave at once.
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
        runner.end()
        runner.undo()
        raise


class _Runner:
    """Runs parts, and remembers what was begun so that it can be taken back."""

    def __init__(self, execute: Execute, stop: Callable[[], None], emit: Emit, limit: int) -> None:
        self._execute = execute
        self._stop = stop
        self._emit = emit
        self._limit = limit
        self._begun: list[tuple[Part, Work]] = []
        self._stays: dict[str, None] = {}
        self._decided = False
        self._part: Part | None = None
        self._rest: tuple[Part, ...] = ()
        self._failures: list[Failure] = []
        self._answers: dict[str, str] = {}
        self._halted = threading.Event()
        self._at_work = 0
        self._changed = threading.Condition()

    def run(self, plan: Plan) -> tuple[Failure, ...]:
        """All parts in order; what failed after the decision. Raises StepsFailed, all undone."""
        warnings: list[Failure] = []
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
                warnings += failures
            elif failures:
                raise StepsFailed(part, failures, self.undo(), stays=self._said)
        return tuple(warnings)

    def interrupted(self) -> BaseException:
        """End what runs and undo; what to raise. Whoever interrupts that wants to leave at once.

        An undo that was interrupted, because something had failed, is done anew from its start.
        Once the run is decided, what is brief is still done: all hosts have to know of it.
        """
        if self._part is None:
            return KeyboardInterrupt()
        ended = StepsFailed(
            self._part,
            self._failures,
            interrupted=True,
            decided=self._decided,
            stays=self._said,
            left=tuple(part.step.name for part in self._rest),
        )
        switched = bool(self._begun)
        try:
            self.end()
            ended.stuck = self.undo()
            for part in self._rest if self._decided else ():
                if part.step.brief:
                    self._do(part)
        except KeyboardInterrupt:
            ended.undecided = switched
            ended.abandoned = True
        return ended

    def _do(self, part: Part) -> list[Failure]:
        self._emit(Began(part.step.name, part.step.says, _names(part.work)))
        for wave in part.waves:
            if part.step.phase is Phase.COMMIT:
                self._begun += [(part, work) for work in wave]
                self._leave_behind(part.step)
            failures = self._each(part.step, wave, lambda work: work.actions)
            if len(failures) < len(wave):
                self._leave_behind(part.step)
            if failures:
                return failures
            if part.step.decides:
                self._settle()
        return self._judged(part)

    def _leave_behind(self, step: Step) -> None:
        self._stays |= dict.fromkeys([step.leaves] if step.leaves else [])

    def _judged(self, part: Part) -> list[Failure]:
        if part.step.judge is None:
            return []
        answers = [(work.host, self._answers.pop(work.host.name)) for work in part.work]
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
            stuck += self._each(step, works, lambda work: work.undo)
        self._begun = []
        return stuck

    def end(self) -> None:
        """End what runs on the hosts, and wait for it: nothing of it may come after the undo.

        Between two of its actions a host runs nothing that could be stopped; it must not begin
        the next one either, and one that begins this very moment is stopped once more.
        """
        self._halted.set()
        self._stop()
        while not self._all_ended(0.5):
            self._stop()
        self._halted = threading.Event()

    def _all_ended(self, seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: not self._at_work, seconds)

    def _each(
        self, step: Step, works: Sequence[Work], actions: Callable[[Work], Sequence[Action]]
    ) -> list[Failure]:
        halted = self._halted

        def one(work: Work) -> Failure | None:
            with self._working():
                return self._on_host(step, work.host.name, actions(work), halted)

        results = in_parallel(works, one, self._limit)
        return [failure for failure in results if failure]

    @contextmanager
    def _working(self) -> Iterator[None]:
        with self._changed:
            self._at_work += 1
        try:
            yield
        finally:
            with self._changed:
                self._at_work -= 1
                self._changed.notify_all()

    def _on_host(
        self, step: Step, host: str, actions: Sequence[Action], halted: threading.Event
    ) -> Failure | None:
        began, sent, files, error, lost = time.monotonic(), 0, 0, "", False
        for action in actions if host == HERE else in_few_messages(actions):
            if halted.is_set():
                error = "stopped"
                break
            try:
                result = self._execute(host, action, lambda line: self._heard(host, step, line))
            except DeployError as gone:
                error, lost = gone.what, True
                break
            sent, files = sent + result.sent, files + result.files
            self._answers[host] = result.output if step.judge else ""
            if not result.ok:
                error = last_lines(result)
                break
        seconds = time.monotonic() - began
        self._emit(Ended(host, step.name, not error, seconds, error, sent, files))
        return Failure(host, step.name, error, lost) if error else None

    def _heard(self, host: str, step: Step, line: str) -> None:
        if step.judge is None:
            self._emit(Said(host, step.name, line))


def last_lines(result: Result) -> str:
    """The end of what a failing command said, or its exit code if it said nothing."""
    lines = [line for line in result.output.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith((TELL, FACT))]
    if not lines and result.exit_code in STOPPED:
        return "stopped"
    return "\n".join(lines[-LAST_LINES:]) or f"exit code {result.exit_code}, and no word"


def _names(works: Sequence[Work]) -> tuple[str, ...]:
    return tuple(work.host.name for work in works)
