"""The hosts of the fleet as the trust suite looks at them: one root shell a host, kept open."""

import secrets
import subprocess
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from deploy.errors import Inconsistent
from deploy.journal import Entry, parse
from tests.sandbox.members import Fleet

ROOT = "/srv/www/guestbook"
WEB = ("web1", "web2")
SERVING = (*WEB, "static1")
ALL = (*SERVING, "db1")
STATE = f"""
cd {ROOT} || exit 1
for f in .deploy/lock*; do [ -e "$f" ] && echo "lock $f $(head -n 1 "$f")"; done
[ -e .deploy/frozen ] && echo "frozen"
[ -e .deploy/journal ] && sed 's/^/journal /' .deploy/journal
[ -L current ] && echo "current $(basename "$(readlink current)")"
[ -L static/current ] && echo "static $(basename "$(readlink static/current)")"
for d in releases/*/; do [ -e "$d/release.json" ] && echo "complete $(basename "$d")"; done
for d in static/releases/*/; do [ -e "$d/release.json" ] && echo "files $(basename "$d")"; done
ps -o pid=,args= -u deploy | sed 's/^/process /'
[ -e static/current ] && echo "served $(curl -s -m 5 http://127.0.0.1/-/release | head -c 40)"
true
"""


@dataclass(frozen=True)
class State:
    """What one host has: its links, its locks and journal, and what of the deploy user runs."""

    current: str = ""
    static: str = ""
    served: str = ""
    complete: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    locks: tuple[str, ...] = ()
    processes: tuple[str, ...] = ()
    runs: tuple[Entry, ...] = ()
    fault: str = ""

    @property
    def open_runs(self) -> tuple[Entry, ...]:
        """Runs that began here, and of which the host does not know the end."""
        return tuple(entry for entry in self.runs if not entry.ended)


def understood(host: str, lines: Iterable[str]) -> State:
    """The state from what STATE printed; a journal that cannot be read is its `fault`."""
    said: dict[str, list[str]] = {}
    for line in lines:
        key, _, value = line.partition(" ")
        said.setdefault(key, []).append(value)
    runs: tuple[Entry, ...] = ()
    fault = ""
    try:
        runs = parse(host, said.get("journal", []))
    except Inconsistent as torn:
        fault = torn.what
    return State(
        current=said.get("current", [""])[0],
        static=said.get("static", [""])[0],
        served=said.get("served", [""])[0],
        complete=tuple(said.get("complete", ())),
        files=tuple(said.get("files", ())),
        locks=tuple(said.get("lock", ())),
        processes=tuple(said.get("process", ())),
        runs=runs,
        fault=fault,
    )


class Shell:
    """A root shell in a container that takes one script after the other."""

    def __init__(self, container: str) -> None:
        self._container = container
        self._program: subprocess.Popen[str] | None = None
        self._one = threading.Lock()

    def run(self, script: str) -> str:
        """What the script says. Raises OSError when the container does not run."""
        with self._one:
            program = self._started()
            mark = secrets.token_hex(8)
            assert program.stdin is not None
            assert program.stdout is not None
            program.stdin.write(f"(\n{script}\n) 2>&1 </dev/null; echo {mark}\n")
            program.stdin.flush()
            said: list[str] = []
            for line in program.stdout:
                rest, ended, _ = line.partition(mark)
                said.append(rest)
                if ended:
                    return "".join(said)
        self.close()
        raise OSError(f"{self._container} does not run: {''.join(said)}")

    def close(self) -> None:
        """End the shell; the next `run` starts another."""
        if self._program is not None:
            self._program.kill()
            self._program.communicate()
            self._program = None

    def _started(self) -> subprocess.Popen[str]:
        if self._program is None or self._program.poll() is not None:
            self._program = subprocess.Popen(
                ["docker", "exec", "-i", self._container, "bash"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
        return self._program


class Hosts:
    """The hosts, each with its shell."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self._shells = {name: Shell(fleet.container(name)) for name in ALL}

    def on(self, name: str, script: str) -> str:
        """What a shell script says, run as root on the host."""
        return self._shells[name].run(script)

    def each(self, script: str, names: Iterable[str] = ALL) -> dict[str, str]:
        """What the script says on each of these hosts, run on all at once."""
        asked = tuple(names)
        with ThreadPoolExecutor(len(asked)) as pool:
            return dict(zip(asked, pool.map(lambda one: self.on(one, script), asked), strict=True))

    def states(self, names: Iterable[str] = ALL) -> Mapping[str, State]:
        """The state of each of these hosts."""
        said = self.each(STATE, names)
        return {name: understood(name, text.splitlines()) for name, text in said.items()}

    def close(self) -> None:
        """End the shells."""
        for shell in self._shells.values():
            shell.close()
