"""How a task reaches the world: the hosts over SSH, this machine, the operator's eyes, the log."""

import getpass
import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path

from deploy.asked import Asked
from deploy.command import Command
from deploy.here import Here
from deploy.host import Host
from deploy.means import Means
from deploy.reach import Reach
from deploy.report import Emit, Event
from deploy.report.jsonevents import JsonEvents
from deploy.report.log import Log
from deploy.report.plain import Plain
from deploy.signals import as_interrupts
from deploy.workshop import Workshop

APPLICATION = "fab-deploy"


@contextmanager
def means(asked: Asked, verb: str, *, logged: bool = True, live: bool = True) -> Iterator[Means]:
    """The real means of one task. The path of the full log is printed at the end.

    What is not `live` says its lines and no more: a program on a host may have the terminal.

    Until then the signals that end programs are Ctrl-C: what was begun is taken back.
    """
    log = _log(asked, verb) if logged else None
    screen = _screen(asked, live=live)

    def emit(event: Event) -> None:
        if log:
            log(event)
        screen(event)

    try:
        with as_interrupts():
            yield Means(
                here=Here(),
                reach=_link,
                emit=emit,
                workshop=_workshop,
                who=who(),
                terminal=_terminal if _has_terminal() else None,
                passes_on=not sys.stdout.isatty(),
            )
    finally:
        close = getattr(screen, "close", None)
        if close:
            close()
        if log:
            log.close()
            with suppress(OSError):  # nobody may read it any more
                sys.stderr.write(f"log: {log.path}\n")


def who() -> str:
    """The operator, as the hosts are to remember them."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # in a container, a number may be all there is
        user = f"uid-{os.getuid()}"
    return f"{user}@{platform.node()}".replace(" ", "-")


def _link(host: Host, words: str) -> Reach:
    from deploy.ssh.link import Link

    return Link(host, words)


def _has_terminal() -> bool:
    """Whether a person can be asked: both ways, and not from a job in the background."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except OSError:  # a terminal, but not ours
        return False


def _terminal(host: Host, command: Command) -> int:
    from deploy.ssh.terminal import at_terminal

    return at_terminal(host, command)


def _screen(asked: Asked, *, live: bool) -> Emit:
    if isinstance(sys.stdout, TextIOWrapper):
        # A commit's subject may hold what this terminal cannot show.
        sys.stdout.reconfigure(errors="backslashreplace")
    if asked.json:
        return JsonEvents(sys.stdout)
    if live and sys.stdout.isatty():
        from deploy.report.live import Screen

        return Screen()
    return Plain(sys.stdout)


def _workshop(project: str) -> Workshop:
    from platformdirs import user_cache_path

    return Workshop(user_cache_path(APPLICATION) / project)


def _log(asked: Asked, verb: str) -> Log | None:
    """The log; none where it cannot be made, and a word of that: going back needs no log."""
    path = _log_path(asked, verb)
    try:
        return Log(path)
    except OSError as error:
        sys.stderr.write(f"no log is written: {path.parent}: {error.strerror}\n")
        return None


def _log_path(asked: Asked, verb: str) -> Path:
    from platformdirs import user_log_path

    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}-{verb}.log"
    return user_log_path(APPLICATION) / asked.top.name / name
