"""What people type by mistake, or on purpose: it never reaches a shell, here or on a host."""

import pytest

from tests.docker.checkout import Checkout
from tests.docker.hosts import Hosts

pytestmark = pytest.mark.docker

REVISIONS = (
    "$(touch /tmp/hit)",
    "`touch /tmp/hit`",
    "; touch /tmp/hit",
    "main; touch /tmp/hit",
    "--upload-pack=touch /tmp/hit",
    "--output=/tmp/hit",
    "-x",
    "..",
    "../../etc/passwd",
    "main..main",
    "main\ntouch /tmp/hit",
    "HEAD^{/touch}",
    "0000000000000000000000000000000000000000",
)
IDS = ("$(id)", "; reboot", "../..", "-rf", "000001-abcdef0/../..", "000001-abcdef0\n", "current")


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_revision_that_git_does_not_know_is_refused(
    hosts: Hosts, live: dict[str, str], base: Checkout, revision: str
) -> None:
    hosts.each("rm -f /tmp/hit")
    told = base.fab("deploy", f"--revision={revision}", code=2)
    assert told.err.count("error: ") == 1
    assert "hit" not in "".join(hosts.each("ls /tmp").values())
    assert hosts.served() == live


@pytest.mark.parametrize("release", IDS)
def test_what_is_no_release_id_is_refused_before_any_host_is_asked_for_it(
    hosts: Hosts, live: dict[str, str], base: Checkout, release: str
) -> None:
    told = base.fab("rollback", f"--to={release}", code=2)
    assert "is not a release id" in told.err
    assert hosts.served() == live


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-R", "wbe", "deploy"), 'there is no role "wbe"'),
        (("-R", "cache", "deploy"), "no host of sandbox.toml has the role"),
        (("-H", "web3", "deploy"), 'there is no host "web3"'),
        (("-I", "sandbxo", "deploy"), "sandbox"),
        (("-x", "web1", "-H", "web1", "deploy"), "selects none of the hosts"),
        (("--set", "web.treads=3", "deploy"), "web.threads"),
        (("-R", "web", "deplyo"), "deploy"),
    ],
)
def test_a_slip_on_the_command_line_is_answered_with_what_there_is(
    base: Checkout, words: tuple[str, ...], said: str
) -> None:
    assert said in base.fab(*words, code=2).err


def test_uncommitted_changes_are_refused_and_named(
    hosts: Hosts, live: dict[str, str], checkout: Checkout
) -> None:
    checkout.write("templates/new.html", "not committed")
    told = checkout.fab("deploy", code=2)
    assert "templates/new.html" in told.err
    assert "--revision HEAD" in told.err
    assert hosts.served() == live


def test_a_source_without_a_site_is_refused(
    hosts: Hosts, live: dict[str, str], checkout: Checkout
) -> None:
    checkout.git("rm", "-r", "--quiet", "--", "site/manage.py")
    checkout.commit("Nothing left")
    assert "there is no manage.py" in checkout.fab("deploy", code=2).err
    assert hosts.served() == live
