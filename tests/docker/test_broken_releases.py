"""Releases that cannot work: found out before visitors see them, told plainly, and harmless."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.docker.checkout import Checkout, Told
from tests.docker.hosts import ROOT, WEB, Hosts

pytestmark = pytest.mark.docker

URLS = "config/urls.py"
MIGRATION = '''"""A change to the data."""

from django.db import migrations


def change(apps, schema_editor):
    {body}


class Migration(migrations.Migration):
    dependencies = [("guestbook", "0002_entry_photo")]
    operations = [migrations.RunPython(change, migrations.RunPython.noop)]
'''


@dataclass(frozen=True)
class Unharmed:
    """What every host served before; `check` fails if anything of it is different."""

    hosts: Hosts
    served: dict[str, str]
    pages: dict[str, str]

    def check(self) -> None:
        """Every visitor gets what was there before, and nothing of the run is left."""
        assert self.hosts.served() == self.served
        headings = {page.split("<h1>")[1].split("</h1>")[0] for page in self.pages.values()}
        assert all(heading in page for page in self.hosts.pages().values() for heading in headings)
        self.hosts.at_rest()


@pytest.fixture
def unharmed(hosts: Hosts, live: dict[str, str]) -> Unharmed:
    """What is served before the broken release."""
    return Unharmed(hosts, live, hosts.pages())


@pytest.fixture(scope="module", autouse=True)
def _the_next_good_deploy_works(hosts: Hosts, base: Checkout, first: Told) -> Iterator[None]:
    """After all these failures, and without any cleaning by hand."""
    assert first.code == 0
    yield
    told = base.fab("deploy", "--json")
    assert set(hosts.served().values()) == {told.result["release"]}


def fails(checkout: Checkout, code: int, where: str, *said: str) -> Told:
    """A deploy that ends with this code, says this, and failed in the step `where`: STEP HOST,..."""
    told = checkout.fab("deploy", "--json", code=code)
    result = told.result
    assert (result["ok"], result["exit_code"]) == (False, code)
    step, _, names = where.partition(" ")
    failed = {line["host"]: line for line in told.of("step") if not line["ok"]}
    assert sorted(failed) == names.split(",")
    for name, line in failed.items():
        assert line["step"] == step
        assert line["error"]
        assert name in result["error"]
    for words in (f"{step} failed on", *said):
        assert words in result["error"]
    return told


def test_a_broken_urlconf_is_found_in_the_idle_processes(
    checkout: Checkout, unharmed: Unharmed
) -> None:
    checkout.write(URLS, "import nothing_of_this_name\n")
    checkout.commit("Break the URLs")
    old = unharmed.served["web1"]
    fails(
        checkout,
        3,
        "web.warm web1,web2",
        "No module named 'nothing_of_this_name'",
        "config/urls.py:1",
        f"live as before: web1, web2, static1, db1 on {old}",
    )
    unharmed.check()


def test_the_same_failure_is_told_in_words(checkout: Checkout, unharmed: Unharmed) -> None:
    checkout.write(URLS, "urlpatterns = [\n")
    checkout.commit("Break the URLs")
    told = checkout.fab("deploy", code=3)
    assert "SyntaxError" in told.err
    assert "web1: code.seal FAILED" in told.out
    assert "log: " in told.err
    assert "SyntaxError" in told.log
    unharmed.check()


def test_a_site_that_does_not_import_is_found_before_anything_is_sent(
    checkout: Checkout, unharmed: Unharmed, hosts: Hosts
) -> None:
    before = hosts.listing()
    checkout.edit("config/settings/base.py", '    "guestbook",\n', '    "guestbook",\n    "gone",\n')
    checkout.commit("Install an app that is not there")
    fails(checkout, 3, "static.collect here", "No module named 'gone'", "live as before")
    assert hosts.listing() == before
    unharmed.check()


def test_a_site_that_imports_here_but_not_on_the_hosts_is_found_there(
    checkout: Checkout, unharmed: Unharmed
) -> None:
    checkout.write("config/wsgi.py", "raise RuntimeError('only under Apache')\n")
    checkout.commit("Break the entry")
    fails(checkout, 3, "web.warm web1,web2", "RuntimeError: only under Apache")
    unharmed.check()


def test_a_requirement_that_nobody_has_is_named(
    checkout: Checkout, unharmed: Unharmed, hosts: Hosts
) -> None:
    before = hosts.listing()
    checkout.edit("requirements.txt", "Django==5.2.19", "Django==5.2.9999")
    checkout.commit("Require what is not there")
    fails(checkout, 3, "code.wheels here", "Django==5.2.9999")
    assert hosts.listing() == before
    unharmed.check()


def test_a_health_page_that_answers_500_is_found_before_the_switch(
    checkout: Checkout, unharmed: Unharmed
) -> None:
    checkout.edit("guestbook/views.py", 'cursor.execute("SELECT 1")', "raise ValueError('ill')")
    checkout.commit("Break the health page")
    fails(checkout, 3, "web.warm web1,web2", "/health/ answers 500")
    unharmed.check()


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
        '    form = EntryForm(request.POST or None',
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
    checkout.edit(
        "guestbook/static/guestbook/site.css", "--ink: #2b2622", "--ink: #334455"
    )
    checkout.commit("Ill on web2, and only for visitors")
    told = fails(
        checkout, 5, "web.activate web2", "/health/ answers 500", "put back and verified"
    )
    undone = {
        host
        for line in told.of("begin")
        if line["undo"] and line["step"] in ("web.activate", "static.switch")
        for host in line["hosts"]
    }
    assert undone >= {*WEB, "static1"}
    unharmed.check()


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


def test_a_changed_requirement_is_installed_beside_the_old_packages(
    checkout: Checkout, unharmed: Unharmed, hosts: Hosts
) -> None:
    checkout.edit("requirements.txt", "sqlparse==0.6.1\n", "sqlparse==0.6.1  # the same\n")
    checkout.commit("Requirements with another key")
    release = checkout.fab("deploy", "--json").result["release"]
    assert set(hosts.served().values()) == {release}
    for name in WEB:
        links = [f"{ROOT}/releases/{one}/venv" for one in (release, unharmed.served[name])]
        assert len(set(hosts.on(name, f"readlink {' '.join(links)}").split())) == 2
