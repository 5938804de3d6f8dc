"""What a test session gave away of the secrets of its fleets, by any door: must be nothing.

Command lines and environments are looked at while the session goes on (watcher.py); files of the
hosts before their fleet is removed; files of the operator, and what tests captured, in the end.
"""

import json
import mmap
import os
import re
import subprocess
import sys
import threading
import time
from bisect import bisect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.docker.canaries import canaries
from tests.sandbox import containers, files, image
from tests.sandbox.docker import docker, try_docker
from tests.sandbox.members import prefix

WATCHER = Path(__file__).with_name("watcher.py")
BESIDE_DOCKER = (
    *("run", "--rm", "--interactive", "--pid=host", "--cap-add=SYS_PTRACE"),
    "--security-opt=apparmor=unconfined",
)
"""What it takes to read the environment of any process."""
UNPACK = "import json; exec(json.loads(open(0, 'rb', 0, closefd=False).readline()))"
KERNEL = "cat /proc/sys/kernel/random/boot_id; readlink /proc/self/ns/pid"
"""Two programs for which this says the same see the same processes."""
SEARCH = (
    "grep -rlaZF -f - --exclude-dir=venvs "
    "/etc /home /opt /root /run /srv /tmp /usr/local /var 2>/dev/null | xargs -0r stat -c '%Y %n'"
)
"""For each file that holds what is asked for: when it was written, and its path."""
MEANT = re.compile(r"/srv/www/[^/]+/shared/env")
"""The one file of a host where secrets are at home."""
KEPT = (files.SECRETS, "secret.env")
"""Files of the tests from which the secrets come."""
NOT_OURS = ("site-packages", "venvs")

ALLOWED: tuple[tuple[str, str], ...] = ()
"""Programs that get a secret by this variable of their environment, and why nothing else serves."""


Tell = Callable[[str], None]


