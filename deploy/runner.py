"""A plan is run: step by step, hosts in parallel, and taken back if the switch fails."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

from deploy.command import Action, OnLine, Result
from deploy.errors import DeployError
from deploy.plan import Part, Plan, Work
from deploy.report import Began, Emit, Ended, Said
from deploy.steps import Phase

Execute = Callable[[str, Action, OnLine], Result]
"""Runs an action on the host of that name. Raises DeployError when the host is lost."""
Item = TypeVar("Item")
Value = TypeVar("Value")
LAST_LINES = 12
"""How much of what a failing command said is shown; the log has all of it."""


@dataclass(frozen=True)
class Failure:
    """A step that failed on a host, in the words of the command that failed."""

    host: str
    step: str
    error: str

    def __str__(self) -> str:
        return f"{self.step} failed on {self.host}: {self.error}"


class StepsFailed(Exception):
    """A run cannot go on. `undone` tells whether every switched host is back, None if none was."""

    def __init__(
        self, part: Part, failures: Sequence[Failure], undone: bool | None, stuck: Sequence[Failure]
    ) -> None:
        super().__init__("; ".join(map(str, failures)))
        self.part = part
        self.failures = tuple(failures)
        self.undone = undone
        self.stuck = tuple(stuck)


def run_plan(
    plan: Plan, execute: Execute, stop: Callable[[], None], emit: Emit, limit: int
) -> tuple[Failure, ...]:
    """Run the plan. Returns the failures of the FINISH phase: the release is live all the same.

    Raises StepsFailed after undoing what was committed. Any other exception, above all the
    interruption of the operator, is raised again once `stop` has ended what runs on the hosts
    and the same undo is done; StepsFailed takes its place if a host could not be put back.
    """
    runner = _Runner(execute, emit, limit)
    warnings: list[Failure] = []
    for part in plan.parts:
        if part.step.phase is Phase.FINISH:
            runner.commit()
        try:
            failures = runner.do(part)
        except BaseException:
            stop()
            undone, stuck = runner.undo()
            if undone is False:
                raise StepsFailed(part, (), undone, stuck) from None
            raise
        if failures and part.step.phase is Phase.FINISH:
            warnings += failures
        elif failures:
            undone, stuck = runner.undo()
            raise StepsFailed(part, failures, undone, stuck)
    return tuple(warnings)


class _Runner:
    """Runs parts, and remembers what was begun so that it can be taken back."""

    def __init__(self, execute: Execute, emit: Emit, limit: int) -> None:
        self._execute = execute
        self._emit = emit
        self._limit = limit
        self._begun: list[tuple[Part, Work]] = []

    def do(self, part: Part) -> list[Failure]:
        self._emit(Began(part.step.name, part.step.says, _names(part.work)))
        for wave in part.waves:
            if part.step.phase is Phase.COMMIT:
                self._begun += [(part, work) for work in wave]
            failures = self._each(part.step.name, wave, lambda work: work.actions)
            if failures:
                return failures
        return []

    def commit(self) -> None:
        """The release is live and stays: nothing that comes after takes it back."""
        self._begun = []

    def undo(self) -> tuple[bool | None, list[Failure]]:
        """Take back every commit that was begun, last first; each host at least tries."""
        stuck: list[Failure] = []
        begun = [(part, work) for part, work in reversed(self._begun) if work.undo]
        self._begun = []
        for name in dict.fromkeys(part.step.name for part, _ in begun):
            works = [work for part, work in begun if part.step.name == name]
            self._emit(Began(name, "put back what was live", _names(works), undoing=True))
            stuck += self._each(name, works, lambda work: work.undo)
        return (not stuck if begun else None), stuck

    def _each(
        self, step: str, works: Sequence[Work], actions: Callable[[Work], Sequence[Action]]
    ) -> list[Failure]:
        def one(work: Work) -> Failure | None:
            return self._on_host(step, work.host.name, actions(work))

        return [failure for failure in in_parallel(works, one, self._limit) if failure]

    def _on_host(self, step: str, host: str, actions: Sequence[Action]) -> Failure | None:
        began, sent, error = time.monotonic(), 0, ""
        for action in actions:
            try:
                result = self._execute(
                    host, action, lambda line: self._emit(Said(host, step, line))
                )
            except DeployError as lost:
                error = lost.what
                break
            sent += result.sent
            if not result.ok:
                error = last_lines(result)
                break
        seconds = time.monotonic() - began
        self._emit(Ended(host, step, not error, seconds, error, sent))
        return Failure(host, step, error) if error else None


def last_lines(result: Result) -> str:
    """The end of what a failing command said, or its exit code if it said nothing."""
    lines = [line for line in result.output.splitlines() if line.strip()]
    return "\n".join(lines[-LAST_LINES:]) or f"exit code {result.exit_code}, and no word"


def in_parallel(items: Sequence[Item], work: Callable[[Item], Value], limit: int) -> list[Value]:
    """`work` on every item, at most `limit` at once, in threads that cannot keep the process alive.

    Waits for all of them, and stays interruptible while it waits. The first exception is raised
    when all are done.
    """
    slots = threading.Semaphore(limit)
    ended: queue.Queue[tuple[int, Value | None, BaseException | None]] = queue.Queue()

    def one(index: int, item: Item) -> None:
        with slots:
            try:
                ended.put((index, work(item), None))
            except BaseException as error:  # handed to the waiting thread, which raises it
                ended.put((index, None, error))

    for index, item in enumerate(items):
        threading.Thread(target=one, args=(index, item), daemon=True).start()
    values: dict[int, Value] = {}
    errors: dict[int, BaseException] = {}
    for _ in items:
        index, value, error = ended.get()
        if error is not None:
            errors[index] = error
        else:
            values[index] = cast("Value", value)
    if errors:
        raise errors[min(errors)]
    return [values[index] for index in range(len(items))]


def _names(works: Sequence[Work]) -> tuple[str, ...]:
    return tuple(work.host.name for work in works)
