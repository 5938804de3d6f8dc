"""Embedded mode: the site in Apache's own processes, released with a graceful reload."""

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.project import Apache, Project, Web
from deploy.webserver import apache_site, process_title
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
RED_HAT = """set -e
mkdir -p /etc/httpd/conf /etc/httpd/conf.d /var/log/httpd /run/httpd
ln -sfn /usr/lib/apache2/modules /etc/httpd/modules
ln -sfn /var/log/httpd /etc/httpd/logs
for module in mpm_event authz_core authz_host alias rewrite headers wsgi mime; do
  echo "LoadModule ${module}_module modules/mod_$module.so"
done >/etc/httpd/conf/httpd.conf
printf '%s\\n' 'ServerName localhost' 'PidFile /run/httpd/httpd.pid' 'Listen 8080' \\
  'LogFormat "%h" combined' 'Include conf.d/*.conf' >>/etc/httpd/conf/httpd.conf
cat >/etc/httpd/conf.d/shop.conf
"""
"""What Red Hat's httpd.conf is made of, with the modules of the Apache that is there."""
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


def installed(solo: Hosts, text: str, name: str) -> tuple[bool, str]:
    """Whether root could install that configuration of a site, and what was said."""
    where = solo.fleet.container("solo")
    docker("exec", "-i", where, "sh", "-c", "cat >/tmp/other.conf", stdin=text.encode())
    return solo.tried("solo", f"/usr/local/sbin/deploy-root apache {name} </tmp/other.conf")


def conf(solo: Hosts) -> str:
    """The site's configuration as it is installed."""
    return solo.on("solo", "cat /etc/apache2/sites-enabled/diary.conf")


def test_a_second_embedded_site_is_refused_and_the_first_one_stays(
    solo: Hosts, diary: Checkout, first: str
) -> None:
    other = conf(solo).replace("diary", "zettel")
    done, said = installed(solo, other.replace("8121", "8131").replace("8122", "8132"), "zettel")
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
    told = diary.fab("apache.configure")
    assert "+WSGIRestrictEmbedded Off" in told.out, "the difference is shown"
    diary.fab("apache.check")
    assert (page(solo).status, page(solo).release) == (200, second)
    assert f"loaded {second}" in loaded(solo)


def test_where_nothing_differs_nothing_is_reloaded(solo: Hosts, diary: Checkout) -> None:
    before = solo.on("solo", "pgrep -P $(cat /run/apache2/apache2.pid) | sort")
    assert "nothing differs" in diary.fab("apache.configure").out
    assert solo.on("solo", "pgrep -P $(cat /run/apache2/apache2.pid) | sort") == before


def test_a_change_by_hand_is_shown_and_taken_back(solo: Hosts, diary: Checkout) -> None:
    right = conf(solo)
    solo.on("solo", "echo '# by hand' >>/etc/apache2/sites-available/diary.conf")
    assert "-# by hand" in diary.fab("apache.configure").out
    assert conf(solo) == right


def test_a_configuration_that_apache_refuses_is_put_back_and_says_so(
    solo: Hosts, diary: Checkout
) -> None:
    right, served = conf(solo), page(solo).release
    nowhere = (
        "--set",
        "apache.certificate=/nowhere.pem",
        "--set",
        "apache.certificate_key=/no.key",
    )
    solo.on("solo", "a2enmod -q ssl && apachectl graceful && sleep 1")
    told = diary.fab("apache.configure", *nowhere, code=3)
    assert "/nowhere.pem" in told.text
    assert "the previous configuration is back" in told.text
    assert (conf(solo), page(solo).release) == (right, served)


def test_https_is_served_and_http_leads_there_for_all_but_those_who_verify(
    solo: Hosts, diary: Checkout
) -> None:
    solo.on(
        "solo",
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost "
        "-keyout /etc/ssl/site.key -out /etc/ssl/site.pem 2>/dev/null; a2enmod -q ssl",
    )
    tls = ("apache.certificate=/etc/ssl/site.pem", "apache.certificate_key=/etc/ssl/site.key")
    words = [word for setting in tls for word in ("--set", setting)]
    diary.fab("apache.configure", *words)
    diary.title("Over HTTPS")
    release = diary.fab("deploy", *words, "--json").result["release"]
    answer = ask(f"{solo.fleet.urls['solo']}/health/?a=b")
    assert answer.status == 301
    assert answer.headers["location"] == "https://127.0.0.1/health/?a=b"
    curl = "curl -sk -D - https://127.0.0.1/"
    said = solo.on("solo", curl)
    assert f"X-Release: {release}" in said
    assert "Over HTTPS" in said
    assert ask(f"{solo.fleet.urls['solo']}/-/ready").status == 200
    assert diary.fab("apache.check", *words).code == 0
    assert diary.fab("maintenance.on", *words).code == 0
    assert " 503 " in solo.on("solo", curl).splitlines()[0]
    diary.fab("maintenance.off", *words)
    diary.fab("apache.configure")


def test_two_sites_on_one_apache_are_kept_apart(solo: Hosts, diary: Checkout) -> None:
    served = page(solo).release
    diary.fab("apache.configure", *DAEMON)
    other = conf(solo).replace("diary", "zettel").replace("localhost", "zettel.example.com")
    other = other.replace("127.0.0.1\n", "zettel.example.org\n")
    done, said = installed(solo, other, "zettel")
    assert not done
    assert "port 8121 is that of diary.conf already" in said
    apart = other.replace(process_title("diary", "blue"), process_title("zettel", "blue"))
    apart = apart.replace(process_title("diary", "green"), process_title("zettel", "green"))
    solo.on("solo", "mkdir -p /srv/www && cp -a /srv/www/diary /srv/www/zettel")
    solo.on("solo", "rm -f /srv/www/zettel/run/*")
    solo.on("solo", "sed -i 's/diary/zettel/g' /srv/www/zettel/entry/site.json")
    done, said = installed(solo, apart.replace("8121", "8131").replace("8122", "8132"), "zettel")
    assert done, said
    # An embedded site stands beside one in daemon mode, whose processes are its own.
    diary.fab("apache.configure")
    assert page(solo).release == served
    assert of_zettel(solo).release == served
    diary.title("Only the diary")
    release = diary.fab("deploy", "--json").result["release"]
    assert page(solo).release == release != served
    assert of_zettel(solo).release == served


def of_zettel(solo: Hosts) -> Answer:
    """What the other site says."""
    return ask(f"{solo.fleet.urls['solo']}/-/ready", headers={"Host": "zettel.example.com"})


def test_the_layout_of_red_hat_is_a_configuration_that_apache_accepts(
    solo: Hosts, diary: Checkout
) -> None:
    assert diary
    web = Web(server_name="shop.example.com", user="www-data", private_ports=(8141, 8142))
    project = Project(
        name="shop", root="/srv/www/shop", web=web, apache=Apache(layout="redhat", mode="daemon")
    )
    text = apache_site(project)
    assert "/var/log/httpd/shop-error.log" in text
    assert "apache2" not in text
    where = solo.fleet.container("solo")
    docker("exec", "-i", where, "sh", "-c", RED_HAT, stdin=text.encode())
    said = solo.on("solo", "apache2 -t -d /etc/httpd -f conf/httpd.conf 2>&1")
    assert "Syntax OK" in said
