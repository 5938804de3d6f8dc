"""One call of an ordinary task on one host: its connection, and where its output goes."""

import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from fabric import Connection
from invoke.exceptions import Exit, Failure
from invoke.runners import normalize_hide
from invoke.tasks import Call
from paramiko import SSHException

from deploy.errors import DeployError
from deploy.host import Host
from deploy.report.ending import said
from deploy.report.jsonlines import output_line
from deploy.report.prefixed import Prefixed
from deploy.ssh.connect import connect

FORESEEN = (DeployError, Failure, Exit, SSHException, OSError, EOFError)
"""What goes wrong without anybody's code being wrong: no traceback."""


class LeftOut(DeployError):
    """A host that could not be reached, where that was allowed."""


@dataclass(frozen=True)
class Visit:
    """A task on a host. `running` holds the commands that it waits for."""

    host: Host
    connection: Connection
    out: Prefixed
    err: Prefixed
    running: list[Any] = field(default_factory=list)

    def call(self, call: Call) -> None:
        """Calls the task; what it raises is raised, after a traceback if nobody foresaw it."""
        try:
            result = call.task(self.connection, *call.args, **call.kwargs)
            if call.autoprint:
                self.out.write(f"{result}\n")
        except FORESEEN:
            raise
        except Exception:
            self.err.write(traceback.format_exc())
            raise
        finally:
            self.out.close()
            self.err.close()

    def reach(self) -> None:
        """Logs in; LeftOut if that cannot be done."""
        try:
            self.connection.open()
        except FORESEEN as error:
            raise LeftOut(said(error)) from error

    def stop(self) -> None:
        """Ends the commands that are running, also on the host."""
        for runner in list(self.running):
            with suppress(Exception):  # it may be over already
                runner.kill()

    def close(self) -> None:
        """Logs out."""
        with suppress(Exception):  # what cannot be closed is closed by the end of the program
            self.connection.close()


def visit(host: Host, settings: Any, *, alone: bool, as_json: bool) -> Visit:
    """A visit to a host that has not begun; `alone` leaves it the keyboard."""

    def tell(text: str) -> None:
        _write(sys.__stdout__, output_line(host.name, text) if as_json else _marked(host, text))

    connection = connect(host, settings)
    if not alone:
        # One terminal cannot answer several hosts.
        connection.config.run.in_stream = False
    err = Prefixed(lambda text: _write(sys.stderr, _marked(host, text)))
    made = Visit(host, connection, Prefixed(tell), err)
    # Every way of running a command goes through one of these two.
    connection._set(_run=_watched(made, connection._run), _sudo=_watched(made, connection._sudo))
    return made


def _watched(visit: Visit, plain: Callable[..., Any]) -> Callable[..., Any]:
    def run(runner: Any, command: str, **options: Any) -> Any:  # Invoke's own signature
        # Set in the configuration, a stream would be written to in spite of `hide`.
        hidden = normalize_hide(options.get("hide", visit.connection.config.run.hide))
        for name, stream in (("stdout", visit.out), ("stderr", visit.err)):
            if name not in hidden:
                options.setdefault(f"{name.removeprefix('std')}_stream", stream)
        visit.running.append(runner)
        try:
            return plain(runner, command, **options)
        finally:
            visit.running.remove(runner)

    return run


def _marked(host: Host, text: str) -> str:
    return f"[{host.name}] {text}"


def _write(stream: Any, line: str) -> None:
    stream.write(f"{line}\n")
    stream.flush()
