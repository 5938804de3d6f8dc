"""Runs an ordinary Fabric task on many hosts at once."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

from invoke.exceptions import Exit, Failure
from invoke.tasks import Call

from deploy.asked import Asked
from deploy.errors import DeployError
from deploy.host import Host
from deploy.report.ending import said
from deploy.report.prefixed import ByThread
from deploy.signals import as_interrupts
from deploy.tasks.visit import LeftOut, Visit, visit

TAIL = 10
"""Lines of a command's hidden output that are shown when it failed."""

Failures = dict[str, BaseException]


def on_hosts(name: str, call: Call, hosts: tuple[Host, ...], asked: Asked, settings: Any) -> None:
    """Calls the task on each host, on as many at once as were asked for, and waits for all.

    Raises DeployError, naming every host on which it failed, after the others are through.
    """
    alone = len(hosts) == 1
    visits = [visit(host, settings, alone=alone, as_json=asked.json) for host in hosts]
    failed = _all(visits, call, asked)
    skipped = [host for host, error in failed.items() if isinstance(error, LeftOut)]
    for host in skipped:
        sys.stderr.write(f"left out: {host}: {said(failed.pop(host))}\n")
    if len(skipped) == len(hosts):
        raise DeployError(f"{name}: none of the hosts could be reached")
    if failed:
        raise _failure(name, failed, len(hosts))


def _all(visits: list[Visit], call: Call, asked: Asked) -> Failures:
    failed: Failures = {}
    gate = threading.Semaphore(asked.load().parallel)

    def work(visit: Visit) -> None:
        try:
            if asked.skip_bad_hosts:
                visit.reach()
            visit.call(call)
        except BaseException as error:  # a thread has nobody above it who could catch this
            if not (isinstance(error, Exit) and error.code == 0):
                failed[visit.host.name] = error
        finally:
            gate.release()

    streams = {_thread(visit): visit.out for visit in visits}
    usual = sys.stdout
    with as_interrupts(), _closed(visits), redirect_stdout(ByThread(streams, usual)):
        threads = []
        for one in visits:
            gate.acquire()
            threads.append(
                threading.Thread(target=work, args=(one,), name=_thread(one), daemon=True)
            )
            threads[-1].start()
        for thread in threads:
            thread.join()
    return {one.host.name: failed[one.host.name] for one in visits if one.host.name in failed}


@contextmanager
def _closed(visits: list[Visit]) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        for one in visits:
            one.stop()
        raise
    finally:
        for one in visits:
            one.close()


def _thread(visit: Visit) -> str:
    return f"task on {visit.host.name}"


def _failure(name: str, failed: Failures, count: int) -> DeployError:
    lines = [f"{host}: {said(error)}{_tail(error)}" for host, error in failed.items()]
    if len(lines) == 1:
        return DeployError(f"{name} failed on {lines[0]}")
    return DeployError("\n  ".join((f"{name} failed on {len(lines)} of {count} hosts", *lines)))


def _tail(error: BaseException) -> str:
    if not isinstance(error, Failure) or not error.result.hide:
        return ""
    hidden = f"{error.result.stdout}\n{error.result.stderr}".split("\n")
    return "".join(f"\n    {line}" for line in [one for one in hidden if one.strip()][-TAIL:])
