"""The site on the hosts: management commands, and its secret environment."""

import sys

from deploy import checklist, environment, maintenance, rotation
from deploy import manage as managing
from deploy.outcome import Outcome
from deploy.tasks.decorator import FleetContext, fleet_task
from deploy.tasks.means import means


@fleet_task(
    help={
        "release": "A release id. Default: the one that is live, or else the newest.",
        "all": "Also show the checks that pass.",
        "strict": "Take warnings for errors.",
    }
)
def check(c: FleetContext, release: str = "", all: bool = False, strict: bool = False) -> Outcome:
    """Go through Django's deployment checklist on the hosts, with production settings."""
    with means(c.asked, "check", logged=False) as world:
        return checklist.check(c.asked, world, release, all_=all, strict=strict)


@fleet_task(
    takes_rest=True,
    takes_dry=False,
    help={
        "stdin": "Give the command what comes on standard input, instead of a terminal.",
        "release": "Of this release, which need not be live: its migrations, for one.",
    },
)
def manage(c: FleetContext, stdin: bool = False, release: str = "") -> Outcome:
    """Run a management command of the live release: fab manage -- COMMAND."""
    given = sys.stdin.buffer.read().decode("utf-8", "surrogateescape") if stdin else None
    with means(c.asked, "manage", logged=False, live=False) as world:
        return managing.manage(c.asked, world, given, release)


@fleet_task(takes_rest=True, takes_dry=False)
def run(c: FleetContext) -> Outcome:
    """Run a shell line on each selected host: fab -R web run -- COMMAND."""
    with means(c.asked, "run", logged=False, live=False) as world:
        return managing.run(c.asked, world)


@fleet_task(takes_dry=False)
def shell(c: FleetContext) -> Outcome:
    """Open a shell on one host, in the site's directory: fab -H web1 shell."""
    with means(c.asked, "shell", logged=False, live=False) as world:
        return managing.shell(c.asked, world)


@fleet_task(
    help={
        "follow": "Also the lines that come, until Ctrl-C.",
        "lines": "How many of the last lines. Default: 20.",
        "access": "The access log instead of the error log.",
    }
)
def logs(c: FleetContext, follow: bool = False, lines: int = 20, access: bool = False) -> Outcome:
    """Show the last lines of Apache's error log of each web host."""
    with means(c.asked, "logs", logged=False, live=False) as world:
        return managing.logs(c.asked, world, lines, follow=follow, access=access)


@fleet_task(
    name="push",
    takes_dry=False,
    help={
        "file": "A file that only you can read. Default: -, standard input.",
        "merge": "Keep the variables that it does not name.",
    },
)
def env_push(c: FleetContext, file: str = "-", merge: bool = False) -> Outcome:
    """Put the secret environment, KEY=value lines, on the hosts that run the site's code."""
    stdin = sys.stdin.read() if file == "-" else ""
    with means(c.asked, "env.push", logged=False) as world:
        return environment.push(c.asked, world, environment.read(file, stdin), merge=merge)


@fleet_task(name="show")
def env_show(c: FleetContext) -> Outcome:
    """List the names in the secret environment, and whether hosts agree; never a value."""
    with means(c.asked, "env.show", logged=False) as world:
        return environment.show(c.asked, world)


@fleet_task(name="check")
def env_check(c: FleetContext) -> Outcome:
    """See that hosts agree on the secret environment, keep it to themselves, and lack nothing."""
    with means(c.asked, "env.check", logged=False) as world:
        return environment.check(c.asked, world)


@fleet_task(name="rotate", help={"forget": "Take no key but the one in use from now on."})
def env_rotate(c: FleetContext, forget: bool = False) -> Outcome:
    """Make a new SECRET_KEY on all hosts; the old one stays valid as a fallback."""
    with means(c.asked, "env.rotate") as world:
        return rotation.rotate(c.asked, world, forget=forget)


@fleet_task(
    name="on",
    takes_dry=False,
    help={
        "reason": "Visitors read it, and so does whoever asks for the status.",
        "until": "When the site is expected back, as visitors should read it.",
        "page": "A page of your own, one HTML file.",
    },
)
def maintenance_on(c: FleetContext, reason: str = "", until: str = "", page: str = "") -> Outcome:
    """Show visitors a page, with 503, instead of the site. A deploy can go on behind it."""
    with means(c.asked, "maintenance.on") as world:
        return maintenance.put_up(c.asked, world, reason, until, page)


@fleet_task(name="off", takes_dry=False)
def maintenance_off(c: FleetContext) -> Outcome:
    """Let visitors to the live release again."""
    with means(c.asked, "maintenance.off") as world:
        return maintenance.take_down(c.asked, world)
