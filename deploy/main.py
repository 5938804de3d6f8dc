"""What each command releases, or does on its own: chosen here, run by `deploy.course`."""

from collections.abc import Sequence
from dataclasses import replace

from deploy.asked import Asked
from deploy.choice import (
    NO_RELEASE,
    Found,
    Goal,
    live_release,
    new_release,
    newest_release,
)
from deploy.course import run_flow
from deploy.errors import Refused
from deploy.flow import DEPLOY, Flow
from deploy.host import Host, runs_code
from deploy.means import Means
from deploy.outcome import Outcome
from deploy.source import resolve
from deploy.stage import Stage


def deploy(asked: Asked, means: Means, revision: str = "", flow: Flow = DEPLOY) -> Outcome:
    """Release a revision to the selected hosts, all or nothing."""
    stage = asked.load()
    source = resolve(asked.top, stage.project, revision, means.run_here)

    def choose(hosts: Sequence[Host], found: Found) -> Goal:
        release = new_release(source, found.values())
        roles = {role for host in hosts for role in host.roles}
        return Goal(
            release if runs_code(roles) else None,
            release if "static" in roles else None,
            source,
        )

    return run_flow(asked, means, stage, flow, choose)


def on_live(asked: Asked, means: Means, flow: Flow) -> Outcome:
    """Run a part of a deploy by itself, on the release that is live."""
    return run_flow(asked, means, asked.load(), flow, live_release)


def on_hosts_alone(asked: Asked, means: Means, flow: Flow) -> Outcome:
    """Run a part of a deploy by itself that concerns the hosts, and no release."""
    return run_flow(asked, means, asked.load(), flow, lambda _hosts, _found: NO_RELEASE)


def check_static(asked: Asked, means: Means, flow: Flow, bucket: Flow) -> Outcome:
    """Run a part that looks at static files: `flow` at those of hosts, `bucket` at a bucket's."""
    stage = asked.load()
    if stage.project.static.mode == "storage":
        return _on_bucket(asked, means, stage, bucket)
    return run_flow(asked, means, stage, flow, lambda _hosts, _found: NO_RELEASE)


def prune_static(asked: Asked, means: Means, flow: Flow, bucket: Flow) -> Outcome:
    """Run a part that takes static files away; Refused unless all web hosts say what they need."""
    stage = asked.load()
    if stage.project.static.mode == "storage":
        return _on_bucket(asked, means, stage, bucket)

    def choose(_hosts: Sequence[Host], found: Found) -> Goal:
        unknown = [host.name for host in stage.role("web") if host.name not in found]
        if unknown:
            raise Refused(
                f"nothing changed: {', '.join(unknown)} cannot be reached, and nobody knows which"
                " files the pages there need",
            )
        return NO_RELEASE

    return run_flow(asked, means, stage, flow, choose)


def _on_bucket(asked: Asked, means: Means, stage: Stage, flow: Flow) -> Outcome:
    # Whatever was selected: each web host may keep a release of its own, and while all of them
    # are locked nobody releases pages that need a file which nothing needed before.
    def choose(hosts: Sequence[Host], found: Found) -> Goal:
        goal = live_release(hosts, found)
        revision = goal.web.id[7:] if goal.web else ""
        return replace(goal, source=resolve(asked.top, stage.project, revision, means.run_here))

    everyone = replace(asked, roles=(), hosts=(), exclude=(), skip_bad_hosts=False)
    return run_flow(everyone, means, stage, flow, choose)


def on_newest(asked: Asked, means: Means, flow: Flow, release: str = "") -> Outcome:
    """Run a part of a deploy by itself, on the newest release of the hosts or a named one."""
    stage = asked.load()

    def choose(hosts: Sequence[Host], found: Found) -> Goal:
        which = newest_release(hosts, found, release)
        source = resolve(asked.top, stage.project, which.id[7:], means.run_here)
        whole = replace(which, revision=source.revision, migrations=source.migrations)
        return Goal(whole, whole, source)

    return run_flow(asked, means, stage, flow, choose)
