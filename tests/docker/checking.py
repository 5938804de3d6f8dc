"""Breaks a host, or the settings on it, and mends it again: for the stories of `fab check`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from tests.docker.checkout import Checkout
from tests.docker.hosts import ROOT, WEB, Hosts, wait_for
from tests.docker.told import Told
from tests.sandbox.docker import try_docker

INSTALL = (
    "command -v memcached aiosmtpd >/dev/null || { apt-get update -q && DEBIAN_FRONTEND="
    "noninteractive apt-get install -qy --no-install-recommends memcached python3-aiosmtpd; }"
)
MEMCACHED = (
    "pkill -KILL -x memcached; while bash -c '</dev/tcp/127.0.0.1/11211'; do sleep 0.1; done"
    " 2>/dev/null; memcached -d -u nobody -l {address}"
)
MAIL = "setsid aiosmtpd -n -l 127.0.0.1:2525 -c {sink} >/dev/null 2>&1 &"
SINK = "aiosmtpd.handlers.Sink"
SETTINGS = f"{ROOT}/current/config/settings"

SANE = """
from config.settings.production import *

CACHES = {"default": {
    "BACKEND": "django.core.cache.backends.memcached.PyMemcacheCache",
    "LOCATION": "127.0.0.1:11211",
}}
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
EMAIL_HOST, EMAIL_PORT = "127.0.0.1", 2525
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
SECURE_HSTS_SECONDS = 3600
"""
"""The sample site's own settings, as they are where there are HTTPS, memcached and mail."""


@dataclass(frozen=True)
class Bench:
    """Hosts with what a site depends on, and settings on them that no visitor meets."""

    hosts: Hosts
    base: Checkout

    def prepare(self) -> None:
        """Memcached, and a mail server that throws everything away, on each web host."""
        self.hosts.each(INSTALL, WEB)
        self.hosts.each(MEMCACHED.format(address="127.0.0.1"), WEB)
        self.hosts.each(MAIL.format(sink=SINK), WEB)
        for name in WEB:
            wait_for(lambda name=name: self._answers(name))  # type: ignore[misc]

    def clean(self) -> None:
        """Take away what runs, and the settings."""
        self.hosts.each("pkill -x memcached; pkill -f [a]iosmtpd; true", WEB)
        self.hosts.each(f"rm -f {SETTINGS}/checked.py", (*WEB, "db1"))

    def check(self, text: str = "", *words: str, code: int = 0, only: Sequence[str] = ()) -> Told:
        """What `fab check` says of sane settings with these lines added, on some hosts or all."""
        everywhere = (*WEB, "db1")
        for name in everywhere:
            whole = SANE + (text if name in (only or everywhere) else "")
            self._put(name, f"{SETTINGS}/checked.py", whole)
        settings = ("--set", "settings=config.settings.checked", "--set", "checks.waive=")
        return self.base.fab(*settings, "check", "--json", *words, code=code)

    def _put(self, name: str, path: str, text: str) -> None:
        container = self.hosts.fleet.container(name)
        line = f"rm -rf {SETTINGS}/__pycache__/checked.*; cat >{path}"
        words = ("exec", "--interactive", "--user", "deploy", container, "sh", "-c", line)
        done, said = try_docker(*words, stdin=text.encode())
        assert done, said

    def _answers(self, name: str) -> bool:
        ports = 'for p in 11211 2525; do bash -c "</dev/tcp/127.0.0.1/$p" || exit 1; done'
        return self.hosts.tried(name, ports)[0]

    @contextmanager
    def broken(self, name: str, breaks: str, mends: str) -> Iterator[None]:
        """While the block lasts: the shell line was run on the host; the other one mends it."""
        self.hosts.on(name, breaks)
        try:
            yield
        finally:
            self.hosts.on(name, mends)


def failing(told: Told) -> dict[str, dict[str, object]]:
    """The checks that fail, errors and warnings, by name."""
    events = told.of("check")
    return {str(one["check"]): one for one in events if one["state"] in ("error", "warning")}
