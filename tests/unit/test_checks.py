"""Each line of the checklist, both ways: a sane site passes it, and what breaks it is named."""

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from deploy.checks import ERROR, OFF, WARNING, Seen, critical
from deploy.checks.catalogue import CHECKS, NAMES
from deploy.checks.judge import (
    OK,
    UNKNOWN,
    WAIVED,
    Result,
    judge,
    question,
    seen,
    summed_up,
    understood,
)
from deploy.host import CODE, Host
from deploy.project import Checks, Project, Web
from deploy.steps.checks import verdict

PROJECT = Project(name="shop", root="/srv/www/shop", settings="shop.settings")
RELEASE = "/srv/www/shop/releases/000001-aaaaaaa"
SANE: dict[str, Any] = {
    "release": "000001-aaaaaaa",
    "settings": "shop.settings",
    "untold": {},
    "fault": "",
    "disk": {"free": 66400, "percent": 25, "inodes": 92},
    "apache": {
        "mpm": "event",
        "keep_alive": True,
        "keep_alive_timeout": 5,
        "workers": 150,
        "others": [],
    },
    "processes": [{"slot": "blue", "python": "3.11.2", "locale": "C.UTF-8", "encoding": "utf-8"}],
    "requirements": [],
    "debug": False,
    "allowed_hosts": ["shop.example.com"],
    "default_from_email": "Shop <shop@example.com>",
    "server_email": "root@example.com",
    "static_root": f"{RELEASE}/staticfiles",
    "static_place": "staticfiles",
    "static_url": "/static/",
    "static_files": True,
    "https": {
        "redirect": True,
        "hsts": 3600,
        "security": True,
        "csrf": True,
        "csrf_secure": True,
        "session": True,
        "session_secure": True,
        "session_http_only": True,
    },
    "loaders": [{"engine": "django", "cached": True, "debug": False}],
    "admins": 1,
    "managers": 1,
    "broken_links": True,
    "session_engine": "db",
    "session_cache": "default",
    "python": "3.11.2",
    "django": "5.2.1",
    "python_wanted": ">=3.10",
    "log_handlers": ["StreamHandler"],
    "log_mails": True,
    "error_pages": {},
    "system_checks": [],
    "deploy_checks": [],
    "secret_key": {"length": 67, "distinct": 45, "insecure": False, "digest": "d1"},
    "media": {
        "root": f"{RELEASE}/media",
        "real": "/srv/www/shop/shared/media",
        "used": True,
        "default": True,
        "there": True,
        "in_release": False,
        "importable": False,
    },
    "databases": [
        {
            "alias": "default",
            "vendor": "postgresql",
            "host": "db1",
            "conn_max_age": 60,
            "pool": False,
            "fault": "",
            "connections": 100,
        }
    ],
    "caches": [
        {
            "alias": "default",
            "kind": "server",
            "addresses": ["127.0.0.1:11211"],
            "open": [],
            "fault": "",
        }
    ],
    "email": {
        "backend": "django.core.mail.backends.smtp.EmailBackend",
        "host": "localhost:25",
        "fault": "",
    },
    "writable": {"count": 0, "some": []},
    "secrets_in_code": {},
    "time": 1.0,
}
"""What deploy/onsite/checklist.py says of a sane site; a test on a real site holds it to that."""


def site(change: Mapping[str, Any] | None = None, name: str = "web1", **more: Any) -> Seen:
    """A web host of a sane site, with these facts changed: `a.b` means `b` in the table `a`."""
    facts = deepcopy(SANE)
    for path, value in (change or {}).items():
        table: Any = facts
        *parts, last = path.split(".")
        for part in parts:
            table = table[int(part) if part.isdigit() else part]
        table[last] = value
    usual = seen(Host(name, roles=("web",), project=PROJECT), facts, clock=0.1)
    return replace(usual, **{"names": ("shop.example.com",), **more})


def failing(*hosts: Seen, project: Project = PROJECT) -> dict[str, str]:
    """The checks that these hosts fail, and what was found."""
    results = judge(hosts, project)
    return {one.check.name: one.found for one in results if one.state in (ERROR, WARNING)}


