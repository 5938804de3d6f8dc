"""Whether the hosts are fit for a run, told from what was found, before anything is changed."""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec

from deploy.errors import Locked, Refused
from deploy.findings import Findings
from deploy.fleet import locked_by
from deploy.flow import Flow
from deploy.host import Host
from deploy.project import Project
from deploy.steps.build import collect
from deploy.steps.code import install, push
from deploy.steps.static import sync

ALWAYS = frozenset({"flock", "timeout"})
"""What the lock and the words themselves are made of."""
ROOM = 200 * 1024
"""KiB that must be free: a release, its packages, and room to go back."""
OLDEST_PYTHON = (3, 9)
HOW_TO_PREPARE = "fab -H HOST setup --script | ssh root@HOST sh, for each such host"


def must_have_here(
    flow: Flow,
    project: Project,
    which: Callable[[str], object] = shutil.which,
    package: Callable[[str], object] = find_spec,
) -> None:
    """Raises Refused if this machine lacks what the flow builds or sends with.

    Both ends need rsync. Only a site that asks for .br needs the package that makes them.
    """
    if any("rsync" in step.needs for step in flow.steps) and not which("rsync"):
        raise Refused(
            "not started, nothing changed: rsync is not installed on this machine",
            hint="apt-get install rsync",
        )
    wanted = project.static.mode == "server" and project.static.brotli and collect in flow.steps
    if wanted and package("brotli") is None:
        raise Refused(
            "not started, nothing changed: static.brotli is true, and this machine's Python has"
            " no brotli package",
            hint="pip install 'django-fabric-deploy[brotli]', or static.brotli = false",
        )


def must_be_fit(flow: Flow, hosts: Sequence[Host], found: Mapping[str, Findings]) -> None:
    """Raises Refused with all that hosts lack for the flow, or Locked if one is being changed."""
    lacking = [
        f"{host.name}: {fault}" for host in hosts for fault in faults(flow, host, found[host.name])
    ]
    if lacking:
        unprepared = any(found[host.name].root == "missing" for host in hosts)
        raise Refused(
            "not started, nothing changed:\n" + "\n".join(lacking),
            hint=HOW_TO_PREPARE if unprepared else "",
        )
    for host in hosts:
        must_be_free(host, found[host.name])


def must_be_of(stage: str, hosts: Sequence[Host], found: Mapping[str, Findings]) -> None:
    """Raises Refused if the site on a host is another stage's, with its visitors and its data.

    So it is if a web server's file of the site's name is that of another root.
    """
    for host in hosts:
        root, said = host.project.root, found[host.name]
        what = ""
        if said.stage and said.stage != stage:
            what = f"{root} on {host.name} is stage {said.stage}'s, not {stage}'s"
        elif server := next((one for one in _servers(host) if one in said.elsewhere), ""):
            name = host.project.name
            what = f"{server}'s site {name} on {host.name} serves another directory than {root}"
        if what:
            raise Refused(
                f"nothing was changed: {what}; on one host each stage needs a name and private"
                " ports of its own",
                hint="if both mean the same site, or it was renamed or moved: the same with --yes",
            )


def _servers(host: Host) -> Iterator[str]:
    if "web" in host.roles:
        yield "apache"
    if "static" in host.roles:
        yield host.project.static.server


def must_be_free(host: Host, found: Findings) -> None:
    """Raises Locked if the host is locked, or as `must_be_settled` does."""
    if found.lock is not None:
        state = "alive" if found.lock.alive else "gone"
        raise locked_by(host.name, f"lock {state} {found.lock.text}")
    must_be_settled(host, found)


def must_be_settled(host: Host, found: Findings) -> None:
    """Raises Locked if the host is frozen, or in the middle of a run that was cut off.

    Asked once more under the lock: somebody may have frozen it while the operator was asked.
    """
    if found.frozen:
        raise Locked(f"{host.name} is frozen: {found.frozen}; nothing was changed", "fab unlock")
    for entry in found.open_runs:
        raise Locked(
            f"{host.name} is in the middle of {entry.run.verb} {entry.run.id} by {entry.run.who},"
            f" which was cut off; nothing was changed",
            hint="fab recover",
        )


def faults(flow: Flow, host: Host, found: Findings) -> Iterator[str]:
    """What the host lacks for the flow, a sentence each."""
    yield from _lacking(flow, host, found)
    yield from _unfit_root(host.project, found)
    # Going back, and making room, must not depend on it.
    sends = any(one in flow.steps and one.serves(host.roles) for one in (push, install, sync))
    if sends and found.root != "missing" and found.free < ROOM:
        root, free = host.project.root, found.free // 1024
        yield f"only {free} MiB are free below {root}; {ROOM // 1024} needed"


def _lacking(flow: Flow, host: Host, found: Findings) -> Iterator[str]:
    """Programs and rights that steps of the flow need there."""
    steps = [step for step in flow.steps if step.serves(host.roles)]
    needed = ALWAYS | {tool for step in steps for tool in step.needs}
    for tool in sorted(needed & set(found.lacks)):
        yield f"{tool} is not installed: apt-get install {PACKAGES.get(tool, tool)}"
    if "web" in host.roles and "sudo" in needed and "sudo-rights" in found.lacks:
        yield f"sudo refuses {found.user}: fab -H {host.name} setup --script | ssh root@HOST sh"
    if "web" in host.roles and "sudo" in needed and "proc" in found.lacks:
        yield (
            f"{found.user} cannot see the site's processes: /proc is mounted with hidepid; as root:"
            f" mount -o remount,gid=$(id -g {found.user}) /proc, and that gid in /etc/fstab"
        )
    if "python3-venv" in needed:
        yield from _python_faults(host.project.python, found)
    if found.exposed and install in flow.steps:  # going back must not depend on it
        env = f"{host.project.root}/shared/env"
        yield f"everybody on the host can read {env}, and its secrets: chmod 640 {env}"


def _unfit_root(project: Project, found: Findings) -> Iterator[str]:
    if found.root == "missing":
        yield f"{project.root} is not prepared for this site"
        return
    if found.root == "readonly":
        yield f"{project.root} cannot be written by {found.user}; who owns it, is it mounted ro?"
    for kind, place in (("web", project.root), ("static", f"{project.root}/static")):
        if found.tree(kind).blocked:
            yield (
                f"{place}/current is a directory, not a link; move it away first: "
                f"mv {place}/current {place}/current.old"
            )


def _python_faults(python: str, found: Findings) -> Iterator[str]:
    if not found.python:
        yield f"there is no {python}: install it, or set python to the one that mod_wsgi uses"
    elif tuple(map(int, found.python.split(".")[:2])) < OLDEST_PYTHON:
        yield f"{python} is {found.python}; Django needs a newer one"


PACKAGES = {"flock": "util-linux", "timeout": "coreutils"}
"""Debian's packages of tools that are named otherwise."""
