"""Runs a management command of one release, or a module of its packages.

run.py ROOT RELEASE ARGUMENT...         as manage.py ARGUMENT... would
run.py ROOT RELEASE -m MODULE WORD...   as python -m MODULE WORD... would: celery, rq, huey

RELEASE is an id, or `current`. Started with the release's own Python, as a user that may read
shared/env. Exit code 2 if the command was not started; else the command's own.
"""

from __future__ import annotations

import runpy
import sys
import traceback
from pathlib import Path

from enter import enter, facts, release_of
from envfile import NotReady, mask


def main(arguments: list[str]) -> int:
    """Enter the release and hand over to Django."""
    if len(arguments) < 3:
        sys.stderr.write("usage: run.py ROOT RELEASE COMMAND [ARGUMENT...]\n")
        return 2
    root = Path(arguments[0])
    try:
        release = release_of(root, arguments[1])
        values = enter(root, release, facts(root, release)["settings"])
    except NotReady as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if arguments[2] == "-m" and len(arguments) > 3:
        sys.argv = arguments[3:]
        runpy.run_module(arguments[3], run_name="__main__", alter_sys=True)
        return 0
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(["manage.py", *arguments[2:]])
    except Exception:
        # Python's own traceback would show what drivers and settings put into their messages.
        sys.stderr.write(mask(traceback.format_exc(), values))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
