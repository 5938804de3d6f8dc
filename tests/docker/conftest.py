"""The fleet of the stories, a checkout for each of them, and a release that is live before it."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.errors import DeployError
from tests.docker.checkout import Checkout, environment, make_checkout
from tests.docker.failing import Unharmed
from tests.docker.hosts import Hosts
from tests.docker.told import Told
from tests.sandbox import files
from tests.sandbox.fleet import down, up
from tests.sandbox.members import Fleet

STATE = Path(__file__).parents[2] / ".sandbox" / "tests"


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
    """What nobody may ever read: the site's key and the password of its database."""
    kept = files.keep_secrets(hosts.fleet.state)
    return kept.django, kept.database


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
