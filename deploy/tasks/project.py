"""The project itself, before it has any host."""

from deploy import scaffold
from deploy.outcome import Outcome
from deploy.tasks.decorator import FleetContext, fleet_task
from deploy.tasks.means import means


@fleet_task(stage=False, project=False, takes_dry=False)
def init(c: FleetContext) -> Outcome:
    """Write a commented fabfile, [tool.deploy] and inventory into the Django project here."""
    with means(c.asked, "init", logged=False) as world:
        return scaffold.init(c.asked.top, world.emit)
