"""HAProxy in front of the web hosts, set up word for word as docs/growing.md says."""

import re
import shlex
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.docker.checkout import Checkout
from tests.docker.hosts import ROOT, WEB, Hosts, wait_for

pytestmark = pytest.mark.docker

GUIDE = Path(__file__).parents[2] / "docs" / "growing.md"
VISIT = """
import http.client, os, threading, time
def visits():
    while not os.path.exists("/tmp/enough") and time.monotonic() < until:
        call = http.client.HTTPConnection("127.0.0.1", 8080, timeout=30)
        try:
            call.request("GET", "/")
            said = call.getresponse()
            counts[said.status] = counts.get(said.status, 0) + 1
            said.read()
        except OSError as error:
            counts[str(error)] = counts.get(str(error), 0) + 1
        call.close()
        time.sleep(0.02)
counts, until = {}, time.monotonic() + 120
threads = [threading.Thread(target=visits) for _ in range(4)]
for one in threads: one.start()
for one in threads: one.join()
print(counts)
"""


def guided() -> str:
    """The configuration in the guide, with the names of the hosts here."""
    text = re.findall(r"```haproxy\n(.*?)```", GUIDE.read_text(), re.DOTALL)[0]
    text = re.sub(r"\n    server web3 .*", "", text.replace("web1.example.com", "web1"))
    return text.replace("web2.example.com", "web2").replace("www.example.com", "localhost")


@pytest.fixture(scope="module")
def balancer(hosts: Hosts) -> Iterator[str]:
    """The host on which HAProxy runs, with an address for visitors on port 8080."""
    hosts.on("db1", f"printf %s {shlex.quote(guided())} >/etc/haproxy/haproxy.cfg")
    hosts.on("db1", "haproxy -f /etc/haproxy/haproxy.cfg -D -p /run/haproxy.pid")
    yield "db1"
    hosts.on("db1", "kill $(cat /run/haproxy.pid)")


@dataclass
class Leaving:
    """What the hosts tell the balancer, looked at again and again: who was away, and how many."""

    hosts: Hosts
    away: set[str] = field(default_factory=set)
    most: int = 0

    @contextmanager
    def watched(self) -> Iterator["Leaving"]:
        """Looks for as long as the block lasts."""
        stop = threading.Event()

        def look() -> None:
            while not stop.wait(0.1):
                now = {name for name in WEB if self.hosts.get(name, "/-/ready").status == 404}
                self.away |= now
                self.most = max(self.most, len(now))

        watch = threading.Thread(target=look)
        watch.start()
        try:
            yield self
        finally:
            stop.set()
            watch.join()


@contextmanager
def visitors(hosts: Hosts, balancer: str) -> Iterator[list[str]]:
    """Visitors of the balancer; what they were answered stands in the list afterwards."""
    said: list[str] = []
    hosts.on(balancer, "rm -f /tmp/enough")
    line = f"python3 -c {shlex.quote(VISIT)}"
    thread = threading.Thread(target=lambda: said.append(hosts.on(balancer, line).strip()))
    thread.start()
    try:
        time.sleep(1)
        yield said
    finally:
        hosts.on(balancer, "touch /tmp/enough")
        thread.join()


@pytest.mark.usefixtures("live")
def test_a_new_apache_configuration_costs_no_request_behind_a_balancer(
    hosts: Hosts, checkout: Checkout, balancer: str
) -> None:
    checkout.fab("deploy")
    wait_for(lambda: hosts.tried(balancer, "curl -sf http://127.0.0.1:8080/")[0])
    new = ("--set", "web.drain=3", "--set", "web.threads=4")
    with Leaving(hosts).watched() as leaving, visitors(hosts, balancer) as said:
        checkout.fab(*new, "apache.configure")
    try:
        assert leaving.away == set(WEB)
        assert leaving.most == 1
        assert re.fullmatch(r"\{200: \d+\}", said[0]), said
        assert int(said[0][6:-1]) > 200
        assert not any(hosts.each(f"ls {ROOT}/draining 2>/dev/null || true", WEB).values())
    finally:
        checkout.fab("apache.configure")


def test_a_configuration_that_apache_refuses_lets_the_host_come_back(
    hosts: Hosts, live: dict[str, str], base: Checkout
) -> None:
    broken = ("--set", "web.drain=2", "--set", "web.user=nobody-knows")
    told = base.fab(*broken, "apache.configure", code=3)
    assert "web1" in told.err
    assert "nobody-knows" in told.out + told.err
    assert [hosts.get(name, "/-/ready").status for name in WEB] == [200, 200]
    assert hosts.served() == live


def test_a_configuration_with_which_the_live_release_does_not_load_is_put_back_at_once(
    hosts: Hosts, live: dict[str, str], base: Checkout
) -> None:
    before = hosts.each("cat /etc/apache2/sites-enabled/guestbook.conf", WEB)
    others = ("web.user=games", "web.group=games", "web.start_timeout=5", "web.request_timeout=5")
    words = [word for setting in others for word in ("--set", setting)]
    told = base.fab(*words, "apache.configure", code=3)
    assert "with this configuration the live release does not come up" in told.err
    assert "the configuration before is back" in told.err
    assert "web2" not in told.err.partition("live as before")[0], "one host is tried first"
    assert hosts.each("cat /etc/apache2/sites-enabled/guestbook.conf", WEB) == before
    assert hosts.served() == live


@pytest.mark.parametrize("command", ["apache.configure", "recover"])
def test_a_host_that_a_run_left_out_is_named_by_status_and_comes_back(
    hosts: Hosts, live: dict[str, str], base: Checkout, command: str
) -> None:
    hosts.on("web2", f"touch {ROOT}/draining")
    assert hosts.get("web2", "/-/ready").status == 404
    assert (
        "web2 tells the load balancer to keep away: fab apache.configure" in base.fab("status").out
    )
    base.fab(command)
    assert hosts.get("web2", "/-/ready").status == 200
    assert hosts.served() == live
