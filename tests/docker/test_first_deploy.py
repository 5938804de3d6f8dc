"""The first deploy of a project to hosts that were only prepared, and what scripts can rely on."""

import re
from typing import Any

import pytest

from tests.docker.checkout import SITE, Checkout
from tests.docker.hosts import ALL, ROOT, SERVING, WEB, Hosts, ask
from tests.docker.told import Told

pytestmark = pytest.mark.docker

ID = re.compile(r"\d{6}-[0-9a-f]{7}")


@pytest.fixture
def status(base: Checkout, live: dict[str, str]) -> dict[str, dict[str, Any]]:
    """The lines of `fab status --json`, by host."""
    assert live
    return {line["host"]: line for line in base.fab("status", "--json").of("host")}


def test_the_first_deploy_ends_with_the_result_that_scripts_read(first: Told) -> None:
    result = first.result
    assert {name: result[name] for name in ("event", "task", "ok", "exit_code")} == {
        "event": "result",
        "task": "deploy",
        "ok": True,
        "exit_code": 0,
    }
    assert result["release"].startswith("000001-")
    assert ID.fullmatch(result["release"])
    assert 0 < result["seconds"] < 600


def test_every_step_of_the_first_deploy_says_how_it_went_on_each_host(first: Told) -> None:
    steps = [(line["step"], line["host"]) for line in first.of("step") if line["ok"]]
    for name in WEB:
        assert ("code.push", name) in steps
        assert ("web.activate", name) in steps
    assert ("static.sync", "static1") in steps
    assert ("db.migrate", "db1") in steps
    assert len([step for step, _ in steps if step == "db.migrate"]) == 1


def test_both_web_hosts_serve_the_page_and_the_static_host_its_stylesheet(
    hosts: Hosts, live: dict[str, str]
) -> None:
    for name in WEB:
        page = hosts.get(name)
        assert (page.status, page.release) == (200, live[name])
        assert "Sign the guestbook" in page.text
        sheet = hosts.stylesheet(name)
        assert sheet.startswith(hosts.fleet.urls["static1"])
        assert re.search(r"site\.[0-9a-f]{12}\.css$", sheet)
        assert ask(sheet).status == 200


def test_packages_are_compiled_since_the_site_s_user_may_not_write_what_it_would_compile(
    hosts: Hosts, live: dict[str, str]
) -> None:
    assert live
    packages = f"{ROOT}/current/venv/lib/python3*/site-packages"
    there = f"ls {packages}/django/__pycache__/__init__.*.pyc {packages}/asgiref/__pycache__/*.pyc"
    for name in WEB:
        assert "/django/" in hosts.on(name, there)


def test_status_says_for_each_host_what_is_live_and_what_is_served(
    status: dict[str, dict[str, Any]], live: dict[str, str]
) -> None:
    assert list(status) == ["web1", "web2", "static1", "db1"]
    roles = [["web"], ["web"], ["static"], ["db"]]
    assert [status[name]["roles"] for name in status] == roles
    for name in SERVING:
        assert status[name]["served"] == status[name]["release"] == live[name]
    assert status["db1"]["served"] is None
    for line in status.values():
        names = {"event", "host", "roles", "release", "served", "previous", "revision"}
        assert names <= set(line)
        assert re.fullmatch(r"[0-9a-f]{40}", line["revision"])
        assert line["previous"] is None or ID.fullmatch(line["previous"])


def test_status_in_words_shows_the_same(base: Checkout, live: dict[str, str]) -> None:
    said = base.fab("status").out
    assert all(name in said for name in ALL)
    assert said.count(live["web1"]) >= 2


@pytest.mark.parametrize("task", ["status", "releases", "apache.check", "apache.configure"])
def test_every_task_ends_with_its_own_result_line(
    base: Checkout, live: dict[str, str], task: str
) -> None:
    assert live
    result = base.fab(task, "--json").result
    assert {"event", "task", "ok", "release", "seconds", "exit_code"} <= set(result)
    assert (result["event"], result["task"], result["ok"]) == ("result", task, True)


def test_the_site_answers_robots_and_its_icon_itself(hosts: Hosts, live: dict[str, str]) -> None:
    assert live
    for path in ("robots.txt", "favicon.ico"):
        file = (SITE / "guestbook" / "static" / path).read_bytes()
        for name in WEB:
            answer = hosts.get(name, f"/{path}")
            assert (answer.status, answer.body) == (200, file)


def test_the_processes_that_answer_have_loaded_the_live_release(
    hosts: Hosts, live: dict[str, str]
) -> None:
    for name in WEB:
        green = hosts.tried(name, f"test -e {ROOT}/current/.slot-green")[0]
        files = "green-*" if green else "blue-*"
        said = hosts.on(name, f"cd {ROOT}/run && grep -l 'loaded {live[name]}' {files}").split()
        alive = [hosts.tried(name, f"test -d /proc/{file.rpartition('-')[2]}")[0] for file in said]
        assert alive.count(True) == 2


def test_only_the_sites_own_group_can_read_its_secrets(hosts: Hosts, live: dict[str, str]) -> None:
    assert live
    for name in (*WEB, "db1"):
        assert hosts.on(name, f"stat -c '%a %U:%G' {ROOT}/shared/env") == "640 deploy:www-data\n"
        assert not hosts.tried(name, f"cat {ROOT}/shared/env", user="nobody")[0]
