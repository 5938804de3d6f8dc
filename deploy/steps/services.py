"""What else runs the site's code: workers and schedulers, on hosts of role worker."""

from collections.abc import Iterator

from deploy.command import Action
from deploy.host import Host
from deploy.steps import Phase, Target, step, word

QUIET = 300.0
"""Seconds a service may take to stop, in silence: workers end what they are at first."""


def restarted(host: Host, release: str) -> Iterator[Action]:
    """Restart the host's services, so that they run `release`, which is live there."""
    services, root = host.project.services, host.project.root
    if "worker" not in host.roles:
        return
    tolerant = () if services.required else ("or_warn", root)
    if services.units:
        words = ("restart_units", host.project.name, *services.units)
        yield word(*tolerant, *words, quiet_limit=QUIET)
    if services.command:
        words = ("restart_by", root, release, *services.command)
        yield word(*tolerant, *words, quiet_limit=QUIET)


@step("services.restart", roles=("worker",), phase=Phase.COMMIT)
def restart(t: Target) -> Iterator[Action]:
    """restart what runs the live release beside the web processes"""
    yield from restarted(t.host, t.code.id)
