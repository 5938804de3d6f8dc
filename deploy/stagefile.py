"""Reads the file of one stage: what stands in it, with the file it includes underneath."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.errors import Refused
from deploy.host import Host, Ssh
from deploy.loading import Place, Values, parsed, read, shown_path, table
from deploy.nearest import did_you_mean
from deploy.project import Project
from deploy.ranges import expanded
from deploy.rules import address, within
from deploy.settings import Key, key, keys


@dataclass(frozen=True)
class About:
    """The stage itself: the keys at the top of its file."""

    description: str = key("What this stage is, in one sentence; shown when it is asked about.", "")
    include: str = key("A TOML file, seen from this one, whose tables hold unless said here.", "")
    confirm: bool = key("Ask before a task changes this stage's hosts or takes their locks.", False)
    parallel: int = key("The most hosts that are worked on at once.", 32, within(1, 1000))


@dataclass(frozen=True)
class StageFile:
    """What one stage file and those it includes say, checked but without any defaults."""

    about: Values = field(default_factory=dict)
    ssh: Values = field(default_factory=dict)
    project: Values = field(default_factory=dict)
    hosts: Mapping[str, Values] = field(default_factory=dict)

    def over(self, under: "StageFile") -> "StageFile":
        """Both files, this one's word before the other's; hosts keep the other's order."""
        names = dict.fromkeys((*under.hosts, *self.hosts))
        return StageFile(
            under.about | self.about,
            under.ssh | self.ssh,
            under.project | self.project,
            {name: under.hosts.get(name, {}) | self.hosts.get(name, {}) for name in names},
        )


def host_keys() -> dict[str, Key]:
    """Every key that may stand in `[hosts.NAME]`."""
    own = {name: of for name, of in keys(Host).items() if "." not in name}
    site = {name: of for name, of in keys(Project).items() if name not in ("name", "stage")}
    return own | keys(Ssh) | site


def read_stage_file(path: Path, top: Path, above: tuple[Path, ...] = ()) -> StageFile:
    """The stage file at `path` over what it includes; Refused with file and key if it is wrong."""
    shown = shown_path(path, top)
    written = parsed(path, shown) if path.suffix == ".toml" else _computed(path, shown)
    place = Place(shown)
    tables = {name: written.pop(name, {}) for name in ("ssh", "project", "hosts")}
    known = {name: key for name, key in keys(About).items()}
    for name in written:
        if name not in known:
            raise place.at(name).refused(f"unknown key{did_you_mean(name, (*known, *tables))}")
    about = read(known, written, place)
    here = StageFile(
        about,
        _anchored(read(keys(Ssh), *_inside(tables, "ssh", place)), path.parent),
        read(keys(Project), *_inside(tables, "project", place)),
        _hosts(*_inside(tables, "hosts", place), path.parent),
    )
    if not about.get("include"):
        return here
    return here.over(_included(path, top, str(about["include"]), about, above))


def _inside(tables: Mapping[str, object], name: str, place: Place) -> tuple[Values, Place]:
    return table(tables[name], place.at(name)), place.at(name)


def _included(
    path: Path, top: Path, include: str, about: Values, above: tuple[Path, ...]
) -> StageFile:
    other = (path.parent / Path(include).expanduser()).resolve()
    place = Place(shown_path(path, top)).at("include")
    if other in (*above, path.resolve()):
        raise place.refused(f"{include} includes this file in turn")
    if not other.is_file():
        sentence = str(about.get("description", ""))
        quoted = f' This stage is described as: "{sentence}"' if sentence else ""
        raise place.refused(f"there is no {shown_path(other, top)}.{quoted}")
    if other.suffix != ".toml":
        raise place.refused(f"wants a TOML file, not {include}")
    return read_stage_file(other, top, (*above, path.resolve()))


def _hosts(written: Values, place: Place, folder: Path) -> dict[str, Values]:
    hosts: dict[str, Values] = {}
    known = host_keys()
    for pattern, value in written.items():
        here = place.at(pattern)
        given = dict(table(value, here))
        try:
            names = expanded(pattern)
            addresses = _addresses(given, len(names))
        except ValueError as error:
            raise here.refused(str(error)) from None
        for name, where in zip(names, addresses, strict=True):
            if wanted := address(name):
                raise here.refused(f"the name of a host must be {wanted}")
            values = _anchored(read(known, given | where, here), folder)
            hosts[name] = hosts.get(name, {}) | values
    return hosts


def _addresses(given: Values, count: int) -> list[dict[str, Any]]:
    if not isinstance(given.get("address"), str):
        return [{}] * count
    found = expanded(given["address"])
    if len(found) != count:
        raise ValueError(f"has {count} names but {len(found)} addresses")
    return [{"address": one} for one in found]


def _anchored(values: Values, folder: Path) -> Values:
    paths = {
        name: str(folder.resolve() / Path(values[name]).expanduser())
        for name in ("identity", "known_hosts", "config")
        if values.get(name)
    }
    return values | paths


def _computed(path: Path, shown: str) -> Values:
    from runpy import run_path

    try:
        hosts = run_path(str(path)).get("hosts")
        found = hosts() if callable(hosts) else None
    except Exception as error:  # whatever somebody's own code raises is their inventory's fault
        what = f"{shown}: hosts() failed: {type(error).__name__}: {error}"
        raise Refused(what) from error
    if not callable(hosts):
        raise Refused(f"{shown} has no function hosts()")
    return dict(table(found, Place(f"{shown}: hosts()")))
