"""Each part of a deploy as a task of its own, and the looks that change nothing."""

import pytest

from tests.docker.checkout import Checkout
from tests.docker.hosts import ROOT, WEB, Hosts, wait_for
from tests.docker.traffic import Traffic

pytestmark = pytest.mark.docker


def processes(hosts: Hosts, name: str) -> set[str]:
    """The processes that have answered visitors of this host, by what they say of themselves."""
    line = (
        f"port=8101; [ -e {ROOT}/current/.slot-green ] && port=8102; for i in $(seq 10); "
        "do curl -s http://127.0.0.1:$port/-/release -H 'Host: localhost'; echo; done"
    )
    return {
        text.split('"pid": ')[1].split(",")[0] for text in hosts.on(name, line).split("\n") if text
    }


def test_plan_and_dry_show_every_command_and_change_nothing(
    hosts: Hosts, live: dict[str, str], checkout: Checkout
) -> None:
    checkout.title("Only thought of")
    before = hosts.listing()
    plan = checkout.fab("plan").out
    dry = checkout.fab("--dry", "-R", "web", "deploy").out
    assert "== commit: taken back on every host if anything fails ==" in plan
    for command in ("  web1$ rsync", "  web2$ switch", "  static1$ seal_static"):
        assert command in plan
    assert "static1$" not in dry
    assert "  db1$ " in dry
    checkout.fab("--dry", "rollback", "--to", live["web1"], code=2)
    assert hosts.listing() == before
    assert hosts.served() == live


def test_the_steps_one_by_one_make_a_release_that_is_not_live(
    hosts: Hosts, live: dict[str, str], checkout: Checkout
) -> None:
    revision = checkout.title("Step by step")
    pushed = checkout.fab("code.push", "--json").result["release"]
    assert pushed.endswith(revision[:7])
    assert not hosts.tried("web1", f"test -e {ROOT}/releases/{pushed}/release.json")[0]
    checkout.fab("code.install")
    for name in (*WEB, "db1"):
        hosts.on(name, f"test -e {ROOT}/releases/{pushed}/release.json")
    collected = checkout.fab("static.collect", "--json").result
    assert collected["ok"]
    synced = checkout.fab("static.sync", "--json").result["release"]
    hosts.on("static1", f"test -e {ROOT}/static/releases/{synced}/release.json")
    assert hosts.served() == live
    assert not any("Step by step" in page for page in hosts.pages().values())
    checkout.fab("rollback", "--to", pushed, "-R", "web")
    assert all("Step by step" in page for page in hosts.pages().values())


def test_migrate_by_itself_says_what_it_applied(
    hosts: Hosts, live: dict[str, str], base: Checkout
) -> None:
    told = base.fab("db.migrate")
    assert "db1: db.migrate" in told.out
    assert "applied 0" in told.log
    assert hosts.served() == live


def test_check_asks_as_visitors_do(live: dict[str, str], base: Checkout) -> None:
    told = base.fab("apache.check", "--json")
    assert {line["host"] for line in told.of("step") if line["ok"]} == set(WEB)
    assert told.result["release"] == live["web1"]


def test_a_configuration_that_is_there_is_said_to_be(
    hosts: Hosts, live: dict[str, str], base: Checkout
) -> None:
    conf = "cat /run/apache2/apache2.pid; stat -c %Y /etc/apache2/sites-available/guestbook.conf"
    before = hosts.each(conf, WEB)
    for task in ("apache.configure", "static.configure"):
        assert f"{task}: nothing had to change" in base.fab(task).out
    assert hosts.each(conf, WEB) == before
    assert hosts.served() == live


def test_a_changed_configuration_reaches_apache(
    hosts: Hosts, live: dict[str, str], base: Checkout
) -> None:
    hosts.on("web1", f"echo hello >{ROOT}/shared/media/hello.txt")
    try:
        base.fab("--set", "web.media=/uploads/", "apache.configure")
        assert hosts.get("web1", "/uploads/hello.txt").status == 200
        base.fab("--set", "web.media=", "apache.configure")
        wait_for(lambda: hosts.get("web1", "/uploads/hello.txt").status == 404)
        assert hosts.get("web1", "/media/hello.txt").status == 404, (
            "a media server of its own has it"
        )
    finally:
        base.fab("apache.configure")
    wait_for(lambda: hosts.get("web1", "/uploads/hello.txt").status == 404)
    assert hosts.get("web1", "/media/hello.txt").status == 200
    assert hosts.served() == live


def test_reload_gives_fresh_processes_and_no_request_fails(
    hosts: Hosts, live: dict[str, str], base: Checkout
) -> None:
    before = {name: processes(hosts, name) for name in WEB}
    with Traffic(hosts) as traffic:
        told = base.fab("-R", "web", "apache.reload", "--json")
    assert told.result["ok"]
    for name in WEB:
        assert processes(hosts, name).isdisjoint(before[name])
    assert traffic.failures == []
    assert hosts.served() == live


