"""Another SECRET_KEY for the whole site, without a visitor who is thrown out or fails."""

import secrets
from collections.abc import Sequence
from dataclasses import replace

from deploy.asked import Asked
from deploy.choice import Found, Goal, live_release
from deploy.command import Command
from deploy.course import run_flow
from deploy.errors import Refused
from deploy.fleet import Fleet
from deploy.flow import FORGET, rotating
from deploy.host import Host, runs_code
from deploy.means import Means
from deploy.outcome import Outcome
from deploy.reach import only_looking


def rotate(asked: Asked, means: Means, *, forget: bool = False) -> Outcome:
    """Make a new SECRET_KEY, or `forget` the ones before, on every host that runs the site's code.

    Hosts learn to take the new key in a first run, and sign with it in a second one: else one host
    would throw out whom another has let in. Between the two everything works as before. Raises
    Refused if a host is left out, or if the settings do not read SECRET_KEY_FALLBACKS.
    """
    stage = asked.load()

    def choose(hosts: Sequence[Host], found: Found) -> Goal:
        there = {host.name for host in hosts}
        without = [h.name for h in stage.hosts if runs_code(h.roles) and h.name not in there]
        if without:
            raise Refused(
                f"nothing changed: {', '.join(without)} would be left with another SECRET_KEY",
                hint="fab env.rotate, without -R, -H and -x",
            )
        return live_release(hosts, found)

    outcome = Outcome()
    for flow in (FORGET,) if forget else rotating(secrets.token_urlsafe(50)):
        outcome = run_flow(asked, means, stage, flow, choose, _must_agree if forget else None)
        asked = replace(asked, yes=True)
    return outcome


def _must_agree(fleet: Fleet, _found: Found, goal: Goal) -> Goal:
    """Refused if hosts sign with different keys: forgetting all others would part them for good."""
    with only_looking():
        said = fleet.each(lambda host: Command(("digest_env", host.project.root), changes=False))
    keys = {
        name: [line for line in result.output.splitlines() if line.startswith("SECRET_KEY ")]
        for name, result in said.items()
    }
    if len({tuple(key) for key in keys.values()}) > 1 or not all(one.ok for one in said.values()):
        raise Refused(
            f"nothing changed: SECRET_KEY is not the same on {', '.join(keys)}",
            hint="fab env.rotate, which gives all of them the same; then forget",
        )
    return goal
