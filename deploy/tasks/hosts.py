"""Hosts before the first release, hosts that are frozen, and hosts after a run was cut off."""

import sys

from deploy import freeze as freezing
from deploy import recover as recovering
from deploy import setup as preparing
from deploy.outcome import Outcome
from deploy.tasks.decorator import FleetContext, fleet_task
from deploy.tasks.means import means


@fleet_task(help={"script": "Print what root has to run once on each host, and do nothing else."})
def setup(c: FleetContext, script: bool = False) -> Outcome:
    """Prepare the hosts for the first release: WSGI entry, secret environment, vhosts."""
    if script:
        sys.stdout.write(preparing.root_script(c.select()))
        return Outcome()
    with means(c.asked, "setup") as world:
        return preparing.setup(c.asked, world)


@fleet_task(takes_dry=False, help={"reason": "Why, for whoever is stopped by it."})
def lock(c: FleetContext, reason: str = "") -> Outcome:
    """Freeze the hosts: no release begins there until unlock."""
    with means(c.asked, "lock", logged=False) as world:
        return freezing.freeze(c.asked, world, reason)


@fleet_task(takes_dry=False)
def unlock(c: FleetContext) -> Outcome:
    """Lift a freeze. The lock of a run is not touched: recover is for those."""
    with means(c.asked, "unlock", logged=False) as world:
        return freezing.thaw(c.asked, world)


@fleet_task(takes_dry=False)
def recover(c: FleetContext) -> Outcome:
    """Bring all hosts to one release after a run that was cut off, from any machine."""
    with means(c.asked, "recover") as world:
        return recovering.recover(c.asked, world)
