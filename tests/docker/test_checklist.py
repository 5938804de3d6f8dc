"""The deployment checklist on real hosts: each line broken there and named, and a sane site."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from deploy.checks.catalogue import NAMES
from tests.docker.checking import MEMCACHED, Bench, failing
from tests.docker.checkout import Checkout
from tests.docker.hosts import ROOT, Hosts, wait_for
from tests.docker.told import Told

pytestmark = pytest.mark.docker

SETTINGS_ALONE = """
SECRET_KEY = "django-insecure-but-in-the-code"
ALLOWED_HOSTS = ["*"]
CACHES["default"]["LOCATION"] = ["8.8.8.8:11211"]
CACHES["own"] = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
SESSION_ENGINE, SESSION_CACHE_ALIAS = "django.contrib.sessions.backends.cache", "own"
DATABASES["default"].update(PASSWORD="written-into-the-code", CONN_MAX_AGE=0)
DATABASES["other"] = {
    "ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"
}
EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
DEFAULT_FROM_EMAIL = "webmaster@localhost"
STATIC_ROOT = "/var/static"
STATICFILES_DIRS = ["/var/static"]
MEDIA_ROOT = BASE_DIR / "uploads"
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = False
SECURE_HSTS_SECONDS = 0
SECURE_CONTENT_TYPE_NOSNIFF = False
TEMPLATES[0]["APP_DIRS"] = False
TEMPLATES[0]["DIRS"] = []
TEMPLATES[0]["OPTIONS"]["loaders"] = ["django.template.loaders.app_directories.Loader"]
LOGGING = {"version": 1, "disable_existing_loggers": False}
ADMINS = []
"""
BY_SETTINGS = {
    "secret-key-strength": "startproject",
    "secret-key-hidden": "config/settings/checked.py",
    "allowed-hosts": "ALLOWED_HOSTS has *",
    "caches-reachable": "CACHES['default']",
    "caches-private": "8.8.8.8:11211 is a public address",
    "session-store": "kind memory",
    "database-connection": "cannot reach postgresql database",
    "database-password": "config/settings/checked.py",
    "database-outside": "lies in the release",
    "email-backend": "the log",
    "default-from-email": "DEFAULT_FROM_EMAIL is at localhost",
    "static-root": "/var/static",
    "media-root": "uploads",
    "https-redirect": "is off",
    "csrf-cookie": "is off",
    "session-cookie": "SESSION_COOKIE_SECURE off",
    "hsts": "is 0",
    "conn-max-age": "is 0",
    "cached-templates": "no cached loader",
    "logging": "no handler",
    "admins": "ADMINS empty",
    "error-pages": "404.html missing",
    "system-checks": "staticfiles.E002",
    "check-deploy": "security.W006",
}

OTHERS_ALONE = """
import socket
DEBUG = True
SECRET_KEY = SECRET_KEY[::-1]
EMAIL_PORT = 2526
"""
ON_ONE_HOST = {
    "secret-key-equal": "SECRET_KEY differs: web1 / web2",
    "debug-off": "DEBUG is on",
    "email-host": "127.0.0.1:2526",
    "database-connections": "allows 100 connections",
}

VHOST = "/etc/apache2/sites-available/guestbook.conf"
OTHER_SITE = "<VirtualHost *:8099>\\nWSGIProcessGroup guestbook-blue\\n</VirtualHost>\\n"
SITE_PACKAGES = f"{ROOT}/current/venv/lib/python3*/site-packages"
AGE = "import time; time.time = lambda now=time.time: now() - 300"
RESTART = "apachectl restart"
ON_THE_HOST: dict[str, tuple[str, str, str]] = {
    "prepared": (
        "mv /usr/bin/rsync /usr/bin/rsync.away",
        "mv /usr/bin/rsync.away /usr/bin/rsync",
        "rsync is not installed",
    ),
    "python": (
        f"sed -i.kept 's/^Requires-Python: .*/Requires-Python: >=4.0/'"
        f" {SITE_PACKAGES}/[Dd]jango-*.dist-info/METADATA",
        f"cd {SITE_PACKAGES}/[Dd]jango-*.dist-info && mv METADATA.kept METADATA",
        "wants >=4.0",
    ),
    "requirements": (
        f"cd {ROOT}/current && sed -i.kept 's/^sqlparse==.*/sqlparse==0.0.1/' requirements.txt",
        f"cd {ROOT}/current && mv requirements.txt.kept requirements.txt",
        "sqlparse is",
    ),
    "permissions": (
        f"chmod o+w {ROOT}/current/manage.py",
        f"chmod o-w {ROOT}/current/manage.py",
        "web2 lets the site write releases/",
    ),
    "locale": (
        f"sed -i.kept 's/ lang=[^ ]* locale=[^ ]* / lang=C locale=C /' {VHOST} && {RESTART}",
        f"mv {VHOST}.kept {VHOST} && {RESTART}",
        "with the locale C",
    ),
    "process-group": (
        f"printf '{OTHER_SITE}' >/etc/apache2/sites-enabled/other.conf",
        "rm /etc/apache2/sites-enabled/other.conf",
        "other.conf uses the processes of this site",
    ),
    "keep-alive": (
        "echo 'KeepAliveTimeout 60' >/etc/apache2/conf-enabled/patience.conf",
        "rm /etc/apache2/conf-enabled/patience.conf",
        "60 seconds",
    ),
    "disk": (
        f"cd {ROOT}/shared && mv media media.kept && mkdir /dev/shm/media"
        " && ln -s /dev/shm/media media",
        f"cd {ROOT}/shared && rm -r media /dev/shm/media && mv media.kept media",
        "MiB are free",
    ),
    "clock": (
        f"for d in {SITE_PACKAGES}; do echo '{AGE}' >$d/late.pth; done",
        f"rm {SITE_PACKAGES}/late.pth",
        "web2 by -",
    ),
}
ADDRESSES = ("127.0.0.1", "0.0.0.0")  # noqa: S104 - the second is the fault that is looked for
OPEN_CACHE = "what answers at 127.0.0.1:11211 listens on all addresses"
DOES_NOT_LOAD = '\nPORT = int("hunter2-is-no-number")\n'


@pytest.fixture(scope="module")
def bench(hosts: Hosts, base: Checkout, first: Told) -> Iterator[Bench]:
    """The live site, with memcached and a mail server beside it."""
    assert first.code == 0, first.text
    made = Bench(hosts, base)
    made.prepare()
    yield made
    made.clean()
    base.fab("apache.check")


@pytest.fixture(scope="module")
def by_settings(bench: Bench) -> dict[str, Any]:
    """What fails with settings that are wrong in every way that leaves them loading."""
    return failing(bench.check(SETTINGS_ALONE, code=3))


@pytest.fixture(scope="module")
def on_one_host(bench: Bench) -> dict[str, Any]:
    """What fails when web2 alone has other settings, and Apache many threads."""
    bench.base.edit("../inventories/sandbox.toml", "[project]", "[project]\nweb.threads = 50")
    try:
        return failing(bench.check(OTHERS_ALONE, code=3, only=("web2",)))
    finally:
        bench.base.edit("../inventories/sandbox.toml", "[project]\nweb.threads = 50", "[project]")


@pytest.fixture(scope="module")
def on_the_host(bench: Bench) -> dict[str, Any]:
    """What fails when web2 itself is broken, in many ways at once."""
    with ExitStack() as stack:
        for breaks, mends, _ in ON_THE_HOST.values():
            stack.enter_context(bench.broken("web2", breaks, mends))
        wait_for(lambda: bool(_told_by_a_process(bench.hosts)))
        return failing(bench.check(code=3))


def _told_by_a_process(hosts: Hosts) -> str:
    line = "curl -sf http://127.0.0.1:8101/-/release || curl -sf http://127.0.0.1:8102/-/release"
    done, said = hosts.tried("web2", line)
    return said if done else ""


def test_a_sane_site_passes_every_check_without_a_warning(bench: Bench) -> None:
    told = bench.check()
    assert {one["check"]: one["state"] for one in told.of("check")} == dict.fromkeys(NAMES, "ok")
    assert told.result["warnings"] == 0


@pytest.mark.parametrize("name", BY_SETTINGS)
def test_a_setting_that_is_wrong_is_named_with_what_to_write(
    by_settings: dict[str, Any], name: str
) -> None:
    assert BY_SETTINGS[name] in by_settings[name]["found"]
    assert by_settings[name]["why"]
    assert by_settings[name]["write"]


@pytest.mark.parametrize("name", ON_ONE_HOST)
def test_what_is_wrong_on_one_host_alone_is_found(on_one_host: dict[str, Any], name: str) -> None:
    assert ON_ONE_HOST[name] in on_one_host[name]["found"]


@pytest.mark.parametrize("name", ON_THE_HOST)
def test_a_host_that_is_broken_is_named(on_the_host: dict[str, Any], name: str) -> None:
    assert ON_THE_HOST[name][2] in on_the_host[name]["found"]
    assert "web2" in on_the_host[name]["hosts"]


def test_nothing_else_is_named(
    by_settings: dict[str, Any], on_one_host: dict[str, Any], on_the_host: dict[str, Any]
) -> None:
    assert set(by_settings) == set(BY_SETTINGS)
    assert set(on_one_host) == set(ON_ONE_HOST)
    assert set(on_the_host) == set(ON_THE_HOST)


def test_a_cache_that_is_open_to_all_is_found(bench: Bench) -> None:
    closed, opened = (MEMCACHED.format(address=one) for one in ADDRESSES)
    with bench.broken("web2", opened, closed):
        found = failing(bench.check())
    assert set(found) == {"caches-private"}
    assert (found["caches-private"]["found"], found["caches-private"]["hosts"]) == (
        OPEN_CACHE,
        ["web2"],
    )


def test_settings_that_raise_are_one_line_with_the_exception_and_its_place_and_no_value(
    bench: Bench,
) -> None:
    told = bench.check(DOES_NOT_LOAD, code=3, only=("web2",))
    found = failing(told)
    assert set(found) == {"settings-load"}
    said = str(found["settings-load"]["found"])
    assert "does not load: ValueError at config/settings/checked.py:" in said
    assert "hunter2" not in told.text


def test_every_line_of_the_checklist_is_broken_here() -> None:
    assert {*BY_SETTINGS, *ON_ONE_HOST, *ON_THE_HOST, "settings-load"} == set(NAMES)


def test_a_person_reads_what_is_wrong_why_and_what_to_write(bench: Bench) -> None:
    bench.check("DEBUG = True", code=3)
    told = bench.base.fab("--set", "settings=config.settings.checked", "check", code=3)
    assert "debug-off" in told.out
    assert "write: DEBUG = False" in told.out
    assert "not fit for visitors: debug-off" in told.err
    waived = bench.base.fab(
        "--set",
        "settings=config.settings.checked",
        "--set",
        "checks.waive=debug-off=a fleet for tests alone",
        "check",
    )
    assert "a fleet for tests alone" in waived.out


def test_a_waiver_for_a_check_that_does_not_exist_is_refused_with_the_near_name(
    base: Checkout,
) -> None:
    told = base.fab("--set", "checks.waive=debug-of=a good reason", "check", code=2)
    assert 'did you mean "debug-off"?' in told.err


@pytest.fixture
def begun(clone: Callable[[Path], Checkout], tmp_path: Path) -> Checkout:
    """What django-admin startproject makes, with a production file as many write it."""
    made = clone(tmp_path / "project")
    site = made.top / "site"
    wanted = (site / "requirements.txt").read_text()
    shutil.rmtree(site)
    site.mkdir()
    admin = (sys.executable, "-m", "django", "startproject", "mysite", str(site))
    subprocess.run(admin, check=True, capture_output=True)
    made.write("requirements.txt", wanted)
    made.write("mysite/production.py", PRODUCTION)
    made.edit("../pyproject.toml", "config.settings.production", "mysite.production")
    inventory = (made.top / "inventories" / "sandbox.toml").read_text()
    made.write("../inventories/sandbox.toml", inventory.partition("[project.checks")[0])
    made.commit("Begin anew")
    return made


PRODUCTION = """
import os

