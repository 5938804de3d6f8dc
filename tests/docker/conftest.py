"""The fleet of the stories, a checkout for each of them, and a release that is live before it."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.errors import DeployError
from tests.docker.canaries import canaries
from tests.docker.checkout import Checkout, environment, make_checkout
from tests.docker.failing import Unharmed
from tests.docker.hosts import Hosts
from tests.docker.leaks import Leaks, attend
from tests.docker.told import Told
from tests.sandbox import files
from tests.sandbox.fleet import down, up
from tests.sandbox.members import Fleet

STATE = Path(__file__).parents[2] / ".sandbox" / "tests"
LEAKS = pytest.StashKey[Leaks]()
COST = pytest.StashKey[str]()
BEGUN = pytest.StashKey[list[tuple[float, str]]]()
LAST = "test_no_secret_was_seen_anywhere_in_the_whole_session"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The verdict on all tests comes after them."""
    items.sort(key=lambda item: item.name == LAST)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Remembers when each test began, to name the one in which a secret got out."""
    item.config.stash.setdefault(BEGUN, []).append((time.time(), item.nodeid))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """What a test captured, and how it failed, holds no secret either."""
    report = yield
    leaks = item.config.stash.get(LEAKS, None)
    if leaks and isinstance(report, pytest.TestReport):
        said = "\n".join((report.longreprtext, *(text for _, text in report.sections)))
        leaks.told(f"the report of {report.nodeid}", said)
    return report


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Says what the watch over the secrets was worth."""
    if COST in config.stash:
        terminalreporter.write_line(config.stash[COST])


@pytest.fixture(scope="session", autouse=True)
def leaks(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Leaks]:
    """The watch over the secrets of every fleet, from the first test to the last."""
    begun = pytestconfig.stash.setdefault(BEGUN, [])
    watch = pytestconfig.stash[LEAKS] = Leaks(tmp_path_factory.getbasetemp(), begun)
    with pytest.MonkeyPatch.context() as patch:
        attend(watch, patch)
        yield watch
    watch.search_here()
    pytestconfig.stash[COST] = watch.close()
    assert watch.news() == []


@pytest.fixture(scope="session")
def hosts() -> Iterator[Hosts]:
    """A fleet on which nothing was ever released; taken away in the end."""
    try:
        down(STATE, _quiet, keep_image=True)
        yield Hosts(_up())
    finally:
        down(STATE, _quiet, keep_image=True)


def _up() -> Fleet:
    try:
        return up(STATE, _quiet)
    except DeployError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"NOT TESTED, there is no Docker fleet: {error.what}")


def _quiet(_line: str) -> None:
    return None


@pytest.fixture
def mend(hosts: Hosts) -> Callable[[], None]:
    """Starts what does not run, and prepares every host as root would do it again."""

    def mended() -> None:
        up(hosts.fleet.state, _quiet)

    return mended


@pytest.fixture(scope="session")
def secrets(hosts: Hosts) -> tuple[str, ...]:
    """What nobody may ever read: every secret of the site, in all its forms."""
    kept = canaries(files.keep_secrets(hosts.fleet.state))
    return tuple(form for forms in kept.values() for form in forms)


@pytest.fixture(scope="session")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The developer's environment; its caches serve all stories, and nobody else."""
    return environment(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def clone(
    hosts: Hosts, env: dict[str, str], secrets: tuple[str, ...]
) -> Callable[[Path], Checkout]:
    """Makes a checkout of the sample project in a folder that is not there yet."""
    return lambda top: make_checkout(top, hosts.fleet.state / files.FLEET, env, secrets)


@pytest.fixture(scope="session")
def base(clone: Callable[[Path], Checkout], tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """The project as it is when nothing is wrong with it. Stories change their own."""
    return clone(tmp_path_factory.mktemp("base") / "project")


@pytest.fixture(scope="session")
def first(base: Checkout) -> Told:
    """What the very first deploy to the fleet said."""
    return base.fab("deploy", "--json")


@pytest.fixture
def live(hosts: Hosts, base: Checkout, first: Told) -> dict[str, str]:
    """What each host serves before the story, the same release on all of them, unharmed."""
    assert first.code == 0
    served = hosts.served()
    fine = len(set(served.values())) == 1 and all(
        hosts.get(n).status == 200 for n in ("web1", "web2")
    )
    if not fine or "" in served.values() or any(hosts.locks().values()):
        base.fab("deploy")
        served = hosts.served()
    return served


@pytest.fixture
def checkout(clone: Callable[[Path], Checkout], tmp_path: Path) -> Checkout:
    """The story's own checkout of the project."""
    return clone(tmp_path / "project")


@pytest.fixture
def unharmed(hosts: Hosts, live: dict[str, str]) -> Unharmed:
    """What is served before the broken release."""
    return Unharmed(hosts, live, hosts.pages())
