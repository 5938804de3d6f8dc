"""What a real browser makes of the deployed site: every asset there, and the pages styled."""

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.docker.browser import Browser, Loaded, browser, installed
from tests.docker.checkout import Checkout
from tests.docker.hosts import ROOT, Hosts

pytestmark = pytest.mark.docker

ARTEFACTS = Path(__file__).parents[2] / ".sandbox" / "artefacts"
STYLE = "getComputedStyle(document.querySelector({selector!r})).getPropertyValue({name!r}).trim()"


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser. Where CI runs, one that is missing is a failure."""
    program = installed()
    if program is None:
        reason = "there is no Chromium: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(f"NOT TESTED, {reason}")
    with browser(program, tmp_path_factory.mktemp("browser") / "profile") as opened:
        yield opened


def style(tab: Browser, selector: str, name: str) -> str:
    """The style that the browser has computed for the first such element."""
    said: str = tab.value(STYLE.format(selector=selector, name=name))
    return said


def all_there(loaded: Loaded, hosts: Hosts, least: int) -> None:
    """Fails unless everything was answered with 200, with so many files of the static host."""
    assert loaded.failures == []
    assert {url: code for url, code in loaded.statuses.items() if code != 200} == {}
    assert loaded.console == []
    static = urlsplit(hosts.fleet.urls["static1"]).netloc
    assert len([url for url in loaded.statuses if urlsplit(url).netloc == static]) >= least


@pytest.mark.parametrize("name", ["web1", "web2"])
def test_the_front_page_has_all_its_assets_and_is_styled(
    hosts: Hosts, live: dict[str, str], tab: Browser, name: str
) -> None:
    assert live
    loaded = tab.open(f"{hosts.fleet.urls[name]}/")
    tab.screenshot(ARTEFACTS / f"front-{name}.png")
    all_there(loaded, hosts, least=1)
    assert tab.value("document.styleSheets.length") >= 1
    assert style(tab, ":root", "--ink") == "#2b2622"
    assert style(tab, "body", "color") == "rgb(43, 38, 34)"


def test_the_log_in_of_the_admin_has_all_its_assets_and_is_styled(
    hosts: Hosts, live: dict[str, str], tab: Browser
) -> None:
    assert live
    loaded = tab.open(f"{hosts.fleet.urls['web1']}/admin/login/?next=/admin/")
    tab.screenshot(ARTEFACTS / "admin-log-in.png")
    all_there(loaded, hosts, least=4)
    assert tab.value("document.querySelectorAll('input[type=password]').length") == 1
    assert style(tab, "#header", "background-color") not in ("", "rgba(0, 0, 0, 0)")
    assert style(tab, ".submit-row input", "cursor") == "pointer"


def test_a_page_that_lacks_an_asset_is_noticed(
    hosts: Hosts, live: dict[str, str], base: Checkout, tab: Browser
) -> None:
    assert live
    sheet = hosts.stylesheet().rpartition("/static/")[2]
    static = f"{ROOT}/static"
    hosts.on("static1", f"cd {static} && mv pool/{sheet} away && mv current/{sheet} away-too")
    try:
        loaded = tab.open(f"{hosts.fleet.urls['web1']}/")
    finally:
        back = f"mv away pool/{sheet} && mv away-too current/{sheet}"
        hosts.on("static1", f"cd {static} && {back}")
    # A browser may not even show the answer to a page of another origin.
    refused = [url for url, code in loaded.statuses.items() if code == 404]
    assert [one for one in (*refused, *loaded.failures) if sheet in one]
    with pytest.raises(AssertionError):
        all_there(loaded, hosts, least=1)
    base.fab("static.check")
