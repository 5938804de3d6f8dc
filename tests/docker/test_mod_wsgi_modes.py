"""Embedded mode: the site in Apache's own processes, released with a graceful reload."""

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.docker.checkout import PYPROJECT, Checkout, make_checkout
from tests.docker.hosts import Answer, Hosts, ask
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
apache.mode = "embedded"
web.server_name = "localhost"
web.aliases = ["127.0.0.1"]
web.private_ports = [8121, 8122]
web.health = "/health/"
"""
ENV = f"""ALLOWED_HOSTS=localhost,127.0.0.1
SECURE_COOKIES=false
DATABASE_URL=sqlite:///{ROOT}/shared/data/db.sqlite3
"""
DAEMON = ("--set", "apache.mode=daemon")
ONLY_IN_SLOTS = """
import mod_wsgi
if not mod_wsgi.process_group:
    raise RuntimeError("this module does not like Apache's own processes")
"""


@pytest.fixture(scope="module")
def solo() -> Iterator[Hosts]:
    """One machine with Apache, on which root has prepared nothing of this site."""
    state = Path(__file__).parents[2] / ".sandbox" / "tests-modes"
    try:
        down(state, _quiet, keep_image=True)
        yield Hosts(up(state, _quiet, machines=(Machine("solo", ("web",)),)))
    finally:
        down(state, _quiet, keep_image=True)


def _quiet(_line: str) -> None:
    return None


@pytest.fixture(scope="module")
def diary(solo: Hosts, env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A project for that machine, which is prepared for embedded mode."""
    top = tmp_path_factory.mktemp("modes") / "project"
    secrets = (files.keep_secrets(solo.fleet.state).django,)
    made = make_checkout(top, solo.fleet.state / files.FLEET, env, secrets, INVENTORY)
    (top / "pyproject.toml").write_text(PYPROJECT.replace("guestbook", "diary"))
    made.commit("Another name")
    script = made.fab("setup", "--script").out
    docker("exec", "--interactive", solo.fleet.container("solo"), "sh", stdin=script.encode())
    made.fab("setup")
    solo.on("solo", f"install -d -o deploy -g www-data -m 2770 {ROOT}/shared/data")
    database = f"{ROOT}/shared/data/db.sqlite3"
    solo.on("solo", f"install -o deploy -g www-data -m 0660 /dev/null {database}")
    solo.on("solo", f"printf '%s' '{ENV}' >>{ROOT}/shared/env")
    return made


@pytest.fixture(scope="module")
def first(diary: Checkout) -> str:
    """The first release, which is live."""
    release: str = diary.fab("deploy", "--json").result["release"]
    return release


def page(solo: Hosts) -> Answer:
    """The front page as a visitor gets it."""
    return ask(f"{solo.fleet.urls['solo']}/")


def loaded(solo: Hosts) -> str:
    """What Apache's own processes that are alive say they have loaded, each once."""
    line = f"cd {ROOT}/run && for f in current-*; do kill -0 ${{f#current-}} && head -n1 $f; done"
    return " ".join(solo.on("solo", f"({line}) 2>/dev/null | sort -u").splitlines())


@contextmanager
def visitors(solo: Hosts) -> Iterator[tuple[list[Answer], list[str]]]:
    """One after the other, ten a second: what each was answered, and which got no answer."""
    answers: list[Answer] = []
    lost: list[str] = []
    stop = threading.Event()

    def come() -> None:
        while not stop.wait(0.1):
            try:
                answers.append(page(solo))
            except (OSError, http.client.HTTPException) as error:
                lost.append(f"{type(error).__name__}: {error}")

    thread = threading.Thread(target=come)
    thread.start()
    try:
        yield answers, lost
    finally:
        time.sleep(0.5)
        stop.set()
        thread.join()


def test_apaches_own_processes_serve_the_release(solo: Hosts, first: str) -> None:
    answer = page(solo)
    assert (answer.status, answer.release) == (200, first)
    assert f"loaded {first}" in loaded(solo)
    # One process is enough to ask a release before visitors are on it.
    assert solo.on("solo", f"ls {ROOT}/run | grep -c '^green-'").strip() == "1"


