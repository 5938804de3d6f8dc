"""Loads a stage: its file, the project's settings, the environment and --set become one value."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from deploy.errors import Refused
from deploy.host import Host, Ssh
from deploy.loading import Values, build, read_environ, read_sets
from deploy.nearest import did_you_mean, listed
from deploy.project import Project
from deploy.rules import stage_name
from deploy.settings import keys
from deploy.site import finished, site
from deploy.stage import Stage
from deploy.stagefile import About, read_stage_file


def load_stage(
    top: Path,
    stage: str,
    sets: tuple[tuple[str, str], ...] = (),
    environ: Mapping[str, str] = os.environ,
) -> Stage:
    """The stage of the project at `top`; Refused, naming file and key, if anything is wrong."""
    path = stage_path(top, stage)
    file = read_stage_file(path, top)
    about = build(About, file.about)
    known = keys(Project)
    first = site(top) | file.project
    last = read_environ(known, environ) | read_sets(known, sets)
    hosts = tuple(_host(name, file.ssh, first, own, last) for name, own in file.hosts.items())
    _refuse_twins(hosts, path.name)
    _refuse_two_apaches(hosts, path.name)
    return Stage(
        name=stage,
        path=path,
        description=about.description,
        confirm=about.confirm,
        parallel=about.parallel,
        project=finished(first | last),
        hosts=hosts,
    )


def stages(top: Path) -> tuple[str, ...]:
    """The stages there are, by name; `example` is the reference of all keys and no stage."""
    found = [one.stem for one in (top / "inventories").glob("*") if one.suffix in (".toml", ".py")]
    return tuple(sorted(set(found) - {"example"}))


def stage_path(top: Path, stage: str) -> Path:
    """The file of a stage; Refused, with the stages there are, if there is not exactly one."""
    there = f"stages in inventories/: {listed(stages(top))}"
    if not stage:
        what = 'no stage: name one with -I STAGE, or write stage = "..." under [tool.deploy]'
        raise Refused(what, there)
    if wanted := stage_name(stage):
        raise Refused(f'-I wants {wanted} without its ending, not "{stage}"', there)
    paths = [top / "inventories" / f"{stage}{ending}" for ending in (".toml", ".py")]
    found = [path for path in paths if path.is_file()]
    if len(found) > 1:
        raise Refused(f"inventories/ has both {stage}.toml and {stage}.py: one has to go")
    if not found:
        near = did_you_mean(stage, stages(top))
        raise Refused(f'there is no stage "{stage}": no inventories/{stage}.toml{near}', there)
    return found[0]


def _host(name: str, ssh: Values, site: Values, own: Values, last: Values) -> Host:
    login = {key: own[key] for key in keys(Ssh) if key in own}
    here = {key: own[key] for key in keys(Project) if key in own}
    return Host(
        name=name,
        address=own.get("address") or name,
        roles=tuple(dict.fromkeys(own.get("roles", ()))),
        url=own.get("url", ""),
        ssh=build(Ssh, ssh | login),
        project=finished(site | here | last),
    )


def _refuse_twins(hosts: tuple[Host, ...], file: str) -> None:
    seen: dict[Host, str] = {}
    for host in hosts:
        place = replace(Host("", host.address), ssh=Ssh(port=host.ssh.port))
        if place in seen:
            raise Refused(
                f"inventories/{file}: hosts.{host.name} is the same machine as"
                f" hosts.{seen[place]}: write it once, with the roles of both"
            )
        seen[place] = host.name


def _refuse_two_apaches(hosts: tuple[Host, ...], file: str) -> None:
    """One Apache file of the site's name is all that deploy-root installs on a host."""
    for host in hosts:
        static = host.project.static
        if {"web", "static"} <= set(host.roles) and static.server == "apache":
            raise Refused(
                f"inventories/{file}: hosts.{host.name} is both web and static, where"
                f' static.server = "apache" would replace the vhost of the site',
                'static.mode = "web" serves the files there without the role static',
            )
