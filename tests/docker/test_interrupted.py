"""Ctrl-C and SIGTERM in every part of a run: nothing goes on, nothing stays, everything is old."""

import signal
from collections.abc import Callable

import pytest

from tests.docker.checkout import Checkout
from tests.docker.hosts import ROOT, WEB, Hosts, wait_for

pytestmark = pytest.mark.docker

SWALLOW = "exec cat >/dev/null"
SLEEP = "exec sleep 300"
SLOW_MIGRATION = '''"""A migration that takes its time."""

import pathlib
import time

from django.db import migrations


def wait(apps, schema_editor):
    pathlib.Path("/tmp/migrating").touch()
    time.sleep(300)


class Migration(migrations.Migration):
    dependencies = [("guestbook", "0002_entry_photo")]
    operations = [migrations.RunPython(wait, migrations.RunPython.noop)]
'''


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def number(request: pytest.FixtureRequest) -> signal.Signals:
    """The signal that ends the run."""
    found: signal.Signals = request.param
    return found


@pytest.fixture
def nothing_happened(hosts: Hosts, live: dict[str, str]) -> Callable[[], None]:
    """Fails if visitors see anything new, or if anything of the run is left on a host."""

    def check() -> None:
        assert hosts.served() == live
        assert not [name for name, page in hosts.pages().items() if "Interrupted" in page]
        hosts.at_rest()

    return check


def test_while_code_is_sent(
    hosts: Hosts, checkout: Checkout, nothing_happened: Callable[[], None]
) -> None:
    checkout.title("Interrupted")
    with hosts.trap("web2", "rsync", "*--server*", SWALLOW) as trap:
        run = checkout.start("deploy")
        trap.sprung()
        run.signal(signal.SIGINT)
        told = run.ended(130)
    assert "live as before" in told.err
    nothing_happened()


def test_while_packages_are_installed(
    hosts: Hosts,
    live: dict[str, str],
    checkout: Checkout,
    nothing_happened: Callable[[], None],
) -> None:
    checkout.edit("requirements.txt", "sqlparse==0.6.1\n", "sqlparse==0.6.1  # the same\n")
    checkout.title("Interrupted")
    with hosts.trap("web2", "python3", "*' -m venv '*|'-m venv '*", SLEEP) as trap:
        run = checkout.start("deploy")
        trap.sprung(120)
        run.signal(signal.SIGINT)
        run.ended(130)
    nothing_happened()
    # The same once more: what was half installed is made anew, beside the packages that are live.
    release = checkout.fab("deploy", "--json").result["release"]
    assert set(hosts.served().values()) == {release}
    for name in WEB:
        links = [f"{ROOT}/releases/{one}/venv" for one in (release, live[name])]
        assert len(set(hosts.on(name, f"readlink {' '.join(links)}").split())) == 2
    checkout.fab("rollback")
    nothing_happened()


def test_while_the_database_is_migrated(
    hosts: Hosts, checkout: Checkout, nothing_happened: Callable[[], None], number: signal.Signals
) -> None:
    hosts.on("db1", "rm -f /tmp/migrating")
    checkout.write("guestbook/migrations/0003_slow.py", SLOW_MIGRATION)
    checkout.title("Interrupted")
    run = checkout.start("deploy")
    wait_for(lambda: hosts.tried("db1", "test -e /tmp/migrating")[0], 60)
    run.signal(number)
    told = run.ended(130)
    assert "live as before" in told.err
    nothing_happened()


def test_between_the_switch_and_its_verification(
    hosts: Hosts,
    checkout: Checkout,
    base: Checkout,
    nothing_happened: Callable[[], None],
    number: signal.Signals,
) -> None:
    checkout.title("Interrupted")
    with hosts.trap("web2", "curl", "*127.0.0.1:80/*", SLEEP) as trap:
        run = checkout.start("deploy")
        trap.sprung()
        assert "Interrupted" in hosts.get("web1").text, "nothing was switched yet"
        run.signal(number)
        told = run.ended(130)
    assert "live as before" in told.err
    nothing_happened()
    assert not any(line["lock"] for line in base.fab("status", "--json").of("host"))


def test_after_all_of_this_a_deploy_needs_no_cleaning(
    hosts: Hosts, live: dict[str, str], base: Checkout
) -> None:
    release = base.fab("deploy", "--json").result["release"]
    assert set(hosts.served().values()) == {release} != set(live.values())
