"""Hosts before the first release, and the lock of a run that is gone."""

import sys

from deploy import setup as preparing
from deploy.outcome import Outcome
from deploy.tasks.decorator import FleetContext, fleet_task
from deploy.tasks.means import means


@fleet_task(help={"script": "Print what root has to run once on each host, and do nothing else."})
def setup(c: FleetContext, script: bool = False) -> Outcome:
    """Prepare the hosts for the first release: WSGI entry, secret environment, vhosts."""
    if script:
        sys.stdout.write(preparing.root_script(c.stage, c.select()))
        return Outcome()
    with means(c.asked, "setup") as world:
        return preparing.setup(c.asked, world)


@fleet_task()
def unlock(c: FleetContext) -> Outcome:
    """Take away the locks of a run that is gone; a run that is alive keeps its own."""
    with means(c.asked, "unlock", logged=False) as world:
        return preparing.unlock(c.asked, world)
