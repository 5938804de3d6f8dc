"""What a release costs on the wire is exactly what bench/budget.toml allows.

Connections, remote commands and round trips depend on no machine. Who changes the core writes
the file anew with WRITE_BUDGET=1, and reads the difference before it is committed.
"""

import os
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from bench import sshd
from bench.wire import Wires
from tests.docker.checkout import Checkout, make_checkout
from tests.docker.hosts import ALL, Hosts
from tests.sandbox import files
from tests.trust.calls import read

TOP = Path(__file__).parents[2]
BUDGET = TOP / "bench" / "budget.toml"
BYTES_WITHIN = 0.1
"""Names of runs and releases, times and the padding of SSH change from run to run."""
HEAD = """\
# What a release costs on the wire, by case and host. tests/docker/test_budget.py holds it, and
# writes it anew with WRITE_BUDGET=1. Round trips are the answers that the operator waits for:
# to the log-in, to each script, to a transfer as a whole. Only bytes may differ, by a tenth.
"""
KEEP = ("--set", "keep=2")
Costs = dict[str, int]


class Ledger:
    """The wires to all hosts, and what each case cost on them."""

    def __init__(self, hosts: Hosts, wires: Wires) -> None:
        self.hosts = hosts
        self.wires = wires
        self.found: dict[str, dict[str, Costs]] = {}

    def measure(self, case: str, checkout: Checkout, *words: str) -> None:
        """Let a controller whose calls are counted do this, and keep what it cost on each host."""
        log = checkout.top.parent / f"calls-{case}"
        self.wires.clear()
        for name in ALL:
            sshd.clear(self.hosts.fleet.container(name))
        argv = [sys.executable, "-m", "tests.trust.controller", *words]
        argv += ["--top", str(checkout.top), "--log", str(log), *KEEP]
        env = {**checkout.env, "PYTHONPATH": str(TOP)}
        done = subprocess.run(argv, cwd=TOP, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        calls = Counter(call.host for call in read(log))
        self.found[case] = {
            name: {
                "connections": wire.count.connections,
                "commands": sshd.commands(self.hosts.fleet.container(name)),
                "round_trips": calls[name],
                "bytes_sent": wire.count.sent,
            }
            for name, wire in zip(ALL, self.wires.wires, strict=True)
            if wire.count.connections
        }


def through_wires(hosts: Hosts, wires: Wires, folder: Path) -> Path:
    """The fleet's part of an inventory, with the near ends of the wires in place of the hosts."""
    places = {member.name: member for member in hosts.fleet.members}
    ports = {name: wire.port for name, wire in zip(ALL, wires.wires, strict=True)}
    text = files.fleet_toml(tuple(replace(places[name], ssh_port=ports[name]) for name in ALL))
    keys = {
        port: hosts.on(name, "cat /etc/ssh/ssh_host_ed25519_key.pub")
        for name, port in ports.items()
    }
    files.keep(folder / files.KNOWN_HOSTS, files.known_hosts(keys))
    key = folder / files.KEY
    key.write_text((hosts.fleet.state / files.KEY).read_text())
    key.chmod(0o600)
    fleet = folder / files.FLEET
    fleet.write_text(text)
    return fleet


@pytest.fixture(scope="module")
def found(
    hosts: Hosts, env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, Mapping[str, Costs]]]:
    """What the cases cost, by host: two releases, a return, and static files alone."""
    folder = tmp_path_factory.mktemp("wired")
    wires = Wires(sshd.start(hosts.fleet.container(name)) for name in ALL)
    try:
        ledger = Ledger(hosts, wires)
        checkout = make_checkout(folder / "project", through_wires(hosts, wires, folder), env, ())
        checkout.fab("deploy")
        # The first knew nothing of venvs and configurations; after the third, all is usual, and
        # one release is pruned by each that follows, whatever the stories before have left.
        for number in range(1, 4):
            checkout.write("guestbook/number.py", f"NUMBER = {number}\n")
            checkout.commit()
            if number < 3:
                checkout.fab(*KEEP, "deploy")
        ledger.measure("redeploy", checkout, "deploy")
        ledger.measure("unchanged", checkout, "deploy")
        ledger.measure("rollback", checkout, "rollback")
        checkout.write("guestbook/static/guestbook/new.txt", "new\n")
        checkout.commit()
        ledger.measure("static", checkout, "deploy-static", "--roles", "static")
        yield ledger.found
    finally:
        wires.close()


def written(found: Mapping[str, Mapping[str, Costs]]) -> str:
    """The file as it would be for these costs."""
    lines = HEAD.splitlines()
    for case, hosts in found.items():
        for name, costs in hosts.items():
            lines += ["", f"[{case}.{name}]"]
            lines += [f"{what} = {cost}" for what, cost in costs.items()]
    return "\n".join(lines) + "\n"


def test_a_release_costs_what_the_budget_says(
    found: Mapping[str, Mapping[str, Costs]],
) -> None:
    if os.environ.get("WRITE_BUDGET"):
        BUDGET.write_text(written(found))
    allowed = tomllib.loads(BUDGET.read_text())
    exact = ("connections", "commands", "round_trips")
    assert {
        case: {name: {what: costs[what] for what in exact} for name, costs in hosts.items()}
        for case, hosts in found.items()
    } == {
        case: {name: {what: costs[what] for what in exact} for name, costs in hosts.items()}
        for case, hosts in allowed.items()
    }


def test_a_release_sends_no_more_than_the_budget_says(
    found: Mapping[str, Mapping[str, Costs]],
) -> None:
    allowed = tomllib.loads(BUDGET.read_text())
    sizes = {
        (case, name): (costs["bytes_sent"], allowed[case][name]["bytes_sent"])
        for case, hosts in found.items()
        for name, costs in hosts.items()
    }
    assert {
        which: pair
        for which, pair in sizes.items()
        if abs(pair[0] - pair[1]) > BYTES_WITHIN * pair[1]
    } == {}


def test_no_run_needs_more_than_one_connection_a_host(
    found: Mapping[str, Mapping[str, Costs]],
) -> None:
    for hosts in found.values():
        for costs in hosts.values():
            assert costs["connections"] == 1
