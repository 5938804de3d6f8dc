"""A step at work on several hosts at once, and how that is ended before its time."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from deploy.command import Action, OnLine, Result, in_few_messages
from deploy.errors import DeployError
from deploy.parallel import in_parallel
from deploy.plan import Work
from deploy.report import FACT, TELL, Emit, Ended, Said
from deploy.steps import HERE, Step

Execute = Callable[[str, Action, OnLine], Result]
"""Runs an action on the host of that name. Raises DeployError when the host is lost."""
LAST_LINES = 20
"""How much of what a failing command said is shown; the log has all of it."""
STOPPED = (130, 137, 143)
"""The exit codes of what was ended by SIGINT, SIGKILL or SIGTERM."""


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


class AtWork:
    """The hosts of a run, at most `limit` at once. `answers`: what they said to a step that judges.

    `stop` ends what runs on them at this moment.
    """

    def __init__(self, execute: Execute, stop: Callable[[], None], emit: Emit, limit: int) -> None:
        self._execute = execute
        self._stop = stop
        self._emit = emit
        self._limit = limit
        self.answers: dict[str, str] = {}
        self._halted = threading.Event()
        self._at_work = 0
        self._changed = threading.Condition()

    def each(
        self, step: Step, works: Sequence[Work], actions: Callable[[Work], Sequence[Action]]
    ) -> list[Failure]:
        """Do a step's `actions` on their hosts, each in order. What failed, and where."""
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
            self.answers[host] = result.output if step.judge else ""
            if not result.ok:
                error = last_lines(result)
                break
        seconds = time.monotonic() - began
        self._emit(Ended(host, step.name, not error, seconds, error, sent, files))
        return Failure(host, step.name, error, lost) if error else None

    def _heard(self, host: str, step: Step, line: str) -> None:
        if step.judge is None:
            self._emit(Said(host, step.name, line))

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


def last_lines(result: Result) -> str:
    """The end of what a failing command said, or its exit code if it said nothing."""
    lines = [line for line in result.output.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith((TELL, FACT))]
    if not lines and result.exit_code in STOPPED:
        return "stopped"
    return "\n".join(lines[-LAST_LINES:]) or f"exit code {result.exit_code}, and no word"
