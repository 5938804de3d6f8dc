"""Looks for secrets in every command line and every environment of this kernel, each 10 ms.

What has not changed for a second is looked at each 100 ms: it could become another program.

A program by itself, for any Python 3.9 or newer: it is also started in containers. On standard
input it gets lines of JSON: {"secret": NAME, "forms": [HEX, ...]} is a secret to look for from then
on, {"allow": VARIABLE, "program": NAME} a variable that this program alone may have in its
environment. On standard output it says {"watching": COUNT} for each line, and a line for each
place where it saw a secret, without the secret. When standard input ends, it says what it cost,
and ends.
"""

from __future__ import annotations

import json
import os
import resource
import select
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

EVERY = 0.01
YOUNG = 100
"""For so many looks a process is looked at each time; from then on, each of SELDOM times."""
SELDOM = 10
AGAIN = 3
"""How often a new program is looked at: the kernel sets up its words a moment after its name."""
WORDS = 65536


class Process:
    """A process, by an open file that stays its own whatever becomes of its number."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.file = os.open(f"/proc/{pid}/cmdline", os.O_RDONLY)
        self.words = b""
        self.again = 0
        self.looks = 0


class Watcher:
    """All processes, and what is looked for in them."""

    def __init__(self, say: Callable[[dict[str, Any]], None]) -> None:
        self.say = say
        self.secrets: dict[str, list[bytes]] = {}
        self.allowed: set[tuple[str, str]] = set()
        self.processes: dict[int, Process] = {}
        self.kernel: set[int] = set()
        self.looks = 0
        self.load = os.open("/proc/loadavg", os.O_RDONLY)
        self.newest = b""
        self.said: set[tuple[Any, ...]] = set()
        self.clean: set[bytes] = set()

    def learn(self, line: dict[str, Any]) -> None:
        """One more secret, or one more place where a secret may be."""
        if "secret" in line:
            self.secrets[line["secret"]] = [bytes.fromhex(form) for form in line["forms"]]
            self.clean.clear()
            for process in self.processes.values():
                process.again, process.looks = AGAIN, 0
        else:
            self.allowed.add((line["program"], line["allow"]))
        self.say({"watching": len(self.secrets)})

    def look(self) -> None:
        """At every process that is new or has become another program."""
        self.looks += 1
        for pid, process in list(self.processes.items()):
            process.looks += 1
            if process.looks > YOUNG and (self.looks + pid) % SELDOM:
                continue
            try:
                words = os.pread(process.file, WORDS, 0)
            except OSError:
                os.close(process.file)
                del self.processes[pid]
                continue
            if words != process.words:
                process.words, process.again, process.looks = words, AGAIN, 0
            if process.again:
                process.again -= 1
                self.examine(process)
                if not (process.again or words):
                    # A part of the kernel, or dead: it will never have a word.
                    self.kernel.add(pid)
                    os.close(process.file)
                    del self.processes[pid]
        # The last word is the number of the newest process: equal means that nobody came.
        newest = os.pread(self.load, 128, 0).rsplit(None, 1)[-1]
        if newest != self.newest:
            self.newest = newest
            self.welcome()

    def welcome(self) -> None:
        """Begins to watch the processes that have come."""
        there = {int(name) for name in os.listdir("/proc") if name.isdigit()}  # noqa: PTH208 - fast
        self.kernel &= there
        for pid in there - self.kernel - self.processes.keys():
            with suppress(OSError):
                process = self.processes[pid] = Process(pid)
                process.words, process.again = os.pread(process.file, WORDS, 0), AGAIN - 1
                self.examine(process)

    def examine(self, process: Process) -> None:
        """Says which secrets are in the words of a process, or in what it was started with."""
        program = process.words.partition(b"\0")[0].rpartition(b"/")[2].decode(errors="replace")
        for secret in self.held(process.words):
            self.tell(process, secret, program, "argv")
        try:
            environment = Path(f"/proc/{process.pid}/environ").read_bytes()
        except OSError:
            return
        # Most programs get the environment of the one that started them, which was looked at.
        if environment in self.clean:
            return
        if not self.held(environment):
            self.clean.add(environment)
            return
        for pair in environment.split(b"\0"):
            name = pair.partition(b"=")[0].decode(errors="replace")
            for secret in self.held(pair):
                if (program, name) not in self.allowed:
                    self.tell(process, secret, program, f"environment, {name}")

    def held(self, text: bytes) -> list[str]:
        """The names of the secrets in a text."""
        return [name for name, forms in self.secrets.items() if any(form in text for form in forms)]

    def tell(self, process: Process, secret: str, program: str, where: str) -> None:
        """A line for a leak, once."""
        leak = {"secret": secret, "where": where, "program": program, "pid": process.pid}
        if tuple(leak.values()) not in self.said:
            self.said.add(tuple(leak.values()))
            words = process.words
            for form in self.secrets[secret]:
                words = words.replace(form, b"<" + secret.encode() + b">")
            self.say({**leak, "words": words.replace(b"\0", b" ").decode(errors="replace")[:300]})


def say(line: dict[str, Any]) -> None:
    """A line for whoever started this."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Watches until standard input ends."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with suppress(OSError):
        os.nice(-10)  # it does little, but what it does must not come late
    watcher, began, looks, longest, heard = Watcher(say), time.monotonic(), 0, 0.0, b""
    last = began
    while True:
        now = time.monotonic()
        longest, last, looks = max(longest, now - last), now, looks + 1
        watcher.look()
        if select.select([0], [], [], max(0.0, now + EVERY - time.monotonic()))[0]:
            data = os.read(0, 65536)
            if not data:
                break
            *lines, heard = (heard + data).split(b"\n")
            for line in lines:
                watcher.learn(json.loads(line))
    seconds = time.monotonic() - began
    said = {"looks": looks, "seconds": round(seconds, 2), "cpu": round(time.process_time(), 2)}
    say({**said, "longest": round(longest, 3), "processes": len(watcher.processes)})


if __name__ == "__main__":
    main()
