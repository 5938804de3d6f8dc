"""Which hosts take part in a run, and which others have to answer for it to begin."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from deploy.asked import Asked
from deploy.errors import Refused
from deploy.flow import Flow
from deploy.host import CODE, Host
from deploy.stage import Stage
from deploy.steps import HERE
from deploy.steps.build import check_files
from deploy.steps.db import migrate

RELEASED = frozenset({*CODE, "static"})
"""The roles that hold releases."""


def participants(
    stage: Stage,
    selected: Sequence[Host],
    roles: Sequence[str] = (),
    served: frozenset[str] = RELEASED,
) -> tuple[Host, ...]:
    """The hosts of a run: those selected, and the db primary if there are web hosts among them.

    Each host keeps only the roles that hold releases, that were asked for (none meaning all), and
    that the run has steps for (`served`); of the hosts of role db only the primary takes part.
    """
    wanted = set(roles or RELEASED) & RELEASED & served
    if stage.project.static.mode == "storage":
        wanted -= {"static"}
    chosen = {host.name: wanted & set(host.roles) for host in selected}
    databases = stage.role("db")
    for other in databases[1:]:
        chosen.get(other.name, set()).discard("db")
    if databases and "db" in served and any("web" in kept for kept in chosen.values()):
        chosen.setdefault(databases[0].name, set()).add("db")
    return tuple(
        replace(host, roles=tuple(role for role in host.roles if role in chosen[host.name]))
        for host in stage.hosts
        if chosen.get(host.name)
    )


def in_a_bucket(stage: Stage, roles: Sequence[str]) -> bool:
    """Whether what is for `roles` is about static files in a bucket: no host takes part in it."""
    return tuple(roles) == ("static",) and stage.project.static.mode == "storage"


def bystanders(stage: Stage, taking_part: Sequence[Host]) -> tuple[Host, ...]:
    """Hosts with releases that take no part in a run, but know numbers that are taken."""
    names = {host.name for host in taking_part}
    return tuple(
        host for host in stage.hosts if host.name not in names and RELEASED & set(host.roles)
    )


def taking_part(asked: Asked, stage: Stage, flow: Flow) -> tuple[Host, ...]:
    """The hosts of a run that `asked` selects for the flow. Refused if none of them is for it."""
    if in_a_bucket(stage, flow.roles) or in_a_bucket(stage, asked.roles):
        return ()
    selected = asked.select(stage, flow.roles)
    hosts = participants(stage, selected, asked.roles or flow.roles, flow.served)
    if not hosts and flow.served != {HERE}:
        roles = ", ".join(sorted(flow.served - {HERE}))
        raise Refused(f"{flow.verb} is for hosts of role {roles}: none of those is selected")
    return hosts


def must_answer(stage: Stage, flow: Flow, others: Sequence[Host]) -> tuple[Host, ...]:
    """The bystanders without whose answer nobody knows whether pages will find their files."""
    if check_files not in flow.steps or stage.project.static.mode != "server":
        return ()
    return tuple(host for host in others if "static" in host.roles)


def must_reach_database(flow: Flow, hosts: Sequence[Host], lost: Collection[str]) -> None:
    """Refused if the primary was left out (--skip-bad-hosts): new code would meet an old schema."""
    for host in hosts if migrate in flow.steps else ():
        if "db" in host.roles and host.name in lost and host.project.db.migrate:
            raise Refused(
                f"not started, nothing changed: {host.name} cannot be reached, and migrations run"
                " there",
                hint="mend that, or leave the database as it is: --set db.migrate=false",
            )
