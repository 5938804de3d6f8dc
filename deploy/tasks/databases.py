"""Backups of the database: made, listed, restored."""

from deploy import backups, main
from deploy.flow import BACKUP
from deploy.outcome import Outcome
from deploy.tasks.decorator import FleetContext, fleet_task
from deploy.tasks.means import means


@fleet_task(name="backup")
def db_backup(c: FleetContext) -> Outcome:
    """Save the data of the site's database on the db primary, checked, in shared/backups."""
    with means(c.asked, "db.backup") as world:
        return main.on_live(c.asked, world, BACKUP)


@fleet_task(
    name="restore",
    positional=("name",),
    help={
        "name": "A backup, as fab db.list names it.",
        "into": "A new or empty database for it. Default: it takes the place of the site's data.",
    },
)
def db_restore(c: FleetContext, name: str, into: str = "") -> Outcome:
    """Put a backup in the place of the data, which is saved first. Asks, unless --yes is given."""
    with means(c.asked, "db.restore") as world:
        return backups.restore(c.asked, world, name, into)


@fleet_task(name="list")
def db_list(c: FleetContext) -> Outcome:
    """List the backups on the db primary, newest first."""
    with means(c.asked, "db.list", logged=False) as world:
        return backups.show(c.asked, world)