@dataclass
class Watch:
    """A watcher that runs; `tell` gets a line for each place where it sees a secret."""

    process: subprocess.Popen[str]
    tell: Tell
    cost: dict[str, Any] = field(default_factory=dict)
    _knows: threading.Condition = field(default_factory=threading.Condition)
    _answers: int = 0

    def __post_init__(self) -> None:
        threading.Thread(target=self._listen, daemon=True).start()
        for program, variable in ALLOWED:
            self._tell({"program": program, "allow": variable})

    def learn(self, name: str, shapes: Sequence[str]) -> None:
        """Looks for this secret from the moment when this returns."""
        self._tell({"secret": name, "forms": [shape.encode().hex() for shape in shapes]})

    def close(self) -> None:
        """Ends it."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(30)

    def _tell(self, line: Mapping[str, object]) -> None:
        assert self.process.stdin
        with self._knows:
            wanted = self._answers + 1
            self.process.stdin.write(json.dumps(line) + "\n")
            self.process.stdin.flush()
            if not self._knows.wait_for(lambda: self._answers >= wanted, timeout=60):
                raise AssertionError("the watcher of secrets does not answer")

    def _listen(self) -> None:
        assert self.process.stdout
        for text in self.process.stdout:
            line = json.loads(text)
            if "secret" in line:
                self.tell("{secret}: {where} of {program} ({pid}): {words}".format(**line))
            elif "watching" in line:
                with self._knows:
                    self._answers += 1
                    self._knows.notify_all()
            else:
                self.cost.update(line)


def watch_here(tell: Tell) -> Watch:
    """A watcher of the processes of this machine."""
    return Watch(_started([sys.executable, "-I", str(WATCHER)]), tell)


def watch_beside_docker(tell: Tell) -> Watch:
    """A watcher where the containers run, be it another machine: it sees the processes of all."""
    words = (*BESIDE_DOCKER, "--entrypoint", "python3", image.tag(), "-c", UNPACK)
    process = _started(["docker", *words])
    assert process.stdin
    process.stdin.write(json.dumps(WATCHER.read_text()) + "\n")
    return Watch(process, tell)


def _started(argv: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


class Leaks:
    """The watch over a session; `found` says, without the secret, where one was seen, and when.

    `begun` holds the tests of the session with their first second, and grows as it goes on.
    """

    def __init__(self, home: Path, begun: Sequence[tuple[float, str]]) -> None:
        self.found: list[str] = []
        self.secrets: dict[str, tuple[str, ...]] = {}
        self._home = home
        self._begun = begun
        self._told = 0
        self._watches: list[Watch] = []
        self._fleets: set[str] = set()

    def learn(self, fleet: str, secrets: files.Secrets) -> None:
        """Looks for the secrets of a fleet, too."""
        if fleet in self._fleets:
            return
        self._fleets.add(fleet)
        for name, shapes in canaries(secrets).items():
            self.add(f"{name} secret of {fleet}", shapes)

    def add(self, name: str, shapes: tuple[str, ...]) -> None:
        """Looks for one more secret, which tests put somewhere."""
        if not self._watches:
            self._watches = [watch_here(self._saw)]
            if not _sees_containers():
                self._watches.append(watch_beside_docker(self._saw))
        self.secrets[name] = shapes
        for watch in self._watches:
            watch.learn(name, shapes)

    def told(self, what: str, text: str) -> None:
        """Looks at something that was said."""
        self.found += [f"{name}: in {what}" for name in self._in(text.encode())]

    def search_host(self, container: str) -> None:
        """Looks at the files of a host: logs, releases, journals, whatever was left behind."""
        every = "\n".join(shape for shapes in self.secrets.values() for shape in shapes)
        if not every:
            return
        try_docker("start", container)
        done, said = try_docker(
            "exec", "--interactive", container, "sh", "-c", SEARCH, stdin=every.encode()
        )
        if not done:
            self.found.append(f"{container} could not be searched: {said}")
        for second, path in (line.split(" ", 1) for line in said.splitlines() if done):
            if not MEANT.fullmatch(path):
                self._saw(f"a secret: in {container}:{path}", float(second))
        self.told(f"docker logs {container}", try_docker("logs", container)[1])

    def search_fleets(self) -> None:
        """Looks at the hosts of every fleet that is still there."""
        for fleet in self._fleets:
            for member in containers.found(fleet).values():
                self.search_host(member.container)

    def search_here(self) -> None:
        """Looks at the files that the operator has: logs, reports, artefacts, what `fab` said."""
        for path in _files(self._home):
            try:
                with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as m:
                    for name in self._in(m):
                        self._saw(f"{name}: in {path}", path.stat().st_mtime)
            except (OSError, ValueError):
                continue  # a socket, a link to nothing, an empty file

    def news(self) -> list[str]:
        """What was found since this was asked the last time."""
        old, new = self.found[: self._told], self.found[self._told :]
        self._told = len(self.found)
        return [line for line in dict.fromkeys(new) if line not in old]

    def close(self) -> str:
        """Ends the watch; what it cost, in a sentence for each watcher."""
        for watch in self._watches:
            watch.close()
        text = (
            "looked for {secrets} secrets in {processes} processes {looks} times in {seconds} s,"
            " at most {longest} s apart, for {cpu} s of processor time"
        )
        costs = [text.format(secrets=len(self.secrets), **one.cost) for one in self._watches]
        return "\n".join(costs) or "there was no fleet, so there were no secrets to look for"

    def _saw(self, what: str, moment: float | None = None) -> None:
        # A file on a host knows its age in whole seconds.
        place = bisect(self._begun, (moment + 1 if moment else time.time(), ""))
        during = self._begun[place - 1][1] if place else "no test"
        self.found.append(f"{what} [{'last written' if moment else 'seen'} during {during}]")

    def _in(self, content: bytes | mmap.mmap) -> list[str]:
        found = []
        for name, shapes in self.secrets.items():
            if any(content.find(shape.encode()) >= 0 for shape in shapes):
                found.append(name)
        return found


def attend(leaks: Leaks, patch: pytest.MonkeyPatch) -> None:
    """Has `leaks` learn the secrets of every fleet that a test brings up, and search its hosts
    before they are removed, whichever test it is."""
    keep, remove = files.keep_secrets, containers.remove

    def keep_and_learn(state: Path) -> files.Secrets:
        kept = keep(state)
        leaks.learn(prefix(state), kept)
        return kept

    def search_and_remove(fleet: str) -> list[str]:
        for member in containers.found(fleet).values():
            leaks.search_host(member.container)
        return remove(fleet)

    patch.setattr(files, "keep_secrets", keep_and_learn)
    patch.setattr(containers, "remove", search_and_remove)


def _sees_containers() -> bool:
    """Whether a watcher here can look at what runs in containers, too."""
    if os.geteuid() != 0:
        return False
    here = subprocess.run(["sh", "-c", KERNEL], capture_output=True, text=True, check=True).stdout
    words = ("--rm", "--pid=host", "--entrypoint", "sh", image.tag(), "-c", KERNEL)
    return docker("run", *words) == here


def _files(top: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(top):
        folders[:] = [name for name in folders if name not in NOT_OURS]
        paths = (Path(folder) / name for name in names if name not in KEPT)
        # Whoever opens a pipe that nobody writes to waits for ever.
        yield from (path for path in paths if path.is_file())
