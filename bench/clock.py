"""Runs a program and says what it cost this machine, with everything that it left behind.

    python clock.py RESULT PROGRAM [WORD...]

Some tools leave a process behind that keeps a connection. This one is the reaper of all that its
program starts, however deep, so that their CPU time is counted as well. They are ended in the end.
"""

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

CHILD_SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER of linux/prctl.h."""


def main(result: Path, argv: list[str]) -> int:
    """Run the program, write its costs to `result` as JSON, and pass its exit code on."""
    ctypes.CDLL(None).prctl(CHILD_SUBREAPER, 1, 0, 0, 0)
    began = time.monotonic()
    code = subprocess.call(argv)
    ended = time.monotonic()
    end_the_rest()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    costs = {
        "began": began,
        "ended": ended,
        "cpu": used.ru_utime + used.ru_stime,
        "memory": used.ru_maxrss * 1024,
    }
    result.write_text(json.dumps(costs))
    return code


def end_the_rest() -> None:
    """End and reap whatever still runs below this process."""
    while True:
        for child in children():
            os.kill(child, signal.SIGTERM)
        try:
            os.wait()
        except ChildProcessError:
            return


def children() -> list[int]:
    """The processes whose parent this one is."""
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
