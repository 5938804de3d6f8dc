"""Runs an ordinary Fabric task on many hosts at once."""

import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, field
from typing import Any

from fabric import Connection
from invoke.exceptions import Exit, Failure
from invoke.runners import normalize_hide
from invoke.tasks import Call
from paramiko import SSHException

from deploy.asked import Asked
from deploy.errors import DeployError
from deploy.host import Host
from deploy.report.ending import said
from deploy.report.jsonlines import output_line
from deploy.report.prefixed import ByThread, Prefixed

FORESEEN = (DeployError, Failure, Exit, SSHException, OSError, EOFError)
"""What goes wrong without anybody's code being wrong: no traceback."""

TAIL = 10
"""Lines of a command's hidden output that are shown when it failed."""


class LeftOut(DeployError):
    """A host that could not be reached, where that was allowed."""


@dataclass(frozen=True)
class Visit:
    """One call of a task on one host. `running` is what it waits for."""

    host: Host
    connection: Connection
    out: Prefixed
    err: Prefixed
    running: list[Any] = field(default_factory=list)


def on_hosts(name: str, call: Call, hosts: tuple[Host, ...], asked: Asked, settings: Any) -> None:
    """Calls the task on each host, on as many at once as were asked for, and waits for all.

    Raises DeployError, naming every host on which it failed, after the others are through.
    """
    stage = asked.load()
    alone = len(hosts) == 1
    visits = [_visit(host, asked, settings, alone=alone) for host in hosts]
    failed = _all(visits, stage.parallel, lambda visit: _called(call, visit, asked))
    skipped = [host for host, error in failed.items() if isinstance(error, LeftOut)]
    for host in skipped:
        sys.stderr.write(f"left out: {host}: {said(failed.pop(host))}\n")
    if len(skipped) == len(hosts):
        raise DeployError(f"{name}: none of the hosts could be reached")
    if failed:
        raise _failure(name, failed, len(hosts))


def _visit(host: Host, asked: Asked, settings: Any, *, alone: bool) -> Visit:
    from deploy.ssh.connect import connect  # slow to import, and seldom needed

    def tell(text: str) -> None:
        line = output_line(host.name, text) if asked.json else f"[{host.name}] {text}"
        sys.__stdout__.write(f"{line}\n")  # type: ignore[union-attr]  # fab always has an output
        sys.__stdout__.flush()  # type: ignore[union-attr]

    out = Prefixed(tell)
    err = Prefixed(lambda text: _complain(f"[{host.name}] {text}"))
    connection = connect(host, settings)
    if not alone:
        # One terminal cannot answer several hosts.
        connection.config.run.in_stream = False
    visit = Visit(host, connection, out, err)
    _watch(visit)
    return visit


def _watch(visit: Visit) -> None:
    connection = visit.connection

    def watched(plain: Callable[..., Any]) -> Callable[..., Any]:
        def run(runner: Any, command: str, **options: Any) -> Any:  # Invoke's own signature
            # Set in the configuration, a stream would be written to in spite of `hide`.
            hidden = normalize_hide(options.get("hide", connection.config.run.hide))
            for name, stream in (("stdout", visit.out), ("stderr", visit.err)):
                if name not in hidden:
                    options.setdefault(f"{name.removeprefix('std')}_stream", stream)
            visit.running.append(runner)
            try:
                return plain(runner, command, **options)
            finally:
                visit.running.remove(runner)

        return run

    connection._set(_run=watched(connection._run), _sudo=watched(connection._sudo))


def _called(call: Call, visit: Visit, asked: Asked) -> None:
    try:
        if asked.skip_bad_hosts:
            _reach(visit)
        result = call.task(visit.connection, *call.args, **call.kwargs)
        if call.autoprint:
            visit.out.write(f"{result}\n")
    except FORESEEN:
        raise
    except Exception:
        visit.err.write(traceback.format_exc())
        raise
    finally:
        visit.out.close()
        visit.err.close()


def _reach(visit: Visit) -> None:
    try:
        visit.connection.open()
    except FORESEEN as error:
        raise LeftOut(said(error)) from error


def _all(
    visits: list[Visit], at_once: int, work: Callable[[Visit], None]
) -> dict[str, BaseException]:
    failed: dict[str, BaseException] = {}
    gate = threading.Semaphore(at_once)

    def guarded(visit: Visit) -> None:
        try:
            work(visit)
        except BaseException as error:  # a thread has nobody above it who could catch this
            if not (isinstance(error, Exit) and error.code == 0):
                failed[visit.host.name] = error
        finally:
            gate.release()

    streams = {_thread(visit): visit.out for visit in visits}
    with _closed(visits), redirect_stdout(ByThread(streams, sys.stdout)):
        threads = []
        for visit in visits:
            gate.acquire()
            thread = threading.Thread(
                target=guarded, args=(visit,), name=_thread(visit), daemon=True
            )
            thread.start()
            threads.append(thread)
        for thread in threads:
            thread.join()
    return {
        visit.host.name: failed[visit.host.name] for visit in visits if visit.host.name in failed
    }


@contextmanager
def _closed(visits: list[Visit]) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        for runner in [runner for visit in visits for runner in visit.running]:
            with suppress(Exception):  # it may be over already
                runner.kill()
        raise
    finally:
        for visit in visits:
            with suppress(Exception):  # what cannot be closed is closed by the end of the program
                visit.connection.close()


def _thread(visit: Visit) -> str:
    return f"task on {visit.host.name}"


def _failure(name: str, failed: dict[str, BaseException], count: int) -> DeployError:
    lines = [f"{host}: {said(error)}{_tail(error)}" for host, error in failed.items()]
    if len(lines) == 1:
        return DeployError(f"{name} failed on {lines[0]}")
    return DeployError("\n  ".join((f"{name} failed on {len(lines)} of {count} hosts", *lines)))


def _tail(error: BaseException) -> str:
    if not isinstance(error, Failure) or not error.result.hide:
        return ""
    hidden = f"{error.result.stdout}\n{error.result.stderr}".split("\n")
    return "".join(f"\n    {line}" for line in [one for one in hidden if one.strip()][-TAIL:])


def _complain(line: str) -> None:
    sys.stderr.write(f"{line}\n")