from mysite.settings import *

DEBUG = False
SECRET_KEY = os.environ["SECRET_KEY"]
ALLOWED_HOSTS = ["localhost"]
STATIC_ROOT = BASE_DIR / "staticfiles"
"""
LEFT = {
    "error": {"allowed-hosts", "database-outside"},
    "warning": {
        "email-host",
        "default-from-email",
        "https-redirect",
        "csrf-cookie",
        "session-cookie",
        "hsts",
        "logging",
        "admins",
        "error-pages",
    },
}


def test_a_site_that_was_just_begun_is_stopped_before_the_switch_with_a_useful_report(
    hosts: Hosts, live: dict[str, str], begun: Checkout
) -> None:
    told = begun.fab("deploy", code=3)
    assert "site.check failed on web1, web2" in told.err
    assert "ALLOWED_HOSTS lacks 127.0.0.1" in told.err
    assert "lies in the release" in told.err
    assert "shared/data/db.sqlite3" in told.err
    assert hosts.served() == live
    release = max(hosts.on("web1", f"ls {ROOT}/releases").split())
    report = begun.fab("check", "--json", "--release", release, code=3).of("check")
    found = {
        state: {one["check"] for one in report if one["state"] == state}
        for state in ("error", "warning")
    }
    assert found == LEFT
