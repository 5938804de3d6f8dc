"""Decides for each task on a command line where it runs, before any of them does."""

import os
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import fabric
from invoke.tasks import Call, Task

from deploy.asked import Asked
from deploy.errors import Refused
from deploy.host import Host
from deploy.inventory import stage_path
from deploy.options import asked, words
from deploy.outcome import Outcome
from deploy.participants import in_a_bucket
from deploy.report.ending import TaskEnded
from deploy.report.jsonlines import result_line
from deploy.tasks.decorator import FleetContext, FleetTask


class FleetCall(Call):
    """A task of ours: called once, whatever the number of hosts."""

    def __init__(self, call: Call, asked: Asked) -> None:
        super().__init__(call.task, call.called_as, call.args, call.kwargs)
        self.asked = asked

    def make_context(self, config: Any) -> FleetContext:
        """What the task gets; `config` is Invoke's word."""
        return FleetContext(config, self.asked)


class HostsCall(Call):
    """An ordinary Fabric task: called on each of these hosts."""

    def __init__(self, call: Call, hosts: tuple[Host, ...], asked: Asked) -> None:
        super().__init__(call.task, call.called_as, call.args, call.kwargs)
        self.hosts = hosts
        self.asked = asked


class DeployExecutor(fabric.Executor):  # type: ignore[misc]  # Fabric ships no types
    """Fabric's executor, with roles."""

    @cached_property
    def asked(self) -> Asked:
        """What the command line asks for, apart from tasks."""
        start = Path(self.collection.loaded_from or ".")
        rest = getattr(self.core, "rest", ())
        return replace(asked(self._args, start, os.environ), rest=rest)

    @cached_property
    def loaded(self) -> Asked:
        """The same with its stage."""
        return replace(self.asked, loaded=self.asked.load())

    @cached_property
    def with_stage(self) -> Asked:
        """The same, checked to select some host."""
        self.loaded.select(self.loaded.load())
        return self.loaded

    def execute(self, *tasks: Any) -> dict[Task[Any], Any]:
        """Runs the tasks one after the other; raises TaskEnded from whatever ends one early."""
        direct = self.normalize(tasks)
        results = {}
        for call in self.expand_calls(direct):
            name = self._shown(call)
            began = time.monotonic()
            try:
                result = self._run(name, call)
            except (Exception, KeyboardInterrupt) as error:
                raise TaskEnded(name, time.monotonic() - began) from error
            results[call.task] = result
            if self._args["json"].value and any(call.task is one.task for one in direct):
                outcome = result if isinstance(result, Outcome) else Outcome()
                sys.stdout.write(result_line(name, time.monotonic() - began, outcome) + "\n")
                sys.stdout.flush()
        return results

    def expand_calls(self, calls: Iterable[Any], apply_hosts: bool = True) -> list[Call]:
        """All calls in order, each with its hosts; Refused if any of them cannot be run."""
        expanded: list[Call] = []
        for one in calls:
            call = Call(one) if isinstance(one, Task) else one
            expanded += self.expand_calls(call.pre, apply_hosts=False)
            expanded += self._placed(call, apply_hosts)
            expanded += self.expand_calls(call.post, apply_hosts=False)
        taken = any(getattr(call.task, "takes_rest", False) for call in expanded)
        if apply_hosts and self.core.remainder and not taken:
            expanded += self._placed(self._remainder(), apply_hosts)
        return expanded

    @property
    def _args(self) -> Any:
        return self.core[0].args

    def _run(self, name: str, call: Call) -> Any:
        self.config.load_collection(self.collection.configuration(call.called_as))
        self.config.load_shell_env()
        if isinstance(call, HostsCall):
            from deploy.tasks.onhosts import on_hosts  # seldom needed

            return on_hosts(name, call, call.hosts, call.asked, self.config)
        result = call.task(call.make_context(self.config), *call.args, **call.kwargs)
        if call.autoprint:
            sys.stdout.write(f"{result}\n")
        return result

    def _placed(self, call: Call, apply_hosts: bool) -> list[Call]:
        if isinstance(call.task, FleetTask):
            if self._args["dry"].value and not call.task.takes_dry:
                what = f"{self._shown(call)} cannot be shown without being done: nothing was done"
                raise Refused(what, "the same without --dry")
            return [FleetCall(call, self._asked_of(call.task))]
        if apply_hosts and (hosts := self._selected()):
            return [HostsCall(call, hosts, self.with_stage)]
        named = words(self._args, "hosts", "-H") if apply_hosts else ()
        params = self.normalize_hosts(named or getattr(call, "hosts", None))
        return [self.parameterize(call, one) for one in params] or [call]

    def _asked_of(self, task: FleetTask) -> Asked:
        if not task.needs_project:
            return Asked(top=Path.cwd(), json=self._args["json"].value)
        if not task.needs_stage:
            return self.asked
        bucket = task.takes_bucket and in_a_bucket(self.loaded.load(), self.asked.roles)
        return self.loaded if bucket else self.with_stage

    def _selected(self) -> tuple[Host, ...]:
        """The inventory's hosts that an ordinary task is meant for; none: Fabric knows better."""
        roles, exclude = words(self._args, "roles", "-R"), words(self._args, "exclude-hosts", "-x")
        named = words(self._args, "hosts", "-H")
        if not roles and not exclude and not (named and self._in_inventory(named)):
            return ()
        return self.with_stage.select(self.with_stage.load())

    def _in_inventory(self, named: tuple[str, ...]) -> bool:
        try:
            stage_path(self.asked.top, self.asked.stage)
        except Refused:
            if self._args["inventory"].value:
                raise
            return False
        stage = self.asked.load()
        return any(stage.knows(name) for name in named)

    def _remainder(self) -> Call:
        remainder = self.core.remainder
        if not any(self._args[name].value for name in ("roles", "hosts", "exclude-hosts")):
            raise Refused(f"no host to run `{remainder}` on", "fab -R ROLE -- COMMAND")

        def command(c: Any) -> None:
            c.run(remainder)

        return Call(fabric.Task(body=command, name="--"))

    def _shown(self, call: Call) -> str:
        """The name of a task as --list shows it."""
        if call.called_as:
            return call.called_as
        names = [one for one in self.collection.task_names if self.collection[one] is call.task]
        return names[0] if names else call.task.name
