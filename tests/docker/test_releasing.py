"""Releasing a change and going back, as somebody does it every day."""

import json
import re

import pytest

from tests.docker.checkout import Checkout
from tests.docker.hosts import ROOT, WEB, Hosts, ask
from tests.docker.visitor import sign

pytestmark = pytest.mark.docker

CSS = "guestbook/static/guestbook/site.css"
ENVIRONMENT_VIEW = """

def environment(request):
    import json, locale, os, sys

    said = {
        "LANG": os.environ.get("LANG"),
        "LC_ALL": os.environ.get("LC_ALL"),
        "files": sys.getfilesystemencoding(),
        "text": locale.getpreferredencoding(False),
    }
    return HttpResponse(json.dumps(said), content_type="application/json")
"""


def test_a_changed_template_is_served_by_both_web_hosts(
    hosts: Hosts, live: dict[str, str], checkout: Checkout
) -> None:
    revision = checkout.title("Our guests")
    told = checkout.fab("-R", "web", "deploy", "--json")
    release = told.result["release"]
    assert release.endswith(revision[:7])
    served = hosts.served()
    assert served == {"web1": release, "web2": release, "static1": live["static1"]}
    assert all("Our guests" in page for page in hosts.pages().values())
    assert all(ask(hosts.stylesheet(name)).status == 200 for name in WEB)


def test_a_changed_stylesheet_is_served_and_the_old_one_still_is(
    hosts: Hosts, live: dict[str, str], checkout: Checkout
) -> None:
    before = hosts.stylesheet()
    checkout.edit(CSS, "--ink: #2b2622", "--ink: #102030")
    checkout.commit("Darker ink")
    told = checkout.fab("-R", "static", "deploy-static", "--json")
    assert hosts.served() == {**live, "static1": told.result["release"]}
    plain = ask(f"{hosts.fleet.urls['static1']}/static/guestbook/site.css")
    assert "--ink: #102030" in plain.text
    assert (hosts.stylesheet(), ask(before).status) == (before, 200)
    manifest = json.loads(ask(f"{hosts.fleet.urls['static1']}/static/staticfiles.json").text)
    new = ask(f"{hosts.fleet.urls['static1']}/static/{manifest['paths']['guestbook/site.css']}")
    assert (new.status, "--ink: #102030" in new.text) == (200, True)
    assert "immutable" in new.headers["cache-control"]
    checkout.fab("-R", "static", "rollback")
    assert hosts.served() == live
    assert ask(f"{hosts.fleet.urls['static1']}/static/guestbook/site.css").text == (
        ask(before).text.replace(
            manifest["paths"]["guestbook/paper.svg"].split("/")[-1], "paper.svg"
        )
    )


def test_rollback_goes_back_step_by_step_and_then_says_that_there_is_no_more(
    hosts: Hosts, live: dict[str, str], checkout: Checkout
) -> None:
    ids = []
    for number in (1, 2):
        checkout.title(f"Edition {number}")
        ids.append(checkout.fab("deploy", "--json").result["release"])
    told = checkout.fab("rollback", "--json")
    assert told.result["release"] == ids[0]
    assert set(hosts.served().values()) == {ids[0]}
    assert all("Edition 1" in page for page in hosts.pages().values())
    assert checkout.fab("rollback", "--json").result["release"] == live["web1"]
    assert hosts.served() == live
    assert checkout.fab("rollback", "--to", ids[1], "--json").result["release"] == ids[1]
    assert set(hosts.served().values()) == {ids[1]}
    assert all("Edition 2" in page for page in hosts.pages().values())


def test_rollback_with_nothing_before_is_refused_and_changes_nothing(
    hosts: Hosts, live: dict[str, str], base: Checkout
) -> None:
    journal = f"{ROOT}/.deploy/journal"
    hosts.each(f"mv {journal} {journal}.aside")  # so they know of no release but the live one
    try:
        listing = hosts.listing()
        told = base.fab("rollback", code=2)
        assert (hosts.served(), hosts.listing()) == (live, listing)
    finally:
        hosts.each(f"mv {journal}.aside {journal}")
    assert "no release before the live one on web1, web2" in told.err
    assert "fab releases" in told.err


@pytest.mark.parametrize("name", ["999999-abcdef0", "the-last-one"])
def test_rollback_to_what_no_host_has_is_refused(
    hosts: Hosts, live: dict[str, str], base: Checkout, name: str
) -> None:
    told = base.fab("rollback", "--to", name, code=2)
    assert name in told.err
    assert hosts.served() == live


def test_rollback_to_what_is_live_already_is_refused(
    hosts: Hosts, live: dict[str, str], base: Checkout
) -> None:
    assert "live already" in base.fab("rollback", "--to", live["web1"], code=2).err
    assert hosts.served() == live


def test_what_is_on_the_hosts_is_neither_sent_nor_built_again(
    hosts: Hosts, live: dict[str, str], checkout: Checkout
) -> None:
    checkout.title("Little news")
    told = checkout.fab("deploy", "--json")
    new, old = told.result["release"], live["web1"]
    assert "code.wheels" not in [line["step"] for line in told.of("step")]
    installs = [line for line in told.of("step") if line["step"] == "code.install"]
    assert not [line for line in installs if line.get("sent")]
    sent = {line["host"]: line["sent"] for line in told.of("step") if line["step"] == "code.push"}
    assert sorted(sent) == ["db1", "web1", "web2"]
    assert max(sent.values()) < 10_000
    for name in WEB:
        paths = " ".join(f"{ROOT}/releases/{one}/manage.py" for one in (old, new))
        numbers = set(hosts.on(name, f"stat -c %i {paths}").split())
        assert len(numbers) == 1, "manage.py is there twice"
        venvs = {hosts.on(name, f"readlink {ROOT}/releases/{one}/venv") for one in (old, new)}
        assert len(venvs) == 1


def test_the_site_runs_in_utf_8_and_takes_a_file_name_of_any_script(
    hosts: Hosts, live: dict[str, str], checkout: Checkout
) -> None:
    assert live
    views = (checkout.top / "site" / "guestbook" / "views.py").read_text()
    checkout.write("guestbook/views.py", views + ENVIRONMENT_VIEW)
    route = '    path("environment/", views.environment),\n    path("admin/"'
    checkout.edit("config/urls.py", '    path("admin/"', route)
    checkout.commit("Show the environment")
    checkout.fab("-R", "web", "deploy")
    for name in WEB:
        said = json.loads(hosts.get(name, "/environment/").text)
        assert said == {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "files": "utf-8", "text": "UTF-8"}
    page = sign(hosts.fleet.urls["web1"], "Grüße 写真.png")
    photo = re.search(r'src="(/media/[^"]+\.png)"', page)
    assert photo
    answer = hosts.get("web1", photo[1])
    assert (answer.status, answer.body[:4]) == (200, b"\x89PNG")
    assert "Gr%C3%BC%C3%9Fe" in photo[1]
