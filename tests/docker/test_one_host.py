"""A site on one machine: prepared from nothing, with SQLite, serving its own static files."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docker.checkout import PYPROJECT, Checkout, make_checkout
from tests.docker.hosts import Hosts, ask
from tests.docker.visitor import sign
from tests.sandbox import files
from tests.sandbox.docker import docker
from tests.sandbox.fleet import down, up
from tests.sandbox.members import Machine

pytestmark = pytest.mark.docker

ROOT = "/srv/www/diary"
INVENTORY = """
include = "{fleet}"

[hosts.solo]
roles = ["web", "db"]

[project]
web.server_name = "localhost"
web.aliases = ["127.0.0.1"]
web.private_ports = [8111, 8112]
web.health = "/health/"
"""
ENV = f"""ALLOWED_HOSTS=localhost,127.0.0.1
SECURE_COOKIES=false
DATABASE_URL=sqlite:///{ROOT}/shared/data/db.sqlite3
"""


@pytest.fixture(scope="module")
def solo() -> Iterator[Hosts]:
    """One machine with Apache, on which root has prepared another site only."""
    state = Path(__file__).parents[2] / ".sandbox" / "tests-solo"
    try:
        down(state, _quiet, keep_image=True)
        yield Hosts(up(state, _quiet, machines=(Machine("solo", ("web",)),)))
    finally:
        down(state, _quiet, keep_image=True)


def _quiet(_line: str) -> None:
    return None


@pytest.fixture(scope="module")
def diary(
    hosts: Hosts,
    solo: Hosts,
    env: dict[str, str],
    secrets: tuple[str, ...],
    tmp_path_factory: pytest.TempPathFactory,
) -> Checkout:
    """A project for that machine, whose owner has done what `fab setup` says."""
    assert hosts
    top = tmp_path_factory.mktemp("diary") / "project"
    made = make_checkout(top, solo.fleet.state / files.FLEET, env, secrets, INVENTORY)
    (top / "pyproject.toml").write_text(PYPROJECT.replace("guestbook", "diary"))
    made.commit("Another name")
    script = made.fab("setup", "--script").out
    container = solo.fleet.container("solo")
    docker("exec", "--interactive", container, "sh", stdin=script.encode())
    made.fab("setup")
    # Two users write it: the one who migrates, and the one of the site's processes.
    solo.on("solo", f"install -d -o deploy -g www-data -m 2770 {ROOT}/shared/data")
    database = f"{ROOT}/shared/data/db.sqlite3"
    solo.on("solo", f"install -o deploy -g www-data -m 0660 /dev/null {database}")
    solo.on("solo", f"printf '%s' '{ENV}' >>{ROOT}/shared/env")
    return made


def test_one_machine_is_prepared_released_to_and_rolled_back(solo: Hosts, diary: Checkout) -> None:
    url = solo.fleet.urls["solo"]
    first = diary.fab("deploy", "--json").result["release"]
    page = ask(f"{url}/")
    assert (page.status, page.release) == (200, first)
    sheet = solo.stylesheet("solo")
    assert sheet.startswith("/static/guestbook/site.")
    assert ask(url + sheet).headers["cache-control"].endswith("immutable")
    assert ask(f"{url}/robots.txt").status == 200
    assert "Łucja" in sign(url, "photo.png")

    diary.edit("guestbook/static/guestbook/site.css", "--ink: #2b2622", "--ink: #445566")
    diary.title("The diary")
    second = diary.fab("deploy", "--json").result["release"]
    page = ask(f"{url}/")
    assert page.release == second
    assert "The diary" in page.text
    assert "Łucja" in page.text, "the database was not kept"
    newer = solo.stylesheet("solo")
    assert "--ink: #445566" in ask(url + newer).text
    assert ask(url + sheet).status == 200, "pages that are open have lost their stylesheet"

    diary.fab("rollback")
    assert ask(url + newer).status == 200
    assert ask(f"{url}/").release == first
    assert solo.stylesheet("solo") == sheet
    assert "--ink: #2b2622" in ask(url + sheet).text
    [line] = diary.fab("status", "--json").of("host")
    assert (line["release"], line["served"], line["roles"]) == (first, first, ["web", "db"])


def test_static_files_that_have_not_changed_are_linked_rather_than_gathered_again(
    solo: Hosts, diary: Checkout
) -> None:
    diary.title("Before")
    diary.fab("deploy")
    sheet = solo.stylesheet("solo").removeprefix("/static/")
    there = f"stat --format=%i {ROOT}/current/staticfiles/{sheet}"
    before = solo.on("solo", there)
    diary.title("After")
    diary.fab("deploy")
    assert solo.on("solo", there) == before


@pytest.mark.parametrize("path", ["/static/", "/static", "/static/../manage.py", "/manage.py"])
def test_its_static_files_are_all_that_it_gives_out(
    solo: Hosts, diary: Checkout, path: str
) -> None:
    assert diary
    answer = ask(f"{solo.fleet.urls['solo']}{path}")
    assert answer.status in (301, 400, 403, 404)
    assert "Index of" not in answer.text