def test_the_releases_are_listed_with_what_they_can_be_used_for(
    live: dict[str, str], base: Checkout
) -> None:
    rows = base.fab("releases", "--json").of("release")
    states = {(row["host"], row["kind"], row["release"]): row["state"] for row in rows}
    for name in WEB:
        assert states[name, "web", live[name]] == "live"
    assert live["web1"] in base.fab("releases").out


@pytest.mark.usefixtures("live")
def test_a_page_stands_in_place_of_the_site_and_releases_go_on_behind_it(
    hosts: Hosts, checkout: Checkout
) -> None:
    checkout.title("Behind the page")
    checkout.fab("maintenance.on", "--reason", "new disks", "--until", "at 14:30")
    try:
        seen = [hosts.get(name) for name in WEB]
        assert [one.status for one in seen] == [503, 503]
        assert all("new disks" in one.text and "at 14:30" in one.text for one in seen)
        assert all(one.headers["retry-after"] == "600" for one in seen)
        assert all(one.headers["cache-control"] == "no-store" for one in seen)
        assert hosts.get("web1", "/robots.txt").status == 200
        assert hosts.get("web1", "/", **{"X-Deploy-Asks": "yes"}).status == 503
        release = checkout.fab("deploy", "--json").result["release"]
        assert [hosts.get(name).status for name in WEB] == [503, 503]
        told = checkout.fab("status")
        assert "web1 shows the maintenance page, put up by " in told.out
        assert "new disks" in told.out
    finally:
        checkout.fab("maintenance.off")
    assert set(hosts.served().values()) == {release}
    assert all("Behind the page" in page for page in hosts.pages().values())
    assert "the page was not up" in checkout.fab("maintenance.off").out


def test_a_second_stage_on_the_same_host_does_not_take_the_place_of_the_first(
    hosts: Hosts, checkout: Checkout
) -> None:
    checkout.fab("deploy")
    before = hosts.served()
    folder = checkout.top / "inventories"
    (folder / "staging.toml").write_text((folder / "sandbox.toml").read_text())
    checkout.commit("A second stage that means the same hosts")
    for task in ("setup", "deploy", "rollback"):
        told = checkout.fab("-I", "staging", task, code=2)
        assert "is stage sandbox's, not staging's" in told.err
    assert hosts.served() == before
    told = checkout.fab("-I", "staging", "-R", "static", "deploy-static", code=2)
    assert "static1 is stage sandbox's" in told.err
    checkout.fab("-I", "staging", "--yes", "deploy")
    checkout.fab("--yes", "deploy")


def test_a_second_stage_that_forgot_its_name_does_not_take_the_vhost_of_the_first(
    hosts: Hosts, checkout: Checkout
) -> None:
    checkout.fab("deploy")
    before = hosts.served()
    folder, root = checkout.top / "inventories", f"{ROOT}-staging"
    text = (folder / "sandbox.toml").read_text()
    moved = text.replace("[project]\n", f'[project]\nroot = "{root}"\n', 1)
    (folder / "staging.toml").write_text(moved)
    checkout.commit("A second stage that forgot its name")
    for name in (*WEB, "static1", "db1"):
        hosts.on(name, f"mkdir -p {root} && cp -a {ROOT}/. {root} && rm -f {root}/.deploy/stage")
    for name in ("web1", "static1"):
        told = checkout.fab("-I", "staging", "-H", name, "setup", code=2)
        assert f"on {name} serves another directory than {root}" in told.err
    assert hosts.served() == before


def test_a_page_that_one_host_cannot_show_is_shown_by_none(
    hosts: Hosts, live: dict[str, str], base: Checkout
) -> None:
    hosts.on("web2", f"touch {ROOT}/maintenance")
    try:
        told = base.fab("maintenance.on", code=3)
        assert "the new page is up on no host:\n  web2: " in told.err
        assert hosts.served() == live
    finally:
        hosts.on("web2", f"rm {ROOT}/maintenance")


def test_a_page_that_one_host_cannot_show_leaves_the_one_before_up_as_work_is_going_on(
    hosts: Hosts, live: dict[str, str], base: Checkout
) -> None:
    base.fab("maintenance.on", "--reason", "the first")
    hosts.on("web2", f"mkdir {ROOT}/maintenance/503.html.new")
    try:
        told = base.fab("maintenance.on", "--reason", "the second", code=3)
        assert "the new page is up on no host:\n  web2: " in told.err
        seen = [hosts.get(name) for name in WEB]
        assert [one.status for one in seen] == [503, 503]
        assert all("the first" in one.text for one in seen)
    finally:
        base.fab("maintenance.off")
    assert hosts.served() == live
