"""The hosts of the test fleet, as their visitors and as root on them see them."""

import http.client
import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.sandbox.docker import try_docker
from tests.sandbox.members import Fleet

ROOT = "/srv/www/guestbook"
WEB = ("web1", "web2")
SERVING = (*WEB, "static1")
ALL = (*SERVING, "db1")
IN_A_ROW = 4
LISTING = (
    f"find {ROOT} -path '*/__pycache__*' -prune -o -path {ROOT}/run/'*' -prune "
    f"-o -printf '%P %y %l %u %m\\n' | sort"
)
"""Everything below the root but what site processes say of themselves and compiled code."""


@dataclass(frozen=True)
class Answer:
    """What a web server answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    @property
    def release(self) -> str:
        """The release that answered, as the site's own process says."""
        return self.headers.get("x-release", "")


def ask(
    url: str,
    method: str = "GET",
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """What the server says; the path is sent as it stands here, dots and all."""
    place = urlsplit(url)
    path = url[len(f"{place.scheme}://{place.netloc}") :] or "/"
    call = http.client.HTTPConnection(place.netloc, timeout=30)
    try:
        call.request(method, path, body or None, dict(headers or {}))
        said = call.getresponse()
        found = {name.lower(): value for name, value in said.getheaders()}
        return Answer(said.status, found, said.read())
    finally:
        call.close()


@dataclass(frozen=True)
class Hosts:
    """The hosts of a fleet."""

    fleet: Fleet

    def on(self, name: str, line: str, user: str = "root") -> str:
        """What the shell line says on the host; the test fails if the line does."""
        done, said = self.tried(name, line, user)
        assert done, f"{name}: {line}: {said}"
        return said

    def tried(self, name: str, line: str, user: str = "root") -> tuple[bool, str]:
        """Whether the shell line succeeded on the host, and what it said."""
        words = ("exec", "--user", user, self.fleet.container(name), "sh", "-c", line)
        return try_docker(*words)

    def each(self, line: str, names: Sequence[str] = ALL) -> dict[str, str]:
        """What the shell line says on each of these hosts."""
        with ThreadPoolExecutor(len(names)) as pool:
            said = pool.map(lambda name: self.on(name, line), names)
            return dict(zip(names, said, strict=True))

    def get(self, name: str, path: str = "/", **headers: str) -> Answer:
        """What a visitor of the host is answered."""
        return ask(f"{self.fleet.urls[name]}{path}", headers=headers)

    def released(self, name: str) -> str:
        """The release from which the host really answers, several times in a row."""
        if name == "static1":
            return self.on(name, "curl -s http://127.0.0.1/-/release").strip()
        answers = {self.get(name).release for _ in range(IN_A_ROW)}
        assert len(answers) == 1, f"{name} answers from {answers}"
        return answers.pop()

    def served(self) -> dict[str, str]:
        """The release from which each serving host answers."""
        return {name: self.released(name) for name in SERVING}

    def pages(self) -> dict[str, str]:
        """The front page of each web host."""
        return {name: self.get(name).text for name in WEB}

    def stylesheet(self, name: str = "web1") -> str:
        """The address of the stylesheet that the front page of the host names."""
        return self.get(name).text.split('rel="stylesheet" href="')[1].split('"')[0]

    def listing(self) -> dict[str, str]:
        """All there is below the site's root on every host."""
        return self.each(LISTING)

    def locks(self) -> dict[str, bool]:
        """Whether there is a lock on each host."""
        said = self.each(f"ls {ROOT}/.deploy | grep -c '^lock' || true")
        return {name: int(text) > 0 for name, text in said.items()}

    def at_rest(self, names: Sequence[str] = ALL) -> None:
        """Fails if a lock is left, or if a process of the deploy user still runs after a while."""
        until = time.monotonic() + 10.0
        line = f"ps -o pid=,args= -u deploy; ls -d {ROOT}/.deploy/lock* 2>/dev/null || true"
        while any(left := self.each(line, names).values()):
            if time.monotonic() > until:
                raise AssertionError(f"left behind: {left}")
            time.sleep(0.1)

    @contextmanager
    def behind_a_link(self, name: str, place: str) -> Iterator[None]:
        """While the block lasts, the folder lies elsewhere on the host, and a link leads there."""
        self.on(name, f"mv {place} /srv/elsewhere && ln -s /srv/elsewhere {place}")
        try:
            yield
        finally:
            self.on(name, f"rm {place} && mv /srv/elsewhere {place}")

    @contextmanager
    def trap(self, name: str, program: str, when: str, what: str) -> Iterator["Trap"]:
        """While the block lasts: the first call of `program` on the host does `what` instead.

        `when` is a shell pattern that its arguments must match.
        """
        trap = Trap(self, name, f"/tmp/trap-{program}")
        wrapper = (
            f'#!/bin/sh\ncase "$*" in {when}) if rm {trap.flag} 2>/dev/null; then\n{what}\n'
            f'fi ;; esac\nexec /usr/bin/{program} "$@"\n'
        )
        path = f"/usr/local/bin/{program}"
        line = f"printf %s {shlex.quote(wrapper)} >{path} && chmod 755 {path}"
        self.on(name, f"touch {trap.flag} && chown deploy {trap.flag} && {line}")
        try:
            yield trap
        finally:
            self.on(name, f"rm -f {path} {trap.flag}")


@dataclass(frozen=True)
class Trap:
    """Something that waits on a host to be called."""

    hosts: Hosts
    name: str
    flag: str

    def sprung(self, seconds: float = 60.0) -> None:
        """Waits until it was called."""
        wait_for(lambda: not self.hosts.tried(self.name, f"test -e {self.flag}")[0], seconds)


def wait_for(what: Callable[[], bool], seconds: float = 30.0) -> None:
    """Waits until `what` is true; fails if that takes too long."""
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.05)
