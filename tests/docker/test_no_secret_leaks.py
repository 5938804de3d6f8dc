"""What is secret stays so: also where something fails, is interrupted, or is asked to tell more."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.docker.canaries import forms
from tests.docker.checkout import Checkout
from tests.docker.failing import MIGRATION, fails
from tests.docker.hosts import ROOT, Hosts, wait_for
from tests.docker.leaks import Leaks, Tell, Watch, watch_beside_docker, watch_here
from tests.sandbox.docker import docker

pytestmark = pytest.mark.docker

BAIT = "a bait, which is/no secret+at all"
SPOKEN = (
    "import base64, os, urllib.parse; v = os.environ['EMAIL_HOST_PASSWORD']; "
    "raise ValueError(f'no mail: {v} {urllib.parse.quote(v)} ' + urllib.parse.quote(v, safe='') "
    "+ base64.b64encode(b'\\0mail\\0' + v.encode()).decode() + os.environ.get('DATABASE_URL', ''))"
)
"""Raises an error that tells the password in every way."""


@pytest.fixture
def pushed(hosts: Hosts, live: dict[str, str], tmp_path: Path) -> Iterator[Path]:
    """The secret environment as a file of the operator; on the hosts it is the same afterwards."""
    assert live
    path = tmp_path / "secret.env"
    path.touch(mode=0o600)
    before = hosts.on("web1", f"cat {ROOT}/shared/env")
    path.write_text(before)
    yield path
    line = f"cat >{ROOT}/shared/env"
    for name in ("web1", "web2", "db1"):
        container = hosts.fleet.container(name)
        docker("exec", "--interactive", container, "sh", "-c", line, stdin=before.encode())


@pytest.fixture(scope="module", autouse=True)
def _all_serve_the_good_release_in_the_end(hosts: Hosts, base: Checkout) -> Iterator[None]:
    yield
    told = base.fab("deploy", "--json")
    assert set(hosts.served().values()) == {told.result["release"]}


@pytest.fixture(params=[watch_here, watch_beside_docker])
def seen(hosts: Hosts, request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """What a watch of its own, which looks for the bait, has seen."""
    assert hosts
    found: list[str] = []
    start: Callable[[Tell], Watch] = request.param
    watch = start(found.append)
    watch.learn("bait", forms(BAIT))
    yield found
    watch.close()


@pytest.mark.parametrize("shape", forms(BAIT), ids=len)
def test_the_watch_sees_a_secret_that_is_in_a_command_line_for_50_ms(
    seen: list[str], hosts: Hosts, shape: str
) -> None:
    line = f"sleep 0.05; : {shape!r}"
    docker("exec", hosts.fleet.container("web2"), "sh", "-c", line)
    wait_for(lambda: any("bait: argv of sh" in one for one in seen), 5)
    assert shape not in str(seen)


def test_the_watch_sees_a_secret_that_is_in_an_environment_for_50_ms(
    seen: list[str], hosts: Hosts
) -> None:
    container = hosts.fleet.container("web2")
    # The first program becomes another one, under the same number.
    line = 'exec env "MAIL=$(cat)" sleep 0.05'
    words = ("exec", "--interactive", container, "sh", "-c", line)
    docker(*words, stdin=BAIT.encode())
    wait_for(lambda: any("bait: environment, MAIL of sleep" in one for one in seen), 5)


def test_a_leak_here_and_one_on_a_host_are_told_with_the_place_and_the_test(
    hosts: Hosts, tmp_path: Path
) -> None:
    mine = Leaks(tmp_path, [(0.0, "the test that leaks")])
    mine.add("bait", forms(BAIT))
    line = f"sleep 0.05; : {BAIT!r}"
    subprocess.run(["bash", "-c", line], check=True)
    docker("exec", hosts.fleet.container("web2"), "sh", "-c", line)
    docker("exec", "--env", f"MAIL={BAIT}", hosts.fleet.container("web2"), "sleep", "0.05")
    mine.close()
    said = mine.news()
    for place in ("argv of bash", "argv of sh", "argv of docker", "environment, MAIL of sleep"):
        assert [one for one in said if f"bait: {place}" in one], said
    assert {one.partition("[")[2] for one in said} == {"seen during the test that leaks]"}
    assert BAIT not in str(said)


def test_the_watch_leaves_alone_what_holds_no_secret(seen: list[str], hosts: Hosts) -> None:
    subprocess.run(["sleep", "0.05"], check=True)
    docker("exec", hosts.fleet.container("web2"), "sleep", "0.05")
    assert seen == []


def test_the_search_sees_a_secret_in_a_log_on_a_host_and_in_one_here(
    hosts: Hosts, tmp_path: Path
) -> None:
    mine = Leaks(tmp_path, [(0.0, "the first"), (time.time(), "this"), (time.time() + 9, "later")])
    mine.secrets["bait"] = forms(BAIT)
    container = hosts.fleet.container("web2")
    (tmp_path / "run.log").write_text(f"begins\nends with {forms(BAIT)[-2]}\n")
    os.mkfifo(tmp_path / "a pipe that nobody writes to")
    mine.search_here()
    assert mine.news() == [f"bait: in {tmp_path}/run.log [last written during this]"]
    log = "/var/log/apache2/bait.log"
    words = ("exec", "--interactive", container, "sh", "-c", f"cat >{log}")
    docker(*words, stdin=f"one line\nanother: {forms(BAIT)[1]}\n".encode())
    mine.search_host(container)
    hosts.on("web2", f"rm {log}")
    assert mine.news() == [f"a secret: in {container}:{log} [last written during this]"]
    mine.told("the report of a test", f"E   assert {forms(BAIT)[0]}")
    assert mine.news() == ["bait: in the report of a test"]


@pytest.mark.parametrize("flags", [(), ("--json",), ("-d",), ("--echo",)])
def test_the_environment_is_pushed_from_a_file_or_from_standard_input(
    base: Checkout, pushed: Path, flags: tuple[str, ...]
) -> None:
    told = base.fab(*flags, "env.push", "--file", str(pushed))
    assert "EMAIL_HOST_PASSWORD" in told.text
    assert "EMAIL_HOST_PASSWORD" in base.fab(*flags, "env.push", stdin=pushed.read_text()).text
    assert "EMAIL_HOST_PASSWORD" in base.fab(*flags, "env.show").text


def test_an_environment_that_cannot_be_read_is_refused_without_showing_it(
    base: Checkout, pushed: Path
) -> None:
    text = pushed.read_text()
    for broken in (text.replace("EMAIL_HOST_PASSWORD=", "EMAIL_HOST_PASSWORD "), text + "A='b\n"):
        pushed.write_text(broken)
        base.fab("-d", "env.push", "--file", str(pushed), code=2)
        base.fab("--json", "env.push", code=2, stdin=broken)


def test_hosts_are_prepared_and_released_to_with_everything_told(
    hosts: Hosts, checkout: Checkout, pushed: Path
) -> None:
    assert pushed
    checkout.fab("-d", "--echo", "setup")
    checkout.title("Nothing to hide")
    checkout.fab("-d", "--echo", "deploy")
    checkout.fab("-d", "apache.reload")
    checkout.fab("-d", "plan")
    assert "Nothing to hide" in hosts.get("web1").text


def test_an_env_push_that_is_interrupted_leaves_no_secret_behind(
    hosts: Hosts, base: Checkout, pushed: Path
) -> None:
    with hosts.trap("web1", "chgrp", "*env*", "sleep 60") as trap:
        run = base.start("env.push", stdin=pushed)
        trap.sprung()
        run.signal(signal.SIGINT)
        run.ended(130)
    hosts.at_rest()
    assert hosts.on("web1", f"cd {ROOT}/shared && find . -maxdepth 1 -name 'env*'") == "./env\n"


def test_settings_that_fail_with_a_secret_in_their_message(
    hosts: Hosts, checkout: Checkout, pushed: Path
) -> None:
    assert pushed
    spoken = f"import os\nif 'EMAIL_HOST_PASSWORD' in os.environ:\n    {SPOKEN}\n"
    checkout.write("config/wsgi.py", spoken)
    checkout.commit("Tell everything when Apache loads it")
    assert "no mail: <EMAIL_HOST_PASSWORD>" in checkout.fab("deploy", code=3).text
    settings = "config/settings/production.py"
    checkout.git("checkout", "HEAD^", "--", "site/config/wsgi.py")
    checkout.write(settings, (checkout.top / "site" / settings).read_text() + spoken)
    checkout.commit("Tell everything in the settings")
    told = checkout.fab("deploy", code=3)
    assert "does not load: ValueError at config/settings/production.py:" in told.text
    assert not hosts.on("web1", f"cat {ROOT}/run/*").count("Traceback")


def test_a_migration_that_fails_with_a_secret_in_its_message(
    checkout: Checkout, pushed: Path
) -> None:
    assert pushed
    body = SPOKEN.replace("; ", "\n    ")
    checkout.write("guestbook/migrations/0003_tell.py", MIGRATION.format(body=body))
    checkout.commit("Tell everything to the database")
    fails(checkout, 6, "db.migrate db1", "no mail: <EMAIL_HOST_PASSWORD>")


@pytest.mark.parametrize("flags", [(), ("--json",), ("-d",)])
def test_a_management_command_that_fails_with_a_traceback(
    base: Checkout, pushed: Path, flags: tuple[str, ...]
) -> None:
    assert pushed
    told = base.fab(*flags, "manage", "--", "shell", "-c", SPOKEN, code=1, raises=True)
    assert "ValueError: no mail: <EMAIL_HOST_PASSWORD>" in told.text


def test_a_database_that_refuses_the_password(
    base: Checkout, checkout: Checkout, pushed: Path, leaks: Leaks
) -> None:
    wrong = os.urandom(12).hex() + "/%zz"
    leaks.add("a wrong password", forms(wrong))
    database = f"DATABASE_URL=postgres://guestbook:{wrong.replace('/', '%2F')}@db1:5432/guestbook"
    lines = [line for line in pushed.read_text().splitlines() if "DATABASE_URL" not in line]
    pushed.write_text("\n".join((*lines, database, "")))
    base.fab("env.push", "--file", str(pushed))
    body = "schema_editor.execute('SELECT 1')"
    checkout.write("guestbook/migrations/0003_nothing.py", MIGRATION.format(body=body))
    checkout.commit("Ask the database something")
    told = checkout.fab("-d", "deploy", code=3)
    base.fab("manage", "--", "showmigrations", code=1, raises=True)
    for said in (told.text, told.log):
        assert not [form for form in forms(wrong) if form in said]


def test_a_deploy_that_is_interrupted_while_it_migrates(
    hosts: Hosts, checkout: Checkout, pushed: Path
) -> None:
    assert pushed
    body = "print('migrates', flush=True); import time; time.sleep(60)"
    checkout.write("guestbook/migrations/0003_wait.py", MIGRATION.format(body=body))
    checkout.commit("Wait")
    run = checkout.start("-d", "deploy")
    run.says("-> db.migrate")
    run.signal(signal.SIGINT)
    run.ended(130)
    hosts.at_rest()


def test_no_secret_was_seen_anywhere_in_the_whole_session(leaks: Leaks, hosts: Hosts) -> None:
    """The last test of all: everything that the tests before it did was watched."""
    assert hosts
    leaks.search_fleets()
    leaks.search_here()
    assert leaks.news() == []