def of(name: str, *hosts: Seen, project: Project = PROJECT) -> list[Result]:
    return [one for one in judge(hosts, project) if one.check.name == name]


BROKEN: list[tuple[str, dict[str, Any], str]] = [
    ("secret-key-strength", {"secret_key.insecure": True}, "startproject"),
    ("secret-key-strength", {"secret_key.length": 49}, "49 characters"),
    ("secret-key-strength", {"secret_key.distinct": 4}, "4 different"),
    (
        "secret-key-hidden",
        {"secrets_in_code": {"SECRET_KEY": "shop/settings.py"}},
        "shop/settings.py",
    ),
    ("debug-off", {"debug": True}, "DEBUG is on"),
    ("debug-off", {"loaders.0.debug": True}, "template engine django"),
    ("allowed-hosts", {"allowed_hosts": ["*"]}, "has *"),
    ("allowed-hosts", {"allowed_hosts": []}, "lacks shop.example.com"),
    ("allowed-hosts", {"allowed_hosts": [".example.org"]}, "lacks shop.example.com"),
    ("caches-reachable", {"caches.0.fault": "refused"}, "CACHES['default']: refused"),
    ("caches-private", {"caches.0.addresses": ["8.8.8.8:11211"]}, "8.8.8.8:11211 is a public"),
    ("caches-private", {"caches.0.open": ["127.0.0.1:11211"]}, "listens on all addresses"),
    ("session-store", {"session_engine": "cache", "caches.0.kind": "memory"}, "kind memory"),
    ("session-store", {"session_engine": "cached_db", "caches.0.kind": "memory"}, "old ones"),
    ("session-store", {"session_engine": "cache", "caches.0.kind": "dummy"}, "kind dummy"),
    ("database-connection", {"databases.0.fault": "cannot reach db1"}, "cannot reach db1"),
    (
        "database-password",
        {"secrets_in_code": {"the PASSWORD of DATABASES['default']": "a.py"}},
        "a.py",
    ),
    ("database-outside", {"databases.0.in_release": True}, "lies in the release"),
    ("database-outside", {"databases.0.in_memory": True}, "is in memory"),
    ("database-connections", {"databases.0.connections": 19}, "allows 19 connections"),
    (
        "email-backend",
        {"email.backend": "django.core.mail.backends.console.EmailBackend"},
        "the log",
    ),
    ("email-backend", {"email.backend": "django.core.mail.backends.dummy.EmailBackend"}, "nowhere"),
    ("email-host", {"email.fault": "refused"}, "localhost:25: refused"),
    (
        "default-from-email",
        {"default_from_email": "webmaster@localhost"},
        "DEFAULT_FROM_EMAIL is at localhost",
    ),
    ("default-from-email", {"server_email": "root@localhost"}, "SERVER_EMAIL is at localhost"),
    ("static-root", {"static_root": ""}, "is not set"),
    ("static-root", {"static_root": "/var/static", "static_place": ""}, "/var/static"),
    ("static-root", {"static_place": "public"}, "means staticfiles in the release"),
    ("static-root", {"static_url": "/assets/"}, "/assets/"),
    ("media-root", {"media.root": ""}, "is not set"),
    ("media-root", {"media.in_release": True}, "in the release"),
    ("media-root", {"media.used": False, "media.in_release": True}, "in the release"),
    ("media-root", {"media.default": False, "media.in_release": True}, "in the release"),
    ("media-root", {"media.importable": True}, "imported from"),
    ("media-root", {"media.there": False}, "not there"),
    ("https-redirect", {"https.redirect": False}, "SECURE_SSL_REDIRECT is off"),
    ("csrf-cookie", {"https.csrf_secure": False}, "CSRF_COOKIE_SECURE is off"),
    ("session-cookie", {"https.session_secure": False}, "SESSION_COOKIE_SECURE off"),
    ("session-cookie", {"https.session_http_only": False}, "SESSION_COOKIE_HTTPONLY off"),
    ("hsts", {"https.hsts": 0}, "SECURE_HSTS_SECONDS is 0"),
    ("conn-max-age", {"databases.0.conn_max_age": 0}, "CONN_MAX_AGE of DATABASES['default'] is 0"),
    ("cached-templates", {"loaders.0.cached": False}, "no cached loader"),
    ("logging", {"log_handlers": []}, "no handler"),
    ("admins", {"admins": 0}, "ADMINS empty"),
    ("admins", {"managers": 0}, "MANAGERS empty"),
    ("error-pages", {"error_pages": {"404": "missing"}}, "404.html missing"),
    (
        "system-checks",
        {"system_checks": [{"id": "models.E001", "message": "wrong"}]},
        "models.E001 wrong",
    ),
    (
        "check-deploy",
        {"deploy_checks": [{"id": "security.W022", "message": "unset"}]},
        "security.W022 unset",
    ),
    ("python", {"python": "3.9.1"}, "wants >=3.10"),
    ("python", {"processes.0.python": "3.9.2"}, "Apache has 3.9.2"),
    ("requirements", {"requirements": ["Django is 5.1, wanted is 5.2"]}, "Django is 5.1"),
    ("permissions", {"writable": {"count": 1, "some": ["entry/wsgi.py"]}}, "entry/wsgi.py"),
    ("locale", {"processes.0.locale": "C"}, "locale C"),
    ("locale", {"processes.0.encoding": "ascii"}, "in ascii"),
    ("process-group", {"apache.others": ["other.conf"]}, "other.conf"),
    ("keep-alive", {"apache.mpm": "prefork"}, "prefork"),
    ("keep-alive", {"apache.keep_alive_timeout": 60}, "60 seconds"),
    ("disk", {"disk.free": 900}, "900 MiB"),
    ("disk", {"disk.percent": 4}, "4 %"),
    ("disk", {"disk.inodes": 1}, "1 % of the inodes"),
]


