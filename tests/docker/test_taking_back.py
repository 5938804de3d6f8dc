"""Releases that fail when things are being switched: every host is put back, and says so."""

from collections.abc import Iterator

import pytest

from tests.docker.checkout import Checkout
from tests.docker.failing import MIGRATION, Unharmed, fails
from tests.docker.hosts import WEB, Hosts
from tests.docker.told import Told

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module", autouse=True)
def _the_next_good_deploy_works(hosts: Hosts, base: Checkout, first: Told) -> Iterator[None]:
    """After all these failures, and without any cleaning by hand."""
    assert first.code == 0
    yield
    told = base.fab("deploy", "--json")
    assert set(hosts.served().values()) == {told.result["release"]}


def test_a_migration_that_fails_is_named_and_nothing_is_switched(
    checkout: Checkout, unharmed: Unharmed
) -> None:
    checkout.write(
        "guestbook/migrations/0003_fails.py",
        MIGRATION.format(body="raise ValueError('these data are odd')"),
    )
    checkout.commit("A migration that fails")
    told = fails(
        checkout,
        6,
        "db.migrate db1",
        "guestbook.0003_fails",
        "these data are odd",
        "live as before",
        "database",
    )
    assert told.result["hint"]
    unharmed.check()


def test_a_page_that_breaks_with_the_migration_takes_the_whole_release_back(
    checkout: Checkout, unharmed: Unharmed
) -> None:
    checkout.write("guestbook/migrations/0003_works.py", MIGRATION.format(body="pass"))
    checkout.edit(
        "guestbook/views.py",
        "    form = EntryForm(request.POST or None",
        '    raise KeyError("no such column")\n    form = EntryForm(request.POST or None',
    )
    checkout.commit("A page that breaks")
    told = fails(checkout, 5, "web.ask web1,web2", "/ answers 500", "put back")
    assert "migrat" in told.result["error"], "the migration that stays is not mentioned"
    unharmed.check()


PUBLICLY_ILL = """
def health(request):
    import socket

    port = request.environ.get("mod_wsgi.listener_port")
    status = 500 if port == "80" and socket.gethostname() == "web2" else 200
    return HttpResponse("ok", status=status)
"""


def test_a_release_that_fails_in_public_on_one_host_is_taken_back_on_all(
    checkout: Checkout, unharmed: Unharmed
) -> None:
    views = (checkout.top / "site" / "guestbook" / "views.py").read_text()
    checkout.write("guestbook/views.py", views + PUBLICLY_ILL)
    checkout.edit("guestbook/static/guestbook/site.css", "--ink: #2b2622", "--ink: #334455")
    checkout.commit("Ill on web2, and only for visitors")
    told = fails(checkout, 5, "web.activate web2", "/health/ answers 500", "put back and verified")
    undone = {
        host
        for line in told.of("begin")
        if line["undo"] and line["step"] in ("web.activate", "static.switch")
        for host in line["hosts"]
    }
    assert undone >= {*WEB, "static1"}
    unharmed.check()


def test_a_release_that_is_asked_for_a_page_of_its_own_is_taken_back_to_one_that_lacks_it(
    checkout: Checkout, unharmed: Unharmed
) -> None:
    views = (checkout.top / "site" / "guestbook" / "views.py").read_text()
    checkout.write("guestbook/views.py", views + PUBLICLY_ILL.replace("def health", "def well"))
    page = '    path("well/", views.well, name="well"),\n'
    checkout.edit("config/urls.py", '    path("admin/"', f'{page}    path("admin/"')
    checkout.commit("A page that tells whether all is well")
    told = checkout.fab("--set", "web.health=/well/", "deploy", code=5)
    assert "/well/ answers 500" in told.err
    assert "put back and verified" in told.err
    unharmed.check()


def test_the_way_back_is_open_though_settings_ask_for_a_page_that_only_newer_releases_have(
    base: Checkout, hosts: Hosts
) -> None:
    release = base.fab("deploy", "--json").result["release"]
    told = base.fab("--set", "web.health=/well/", "rollback", "--json")
    assert set(hosts.served().values()) == {told.result["release"]} != {release}
    base.fab("rollback", "--to", release)


def test_a_host_that_cannot_be_put_back_is_named_as_not_known(
    checkout: Checkout, unharmed: Unharmed, hosts: Hosts
) -> None:
    checkout.title("Never seen")
    with hosts.trap("web2", "curl", "*127.0.0.1:80/*", "sleep 2") as trap:
        # Root stops Apache as soon as the visitors' port is asked.
        hosts.on("web2", f"(while [ -e {trap.flag} ]; do sleep 0.05; done; apachectl -k stop) &")
        told = checkout.fab("deploy", "--json", code=7)
    assert "web2" in told.result["error"]
    assert hosts.released("web1") == unharmed.served["web1"]
    hosts.on("web2", "apachectl start")
    checkout.fab("recover")
    unharmed.check()
