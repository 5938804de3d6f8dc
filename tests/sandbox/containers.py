"""The containers and the network of one fleet: what there is of them, making and removing them."""

import json
from typing import Any

from deploy.errors import PrepareFailed
from tests.sandbox.docker import docker, last_lines, try_docker
from tests.sandbox.members import HTTP, SSH, Machine, Member, free_port

LABEL = "django-fabric-deploy.sandbox"


def found(prefix: str) -> dict[str, Member]:
    """The fleet's containers by the names of their hosts, running or not."""
    ids = docker("ps", "--all", "--quiet", "--filter", f"label={LABEL}={prefix}").split()
    if not ids:
        return {}
    members = [_member(prefix, facts) for facts in json.loads(docker("inspect", *ids))]
    return {member.name: member for member in members}


def plan(prefix: str, machines: tuple[Machine, ...], there: dict[str, Member]) -> list[Member]:
    """Every machine as a member: those `there` as they are, the others with ports of their own."""
    taken = {port for member in there.values() for port in (member.ssh_port, member.http_port)}
    members = []
    for machine in machines:
        if machine.name in there:
            members.append(there[machine.name])
            continue
        ports = {SSH: 0, HTTP: 0}
        for inside in machine.ports:
            ports[inside] = free_port(taken)
            taken.add(ports[inside])
        name = f"{prefix}-{machine.name}"
        members.append(
            Member(machine.name, machine.roles, name, ports[SSH], ports[HTTP], state="absent")
        )
    return members


def run(prefix: str, image: str, member: Member) -> str:
    """Brings the member's container to life; says what that took.

    Raises PrepareFailed, after it removed a container that was made and could not be started.
    """
    if member.state == "absent":
        done, said = try_docker(*_run_words(prefix, image, member))
        if not done:
            try_docker("rm", "--force", member.container)
            what = f"{member.name} could not be made: {last_lines(said)}"
            raise PrepareFailed(what, hint="./fab sandbox.up")
        return "made"
    old = "" if member.image == image else " (of an older image: sandbox.down, then up, renews it)"
    if member.state == "running":
        return f"already running{old}"
    if member.state == "paused":
        docker("unpause", member.container)
        return f"unpaused{old}"
    docker("start", member.container)
    return f"started again{old}"


def make_network(prefix: str) -> None:
    """The fleet's own network, unless it is there."""
    if not try_docker("network", "inspect", prefix)[0]:
        docker("network", "create", "--label", f"{LABEL}={prefix}", prefix)


def remove(prefix: str) -> list[str]:
    """Removes the fleet's containers and its network; the names of the hosts that went."""
    there = found(prefix)
    if there:
        containers = [member.container for member in there.values()]
        docker("rm", "--force", "--volumes", *containers)
    if try_docker("network", "inspect", prefix)[0]:
        docker("network", "rm", prefix)
    return sorted(there)


def _run_words(prefix: str, image: str, member: Member) -> list[str]:
    labels = {LABEL: prefix, f"{LABEL}.name": member.name, f"{LABEL}.roles": ",".join(member.roles)}
    words = ["run", "--detach", "--init", "--tmpfs", "/run", "--stop-timeout", "5"]
    words += ["--name", member.container, "--hostname", member.name]
    words += ["--network", prefix, "--network-alias", member.name]
    words += [word for key, value in labels.items() for word in ("--label", f"{key}={value}")]
    words += ["--publish", f"127.0.0.1:{member.ssh_port}:{SSH}"]
    if member.http_port:
        words += ["--publish", f"127.0.0.1:{member.http_port}:{HTTP}"]
    return [*words, image, *member.roles]


def _member(prefix: str, facts: dict[str, Any]) -> Member:
    labels = facts["Config"]["Labels"]
    ports = facts["HostConfig"]["PortBindings"]

    def published(inside: int) -> int:
        return int(ports[f"{inside}/tcp"][0]["HostPort"]) if f"{inside}/tcp" in ports else 0

    name = labels[f"{LABEL}.name"]
    roles = tuple(labels[f"{LABEL}.roles"].split(","))
    return Member(
        name,
        roles,
        container=f"{prefix}-{name}",
        ssh_port=published(SSH),
        http_port=published(HTTP),
        state=facts["State"]["Status"],
        image=facts["Config"]["Image"],
    )