@pytest.mark.parametrize(("name", "change", "words"), BROKEN, ids=lambda part: str(part)[:40])
def test_what_breaks_a_check_is_named_and_nothing_else(
    name: str, change: dict[str, Any], words: str
) -> None:
    found = failing(site(change))
    assert set(found) == {name}
    assert words in found[name]


def test_a_sane_site_passes_every_check() -> None:
    hosts = (site(), site(name="web2"))
    assert {one.state for one in judge(hosts, PROJECT)} == {OK}
    assert summed_up(judge(hosts, PROJECT)) == f"{len(CHECKS)} checks passed"


SANE_TOO: list[dict[str, Any]] = [
    {"allowed_hosts": [".example.com"]},
    {"allowed_hosts": [".Example.com"]},
    {"session_engine": "cached_db"},
    {"caches.0.addresses": ["10.0.0.7:11211", "cache.internal:11211", "[fd00::1]:6379"]},
    {"caches.0.kind": "memory"},
    {"databases.0.vendor": "sqlite", "databases.0.conn_max_age": 0, "databases.0.connections": 0},
    {"databases.0.conn_max_age": 0, "databases.0.pool": True},
    {"databases.0.conn_max_age": None},
    {"email.backend": "anymail.backends.mailgun.EmailBackend"},
    {"static_files": False, "static_root": ""},
    {"static_root": "/data/www/shop/releases/000001-aaaaaaa/staticfiles/"},
    {"static_url": "https://static.example.com/static/"},
    {"media.used": False, "media.root": ""},
    {"media.used": False, "media.default": False, "media.in_release": True},
    {"https.csrf": False, "https.csrf_secure": False},
    {"https.session": False, "https.session_secure": False, "session_engine": "cache"},
    {"admins": 0, "log_mails": False},
    {"managers": 0, "broken_links": False},
    {"apache.mpm": "prefork", "apache.keep_alive": False},
    {"processes": []},
    {"python_wanted": ""},
]


@pytest.mark.parametrize("change", SANE_TOO, ids=lambda part: str(part)[:50])
def test_another_sane_way_is_no_false_alarm(change: dict[str, Any]) -> None:
    assert failing(site(change)) == {}


def test_the_root_of_static_files_may_be_written_with_a_slash_behind_it() -> None:
    project = replace(PROJECT, static=replace(PROJECT.static, root="./staticfiles/"))
    host = seen(Host("web1", roles=("web",), project=project), SANE)
    assert failing(replace(host, names=())) == {}


