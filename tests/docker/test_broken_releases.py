"""Releases that cannot work: found out before visitors see them, told plainly, and harmless."""

from collections.abc import Iterator

import pytest

from tests.docker.checkout import Checkout
from tests.docker.failing import Unharmed, fails
from tests.docker.hosts import Hosts
from tests.docker.told import Told

pytestmark = pytest.mark.docker

URLS = "config/urls.py"


@pytest.fixture(scope="module", autouse=True)
def _the_next_good_deploy_works(hosts: Hosts, base: Checkout, first: Told) -> Iterator[None]:
    """After all these failures, and without any cleaning by hand."""
    assert first.code == 0
    yield
    told = base.fab("deploy", "--json")
    assert set(hosts.served().values()) == {told.result["release"]}


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


def test_a_page_that_fails_is_found_though_the_site_leads_everybody_to_https(
    checkout: Checkout, unharmed: Unharmed
) -> None:
    only_https(checkout)
    checkout.edit("guestbook/views.py", 'return HttpResponse("ok\\n"', 'raise ValueError("ok\\n"')
    checkout.commit("Break the page that is asked for")
    fails(checkout, 3, "web.warm web1,web2", "500")
    unharmed.check()


def test_a_site_that_leads_everybody_to_https_goes_live_with_its_api_heard(
    checkout: Checkout, hosts: Hosts
) -> None:
    only_https(checkout)
    heard = 'return HttpResponse(_request.headers.get("Authorization", "") + "\\n"'
    checkout.edit("guestbook/views.py", 'return HttpResponse("ok\\n"', heard)
    checkout.commit("Say what an API's client sends")
    released = checkout.fab("deploy", "--json").result["release"]
    led = hosts.get("web1", "/health/")
    assert (led.status, led.headers["location"].partition(":")[0]) == (301, "https")
    assert led.headers["x-release"] == released
    asked = "-H 'X-Deploy-Asks: yes' -H 'Authorization: Token t0k' http://127.0.0.1/health/"
    assert hosts.on("web1", f"curl -s {asked}") == "Token t0k\n"


def only_https(checkout: Checkout) -> None:
    """Nothing is answered over HTTP, not even the page that deploys ask for."""
    settings = "config/settings/production.py"
    checkout.edit(settings, 'env.bool("SECURE_SSL_REDIRECT", default=False)', "True")
    checkout.edit(settings, '[r"^health/$"]', "[]")


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
    checkout.edit(
        "config/settings/base.py", '    "guestbook",\n', '    "guestbook",\n    "gone",\n'
    )
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
