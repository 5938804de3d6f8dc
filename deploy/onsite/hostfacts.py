"""What the host itself is like: its disk, Apache, the processes, the packages."""

from __future__ import annotations

import json
import os
import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from importlib import metadata
from itertools import zip_longest
from pathlib import Path
from typing import Any

CONFIGURATION = Path("/etc/apache2")
PATIENCE = 3.0
"""Seconds for Apache's own processes to answer on this host."""
WANTED = re.compile(
    r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*(?:==\s*([0-9.]+)(?=[\s,]|$))?((?:$|[\s<>=!~@,;]).*)"
)
"""A requirement: its name, its version if it is pinned to a plain one, and the rest."""
PLAIN = re.compile(r"[0-9]+(\.[0-9]+)*")


def disk(root: Path) -> dict[str, Any]:
    """Room for releases and for uploads, whichever has less: MiB, percent of it and of inodes."""
    places = [place for place in (root, root / "shared" / "media") if place.is_dir()]
    return {"disk": min(map(_room, places), key=lambda room: room["free"])}


def _room(place: Path) -> dict[str, int]:
    room, inodes = shutil.disk_usage(place), os.statvfs(place)
    return {
        "free": room.free // (1024 * 1024),
        "percent": 100 * room.free // room.total,
        "inodes": 100 * inodes.f_favail // inodes.f_files if inodes.f_files else 100,
    }


def apache(name: str) -> dict[str, Any]:
    """What Apache's configuration says of connections, and who else uses the site's processes."""
    if not CONFIGURATION.is_dir():
        return {}
    lines = [line for file in _configuration() for line in _directives(file)]
    last = {words[0].lower(): words[1] for _, words in lines if len(words) > 1}
    modules = [path.stem for path in (CONFIGURATION / "mods-enabled").glob("mpm_*.load")]
    groups = {f"{name}-blue", f"{name}-green"}
    others = {
        file.name
        for file, words in lines
        if words[0].lower() in ("wsgiprocessgroup", "wsgiscriptalias")
        and file.stem != name
        and any(word.rpartition("=")[2] in groups for word in words[1:])
    }
    return {
        "apache": {
            "mpm": modules[0].partition("_")[2] if modules else "",
            "keep_alive": last.get("keepalive", "On").lower() == "on",
            "keep_alive_timeout": _number(last.get("keepalivetimeout", "5")),
            "workers": _number(last.get("maxrequestworkers", "400")),
            "others": sorted(others),
        }
    }


def _number(text: str) -> int:
    return int(re.sub(r"\D.*", "", text) or 0)


def _configuration() -> Iterator[Path]:
    yield CONFIGURATION / "apache2.conf"
    for folder in ("mods-enabled", "conf-enabled", "sites-enabled"):
        yield from sorted((CONFIGURATION / folder).glob("*.conf"))


def _directives(file: Path) -> Iterator[tuple[Path, list[str]]]:
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for line in text.replace("\\\n", " ").splitlines():
        words = line.split()
        if words and not words[0].startswith("#"):
            yield file, words


def processes(ports: Iterable[int]) -> dict[str, Any]:
    """What the site's own processes say of themselves on the private ports, loaded ones only."""
    return {"processes": [said for port in ports if (said := _process(port))]}


def _process(port: int) -> dict[str, Any]:
    asking = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with asking.open(f"http://127.0.0.1:{port}/-/release", timeout=PATIENCE) as answer:
            said = json.loads(answer.read())
    except (OSError, ValueError):
        return {}
    return {key: said.get(key, "") for key in ("slot", "python", "locale", "encoding")}


def requirements(release: Path, name: str) -> dict[str, Any]:
    """What the requirements of the release want, and its virtualenv does not have."""
    if not name:
        return {}
    return {"requirements": [fault for one in _wanted(release / name) if (fault := _lacks(*one))]}


def _wanted(file: Path, seen: tuple[Path, ...] = ()) -> Iterator[tuple[str, str]]:
    if file in seen:
        return
    text = re.sub(r"\\\n", " ", file.read_text(encoding="utf-8"))
    for line in text.splitlines():
        line = re.sub(r"(^|\s)#.*", "", line).strip()
        include = re.match(r"(?:-r|--requirement)[\s=]*(\S+)", line)
        if include:
            yield from _wanted(file.parent / include[1], (*seen, file))
        match = WANTED.fullmatch(line)
        # What stands before a marker may rightly be absent here.
        if match and ";" not in match[3]:
            yield match[1], match[2] or ""


def _lacks(name: str, wanted: str) -> str:
    try:
        there = metadata.version(name)
    except metadata.PackageNotFoundError:
        return f"{name} is not installed"
    return "" if not wanted or _same(there, wanted) else f"{name} is {there}, wanted is {wanted}"


def _same(there: str, wanted: str) -> bool:
    """Whether they are one version, as 5.2 and 5.2.0+local are, or 2024.7.4 and 2024.07.04."""
    public = there.partition("+")[0]
    if not (PLAIN.fullmatch(public) and PLAIN.fullmatch(wanted)):
        return public == wanted
    pairs = zip_longest(public.split("."), wanted.split("."), fillvalue="0")
    return all(int(one) == int(other) for one, other in pairs)
