"""What else runs the site's code: workers and schedulers, on hosts of role worker."""

from collections.abc import Iterator

from deploy.command import Action
from deploy.host import Host
from deploy.release import Release
from deploy.steps import Phase, Target, step, word

QUIET = 300.0
"""Seconds a service may take to stop, in silence: workers end what they are at first."""


def restarted(
    host: Host, release: str, made: Release | None = None, *, lenient: bool = False
) -> Iterator[Action]:
    """Restart the host's services, so that they run `release`, which is live there.

    A service that an older release, as it was `made`, did not have may not come up in it: that is
    a warning. So is any that does not, where it is `lenient`: the way back must not end there.
    """
    services, root = host.project.services, host.project.root
    if "worker" not in host.roles:
        return
    strict = services.required and not lenient
    had = _had(host, made)
    new = tuple(unit for unit in services.units if unit not in had)
    for units, must in ((had, strict), (new, False)):
        if units:
            words = ("restart_units", host.project.name, *units)
            yield word(*_or_warn(root, must=must), *words, quiet_limit=QUIET)
    if services.command:
        words = ("restart_by", root, release, *services.command)
        yield word(*_or_warn(root, must=strict), *words, quiet_limit=QUIET)


def _had(host: Host, made: Release | None) -> tuple[str, ...]:
    """Those of the host's services that a release has; all, where nothing else is known."""
    units = host.project.services.units
    known = units if made is None or made.units is None else made.units
    return tuple(unit for unit in units if unit in known)


def _or_warn(root: str, *, must: bool) -> tuple[str, ...]:
    return () if must else ("or_warn", root)


def still_at_work(host: Host) -> Iterator[Action]:
    """Say which services go on in what was taken back, where nothing was live before."""
    if "worker" in host.roles and host.project.services.units:
        units = " ".join(host.project.services.units)
        said = f"warning: {units} may be at work in what was taken back: systemctl stop {units}"
        yield word("echo", said)


@step("services.allowed", roles=("worker",))
def allowed(t: Target) -> Iterator[Action]:
    """see that the host lets the deploy user restart its services"""
    had = _had(t.host, t.found.web.complete.get(t.code.id))
    if had and t.project.services.required:
        yield word("may_restart", t.project.name, *had)


@step("services.restart", roles=("worker",), phase=Phase.COMMIT)
def restart(t: Target) -> Iterator[Action]:
    """restart what runs the live release beside the web processes"""
    yield from restarted(t.host, t.code.id)