@pytest.mark.parametrize(
    ("allowed", "fails"),
    [
        (".shop.example.com", False),
        (".example.com", False),
        (".Example.COM", False),
        ("shop.example.com", True),
        (".op.example.com", True),
        (".www.shop.example.com", True),
    ],
)
def test_an_alias_for_all_names_of_a_domain_is_allowed_by_a_dot_as_django_reads_it(
    allowed: str, fails: bool
) -> None:
    host = site({"allowed_hosts": [allowed]}, names=("*.Shop.example.com",))
    assert ("allowed-hosts" in failing(host)) == fails


def test_every_check_is_broken_by_some_test() -> None:
    elsewhere = {"settings-load", "secret-key-equal", "prepared", "clock"}
    assert {name for name, _, _ in BROKEN} | elsewhere == set(NAMES)


def test_settings_that_do_not_load_are_one_error_and_make_the_rest_unknown() -> None:
    facts = {"release": "000001-aaaaaaa", "settings": "s", "fault": "KeyError (KEY) at s.py:3"}
    host = seen(Host("web1", roles=("web",), project=PROJECT), facts)
    assert failing(host) == {"settings-load": "s does not load: KeyError (KEY) at s.py:3"}
    assert {one.state for one in of("debug-off", host)} == {UNKNOWN}


def test_secret_keys_are_compared_between_web_hosts_and_named_by_host() -> None:
    other = site({"secret_key.digest": "d2"}, name="web2")
    (result,) = of("secret-key-equal", site(), other, site(name="web3"))
    assert (result.state, result.hosts) == (ERROR, ("web1", "web2", "web3"))
    assert result.found == "SECRET_KEY differs: web1, web3 / web2"


def test_connections_of_all_web_hosts_are_added_up() -> None:
    fleet = [site(name=f"web{number}", workers=40) for number in range(3)]
    assert failing(*fleet[:2]) == {}
    assert "may want 120" in failing(*fleet)["database-connections"]


def test_a_site_in_apache_s_own_processes_may_want_as_many_connections_as_apache_has() -> None:
    embedded = replace(PROJECT, apache=replace(PROJECT.apache, mode="embedded"))
    host = seen(Host("web1", roles=("web",), project=embedded), SANE)
    assert "may want 150" in failing(replace(host, names=()))["database-connections"]


def test_a_clock_that_is_off_is_named_and_one_that_is_unknown_is_not() -> None:
    hosts = (site(), site(name="web2", clock=-95.0), site(name="web3", clock=None))
    assert failing(*hosts) == {"clock": "differs from the clock here: web2 by -95 s"}


def test_what_a_host_lacks_for_a_deploy_is_told_by_the_check_as_well() -> None:
    assert failing(site(unfit=("rsync is not installed",))) == {
        "prepared": "rsync is not installed"
    }


def test_a_redirect_that_apache_does_need_not_be_done_by_django() -> None:
    certified = replace(PROJECT, apache=replace(PROJECT.apache, certificate="/etc/ssl/shop.pem"))
    host = seen(Host("web1", roles=("web",), project=certified), SANE)
    facts = {**SANE, "https": {**SANE["https"], "redirect": False, "security": False, "hsts": 1}}
    assert [one.state for one in of("https-redirect", replace(host, facts=facts))] == [OK]


def test_a_fault_is_one_line_with_every_host_that_has_it() -> None:
    broken = {"debug": True}
    (result,) = of("debug-off", site(broken), site(name="web2"), site(broken, name="web3"))
    assert (result.state, result.hosts) == (ERROR, ("web1", "web3"))


def test_hosts_of_other_roles_are_not_asked_what_does_not_concern_them() -> None:
    static = seen(Host("static1", roles=("static",), project=PROJECT), {"disk": SANE["disk"]})
    assert failing(site(), static) == {}
    assert [one.hosts for one in of("debug-off", site(), static)] == [("web1",)]
    assert [one.hosts for one in of("disk", site(), static)] == [("web1", "static1")]
    assert summed_up(judge([static], PROJECT)) == "2 checks passed"


