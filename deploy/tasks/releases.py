"""The tasks people type most: deploy, deploy-static, rollback, and what looks at the result."""

from dataclasses import replace

from deploy import ledger, main, status
from deploy import pending as waiting
from deploy.asked import Asked
from deploy.errors import Refused
from deploy.flow import DEPLOY, DEPLOY_STATIC, ROLLBACK, Flow
from deploy.outcome import Outcome
from deploy.rollback import go_back
from deploy.schema import wish
from deploy.tasks.decorator import FleetContext, FleetTask, fleet_task
from deploy.tasks.means import means

REVISION = "What git calls it: a branch, a tag, a commit. Default: HEAD, with nothing uncommitted."

ALLOW_DESTRUCTIVE = "Run migrations that take away before the switch, whatever db.destructive says."


def allowing(asked: Asked) -> Asked:
    """The same, with --allow-destructive."""
    return asked.setting("db.destructive", "allow")


def named(flag: str, value: str | None) -> str:
    """What stands behind the flag, nothing if it was not given; Refused if it was given nothing."""
    if value == "":
        raise Refused(f"{flag} was given nothing: an empty variable must not mean the usual one")
    return value or ""


def release_tasks(
    deploy_flow: Flow = DEPLOY,
    static_flow: Flow = DEPLOY_STATIC,
    rollback_flow: Flow = ROLLBACK,
) -> tuple[FleetTask, ...]:
    """The tasks, for the flows as they are or as a fabfile changed them."""

    @fleet_task(
        help={"revision": REVISION, "allow_destructive": ALLOW_DESTRUCTIVE}, takes_bucket=True
    )
    def deploy(
        c: FleetContext, revision: str | None = None, allow_destructive: bool = False
    ) -> Outcome:
        """Release to all selected hosts: push, install, collect, migrate, switch, verify."""
        which = named("--revision", revision)
        asked = allowing(c.asked) if allow_destructive else c.asked
        with means(asked, "deploy") as world:
            return main.deploy(asked, world, which, deploy_flow)

    @fleet_task(help={"revision": REVISION}, takes_bucket=True)
    def deploy_static(c: FleetContext, revision: str | None = None) -> Outcome:
        """Release the static files alone: collect here, send to the static hosts, switch."""
        which = named("--revision", revision)
        with means(c.asked, "deploy-static") as world:
            return main.deploy(c.asked, world, which, static_flow)

    @fleet_task(
        help={
            "to": "The release to go back to. Default: the one that was live before.",
            "keep_schema": "Leave migrations that it does not know in the database, unasked.",
            "migrate_back": "Take such migrations back first, by the newer code.",
        },
        takes_bucket=True,
    )
    def rollback(
        c: FleetContext,
        to: str | None = None,
        keep_schema: bool = False,
        migrate_back: bool = False,
    ) -> Outcome:
        """Go back to the release before, or to a named one, and verify it."""
        target = named("--to", to)
        schema = wish(keep_schema=keep_schema, migrate_back=migrate_back)
        with means(c.asked, "rollback") as world:
            return go_back(c.asked, world, target, rollback_flow, schema)

    @fleet_task(help={"revision": REVISION}, takes_bucket=True)
    def plan(c: FleetContext, revision: str | None = None) -> Outcome:
        """Show what deploy would do on each host, command by command. Changes nothing."""
        which = named("--revision", revision)
        asked = replace(c.asked, dry=True)
        with means(asked, "plan", logged=False) as world:
            return main.deploy(asked, world, which, deploy_flow)

    return deploy, deploy_static, rollback, plan


@fleet_task(name="status")
def show_status(c: FleetContext) -> Outcome:
    """Show what is live on each host, what it really serves, and who is changing it."""
    with means(c.asked, "status", logged=False) as world:
        return status.status(c.asked, world)


@fleet_task(name="pending", help={"revision": "Up to which commit. Default: HEAD."})
def show_pending(c: FleetContext, revision: str = "") -> Outcome:
    """List commits and migrations that are not live yet. Changes nothing."""
    with means(c.asked, "pending", logged=False) as world:
        return waiting.pending(c.asked, world, revision)


@fleet_task(name="releases")
def show_releases(c: FleetContext) -> Outcome:
    """List the releases that each host has."""
    with means(c.asked, "releases", logged=False) as world:
        return status.releases(c.asked, world)


@fleet_task(name="log", help={"limit": "How many, the newest first. Default: 20."})
def show_log(c: FleetContext, limit: int = 20) -> Outcome:
    """List who changed what is live, when, and what came of it. Changes nothing."""
    with means(c.asked, "log", logged=False) as world:
        return ledger.log(c.asked, world, limit)