def test_a_release_under_light_traffic_and_the_way_back_give_whole_pages_only(
    solo: Hosts, diary: Checkout, first: str, capsys: pytest.CaptureFixture[str]
) -> None:
    diary.title("The diary")
    with visitors(solo) as (answers, lost):
        second = diary.fab("deploy", "--json").result["release"]
        assert page(solo).release == second
        assert "The diary" in page(solo).text
        assert diary.fab("rollback", "--json").result["release"] == first
        assert page(solo).release == first
    assert {answer.release for answer in answers if answer.status == 200} == {first, second}
    assert all(
        answer.text.rstrip().endswith("</html>") for answer in answers if answer.status == 200
    )
    # A reload of Apache cannot promise what a slot does; the page about Apache says so.
    failed = [answer.status for answer in answers if answer.status != 200]
    with capsys.disabled():
        print(f"\n{len(answers)} pages, not 200: {failed}, without an answer: {lost}")
    assert len(failed) + len(lost) < len(answers) / 10
    [line] = diary.fab("status", "--json").of("host")
    assert (line["release"], line["served"]) == (first, first)


def test_a_release_that_loads_in_its_slot_only_is_taken_back(
    solo: Hosts, diary: Checkout, first: str
) -> None:
    wsgi = (diary.top / "site" / "config/wsgi.py").read_text()
    diary.write("config/wsgi.py", wsgi + ONLY_IN_SLOTS)
    diary.commit("A module that is choosy")
    told = diary.fab("deploy", code=5)
    assert "does not like Apache's own processes" in told.text
    diary.write("config/wsgi.py", wsgi)
    diary.commit("Take it out")
    answer = page(solo)
    assert (answer.status, answer.release) == (200, first)


def test_a_release_that_does_not_load_at_all_is_stopped_before_visitors_are_on_it(
    solo: Hosts, diary: Checkout, first: str
) -> None:
    wsgi = (diary.top / "site" / "config/wsgi.py").read_text()
    diary.write("config/wsgi.py", f"{wsgi}\nimport no_such_module\n")
    diary.commit("A module that is not there")
    with visitors(solo) as (answers, lost):
        told = diary.fab("deploy", code=3)
    assert "no_such_module" in told.text
    diary.write("config/wsgi.py", wsgi)
    diary.commit("Take it out")
    assert {(answer.status, answer.release) for answer in answers} == {(200, first)}
    assert lost == []


def test_fresh_processes_are_given_to_the_live_release(
    solo: Hosts, diary: Checkout, first: str
) -> None:
    before = solo.on("solo", f"ls {ROOT}/run")
    diary.fab("apache.reload")
    assert page(solo).release == first
    assert solo.on("solo", f"ls {ROOT}/run") != before


def test_a_second_embedded_site_is_refused_and_the_first_one_stays(
    solo: Hosts, diary: Checkout, first: str
) -> None:
    text = solo.on("solo", "cat /etc/apache2/sites-available/diary.conf")
    other = text.replace("diary", "zettel").replace("8121", "8131").replace("8122", "8132")
    docker(
        *("exec", "--interactive", solo.fleet.container("solo")),
        *("sh", "-c", "cat >/tmp/other.conf"),
        stdin=other.encode(),
    )
    done, said = solo.tried("solo", "/usr/local/sbin/deploy-root apache zettel </tmp/other.conf")
    assert not done
    assert "another site on this Apache is in embedded mode" in said
    assert "the previous configuration is back" in said
    assert not solo.tried("solo", "ls /etc/apache2/sites-enabled/zettel.conf")[0]
    assert (page(solo).status, page(solo).release) == (200, first)
    assert diary.fab("apache.check").code == 0


def test_the_mode_can_be_changed_there_and_back_while_a_release_is_live(
    solo: Hosts, diary: Checkout, first: str
) -> None:
    diary.fab("apache.configure", *DAEMON)
    assert (page(solo).status, page(solo).release) == (200, first)
    diary.title("By daemons")
    second = diary.fab("deploy", *DAEMON, "--json").result["release"]
    assert page(solo).release == second
    assert loaded(solo) == ""
    diary.fab("apache.configure")
    diary.fab("apache.check")
    assert (page(solo).status, page(solo).release) == (200, second)
    assert f"loaded {second}" in loaded(solo)