def with_checks(**checks: tuple[tuple[str, str], ...]) -> Project:
    return replace(PROJECT, checks=Checks(**checks))  # type: ignore[arg-type]


def test_a_stage_says_how_grave_a_check_is() -> None:
    project = with_checks(severity=(("hsts", "error"), ("debug-off", "warning"), ("admins", "off")))
    host = site({"https.hsts": 0, "debug": True, "admins": 0})
    states = {one.check.name: one.state for one in judge([host], project)}
    assert (states["hsts"], states["debug-off"], states["admins"]) == (ERROR, WARNING, OFF)


def test_a_waived_check_is_shown_with_its_reason_while_it_fails_and_fine_when_it_passes() -> None:
    project = with_checks(waive=(("hsts", "no certificate yet"),))
    (result,) = of("hsts", site({"https.hsts": 0}), project=project)
    assert (result.state, result.reason) == (WAIVED, "no certificate yet")
    assert result.found == "SECURE_HSTS_SECONDS is 0"
    assert [one.state for one in of("hsts", site(), project=project)] == [OK]


def test_the_sum_names_errors_and_warnings_and_counts_the_rest() -> None:
    project = with_checks(waive=(("hsts", "no certificate yet"),), severity=(("disk", "off"),))
    host = site({"https.hsts": 0, "debug": True, "admins": 0, "log_handlers": []})
    assert summed_up(judge([host], project)) == (
        f"{len(CHECKS) - 5} checks passed, 1 error (debug-off), 2 warnings (logging, admins),"
        " 1 waived, 1 off"
    )


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_a_check_says_why_it_matters_and_what_to_write(check: Any) -> None:
    assert check.why.endswith(".")
    assert len(check.write) > 10
    assert check.asks.endswith(".")
    assert (check.rule is None) != (check.across is None)


def answer(**facts: Any) -> str:
    return f"noise\nchecklist: {json.dumps({**SANE, **facts})}\n"


WEB = Host(
    "web1", roles=("web",), project=replace(PROJECT, web=Web(server_name="shop.example.com"))
)


def test_the_salt_of_the_question_is_in_no_command_line() -> None:
    asked = question(WEB, "000001-aaaaaaa", "grains")
    assert "grains" not in asked.shell()
    assert asked.stdin == "grains\n"
    assert not asked.changes


def test_the_gate_lets_a_sane_site_pass_without_a_word() -> None:
    judged = verdict([(WEB, answer())])
    assert (judged.notes, judged.faults) == ((), ())


def test_the_gate_counts_warnings_in_one_line_and_lets_the_release_pass() -> None:
    judged = verdict([(WEB, answer(admins=0, log_handlers=[]))])
    assert judged.faults == ()
    (note,) = judged.notes
    assert "2 warnings (logging, admins)" in note
    assert "fab check" in note


def test_the_gate_stops_at_an_error_with_why_and_what_to_write() -> None:
    judged = verdict([(WEB, answer()), (replace(WEB, name="web2"), answer(debug=True))])
    ((host, fault),) = judged.faults
    assert host == "web2"
    assert fault.startswith("debug-off: DEBUG is on\n")
    assert "write: DEBUG = False" in fault


def test_what_a_host_cannot_tell_is_said_and_stops_nothing() -> None:
    facts = json.dumps({**SANE, "untold": {"error_pages": "TypeError"}})
    judged = verdict([(WEB, f"checklist: {facts}\n")])
    assert judged.faults == ()
    assert judged.notes == ("web1 cannot tell about error pages: TypeError",)


def test_a_host_that_gives_no_answer_stops_the_gate_and_is_quoted() -> None:
    assert understood("shared/env, line 3: not of the form KEY=value\n")["fault"] == (
        "shared/env, line 3: not of the form KEY=value"
    )
    judged = verdict([(WEB, "")])
    assert [host for host, _ in judged.faults] == ["web1"]
    assert judged.faults[0][1].startswith("settings-load: ")


def test_checks_of_code_concern_every_host_that_runs_the_site_s_code() -> None:
    assert critical.CODE == CODE
