"""Each part of a deploy by itself, in its group: code, static, db, apache."""

import sys

from deploy import configuring, main
from deploy.flow import (
    CHECK,
    CHECK_BUCKET,
    CHECK_STATIC,
    COLLECT,
    CONFIGURE,
    CONFIGURE_STATIC,
    INSTALL,
    MIGRATE,
    PLAN_MIGRATIONS,
    PLAN_THERE,
    PRUNE_BUCKET,
    PRUNE_STATIC,
    PUSH,
    RELOAD,
    RESTART,
    SYNC,
)
from deploy.outcome import Outcome
from deploy.tasks.decorator import FleetContext, fleet_task
from deploy.tasks.means import means
from deploy.tasks.releases import ALLOW_DESTRUCTIVE, REVISION, allowing

TEXT = "Print the file that belongs on the host, and do nothing else."
RELEASE = "A release id. Default: the newest that the hosts have."


@fleet_task(name="push", help={"revision": REVISION})
def code_push(c: FleetContext, revision: str = "") -> Outcome:
    """Send the code of a revision as a new release, and leave it at that."""
    with means(c.asked, "code.push") as world:
        return main.deploy(c.asked, world, revision, PUSH)


@fleet_task(name="install", help={"release": RELEASE})
def code_install(c: FleetContext, release: str = "") -> Outcome:
    """Install the packages of a release that was pushed, and mark it complete."""
    with means(c.asked, "code.install") as world:
        return main.on_newest(c.asked, world, INSTALL, release)


@fleet_task(name="collect", help={"revision": REVISION}, takes_bucket=True)
def static_collect(c: FleetContext, revision: str = "") -> Outcome:
    """Collect the static files of a revision on this machine."""
    with means(c.asked, "static.collect") as world:
        return main.deploy(c.asked, world, revision, COLLECT)


@fleet_task(name="sync", help={"revision": REVISION}, takes_bucket=True)
def static_sync(c: FleetContext, revision: str = "") -> Outcome:
    """Send the static files as a new static release, without switching to it."""
    with means(c.asked, "static.sync") as world:
        return main.deploy(c.asked, world, revision, SYNC)


@fleet_task(name="check", takes_bucket=True)
def static_check(c: FleetContext) -> Outcome:
    """See that static hosts, or the bucket, have every file that live pages name, undamaged."""
    with means(c.asked, "static.check") as world:
        return main.check_static(c.asked, world, CHECK_STATIC, CHECK_BUCKET)


@fleet_task(name="prune", takes_bucket=True)
def static_prune(c: FleetContext) -> Outcome:
    """Take away static releases, and files, that no release that is kept can need."""
    with means(c.asked, "static.prune") as world:
        return main.prune_static(c.asked, world, PRUNE_STATIC, PRUNE_BUCKET)


@fleet_task(name="configure", help={"text": TEXT})
def static_configure(c: FleetContext, text: bool = False) -> Outcome:
    """Show how the static hosts' vhost would change, ask, write it, and test it."""
    if text:
        sys.stdout.write(configuring.text(c.select("static"), CONFIGURE_STATIC))
        return Outcome()
    with means(c.asked, "static.configure") as world:
        return configuring.configure(c.asked, world, CONFIGURE_STATIC)


@fleet_task(
    name="plan",
    help={"revision": REVISION, "release": "A release that the hosts have, instead of a revision."},
)
def db_plan(c: FleetContext, revision: str = "", release: str = "") -> Outcome:
    """List the migrations that are pending, with their SQL and their risk. Migrates nothing."""
    with means(c.asked, "db.plan") as world:
        if release:
            return main.on_newest(c.asked, world, PLAN_THERE, release)
        return main.deploy(c.asked, world, revision, PLAN_MIGRATIONS)


@fleet_task(
    name="migrate",
    help={
        "release": "A release id. Default: the one that is live.",
        "allow_destructive": ALLOW_DESTRUCTIVE,
    },
)
def db_migrate(c: FleetContext, release: str = "", allow_destructive: bool = False) -> Outcome:
    """Run the migrations of the live release or a named one, once, on the db primary."""
    asked = allowing(c.asked) if allow_destructive else c.asked
    with means(asked, "db.migrate") as world:
        if release:
            return main.on_newest(asked, world, MIGRATE, release)
        return main.on_live(asked, world, MIGRATE)


@fleet_task(name="configure", help={"text": TEXT})
def apache_configure(c: FleetContext, text: bool = False) -> Outcome:
    """Show how the site's vhost would change, ask, write it, and test it."""
    if text:
        sys.stdout.write(configuring.text(c.select("web"), CONFIGURE))
        return Outcome()
    with means(c.asked, "apache.configure") as world:
        return configuring.configure(c.asked, world, CONFIGURE)


@fleet_task(name="reload")
def apache_reload(c: FleetContext) -> Outcome:
    """Give the live release fresh processes, warm and asked before any visitor is on them."""
    with means(c.asked, "apache.reload") as world:
        return main.on_live(c.asked, world, RELOAD)


@fleet_task(name="check")
def apache_check(c: FleetContext) -> Outcome:
    """Ask each web host, as a visitor would, whether it answers from the live release."""
    with means(c.asked, "apache.check") as world:
        return main.on_live(c.asked, world, CHECK)


@fleet_task(name="restart")
def services_restart(c: FleetContext) -> Outcome:
    """Restart what runs the live release beside the web processes, on the worker hosts."""
    with means(c.asked, "services.restart") as world:
        return main.on_live(c.asked, world, RESTART)
