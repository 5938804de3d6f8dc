"""The hosts: prepared, Python and packages, rights, Apache's processes, disk and clock."""

import re
from collections.abc import Sequence

from deploy.checks import ERROR, WARNING, Seen, check, check_across, some
from deploy.checks.critical import CODE

EVERYWHERE = (*CODE, "static")
LONG_KEEP_ALIVE = 15
LEAST_ROOM = 1024
"""MiB below which a few releases, or a log, fill a disk."""
LEAST_PERCENT = 5
CLOCK = 30.0
"""Seconds by which two clocks may differ: cookies and signatures of the future are refused."""


@check(
    "prepared",
    ERROR,
    roles=EVERYWHERE,
    why="A deploy is refused until the host has what it needs.",
    write="what is named; fab -H HOST setup --script prints what root has to run",
)
def prepared(host: Seen) -> str:
    """Folders, programs and rights that a deploy needs are there."""
    return "; ".join(host.unfit)


@check(
    "python",
    ERROR,
    roles=CODE,
    why="Packages of one Python do not load in another, and Django refuses one that is too old.",
    write="python = the one that mod_wsgi was built for, new enough for the site's Django",
)
def python(host: Seen) -> str:
    """Apache's Python is that of the virtualenv, and new enough for the site's Django."""
    version = host["python"]
    least = re.search(r">=\s*([0-9.]+)", host["python_wanted"])
    if least and _numbers(version) < _numbers(least[1]):
        return f"Python is {version}, and Django {host['django']} wants {least[0]}"
    others = {one["python"] for one in _processes(host)} - {""}
    other = [one for one in sorted(others) if _numbers(one)[:2] != _numbers(version)[:2]]
    return f"the virtualenv has Python {version}, Apache has {other[0]}" if other else ""


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


def _processes(host: Seen) -> list[dict[str, str]]:
    found: list[dict[str, str]] = host.facts.get("processes", [])
    return found


@check(
    "requirements",
    ERROR,
    roles=CODE,
    why="The code was tested with other packages than those it runs with.",
    write="fab deploy, after the virtualenv that differs was removed from venvs/",
)
def requirements(host: Seen) -> str:
    """The virtualenv has what the release's requirements want."""
    return some(host["requirements"])


@check(
    "permissions",
    ERROR,
    why="Anyone who breaks into a page could change the code, and stay.",
    write="chmod -R go-w on what is named, owned by the user who deploys",
)
def permissions(host: Seen) -> str:
    """The processes of the site cannot write code."""
    found = host["writable"]
    if not found["count"]:
        return ""
    return f"{host.name} lets the site write {some(found['some'], 2)} ({found['count']} in all)"


@check(
    "locale",
    WARNING,
    why="Without UTF-8, a file name with an umlaut in an upload is a UnicodeEncodeError.",
    write='web.locale = "C.UTF-8", then fab apache.configure; the vhost sets LANG and LC_ALL',
)
def locale(host: Seen) -> str:
    """LANG and LC_ALL, as Apache's processes really have them, mean UTF-8."""
    for one in host["processes"]:
        if not _utf8(one["locale"]):
            return f"the {one['slot']} processes run with the locale {one['locale']}"
        if one["encoding"] and not _utf8(one["encoding"]):
            return f"the {one['slot']} processes write file names in {one['encoding']}"
    return ""


def _utf8(name: str) -> bool:
    return name.lower().replace("-", "").endswith("utf8")


@check(
    "process-group",
    WARNING,
    why="Sites in one process share its settings, its environment and its faults.",
    write="a WSGIDaemonProcess and WSGIProcessGroup of its own for each site",
)
def process_group(host: Seen) -> str:
    """No other site of this Apache runs in the processes of this one."""
    others = host["apache"]["others"]
    return f"{some(others)} uses the processes of this site" if others else ""


@check(
    "keep-alive",
    WARNING,
    why="A visitor who reads a page holds a place that another one waits for.",
    write="a2dismod mpm_prefork && a2enmod mpm_event, or KeepAlive Off; KeepAliveTimeout 5",
)
def keep_alive(host: Seen) -> str:
    """Idle connections hold no process: the event MPM, or KeepAlive off; and not for long."""
    apache = host["apache"]
    if not apache["keep_alive"]:
        return ""
    if apache["mpm"] == "prefork":
        return "KeepAlive is on with the prefork MPM: each idle visitor holds a process"
    seconds = apache["keep_alive_timeout"]
    return f"KeepAliveTimeout is {seconds} seconds" if seconds > LONG_KEEP_ALIVE else ""


@check(
    "disk",
    WARNING,
    roles=EVERYWHERE,
    why="A full disk stops uploads, logs, the database, and the next release.",
    write="a larger disk, a smaller keep, or rotated logs",
)
def disk(host: Seen) -> str:
    """There is room for more releases, uploads and logs."""
    room = host["disk"]
    if room["free"] < LEAST_ROOM or room["percent"] < LEAST_PERCENT:
        return f"{room['free']} MiB are free ({room['percent']} %)"
    return f"{room['inodes']} % of the inodes are free" if room["inodes"] < LEAST_PERCENT else ""


@check_across(
    "clock",
    WARNING,
    roles=CODE,
    why="Sessions and signed links that one host makes lie in the future of the other.",
    write="timedatectl set-ntp true",
)
def clock(hosts: Sequence[Seen]) -> str:
    """The clocks of the hosts agree, with each other and with this machine's."""
    ahead = {host.name: host.clock for host in hosts if host.clock is not None}
    off = [f"{name} by {seconds:+.0f} s" for name, seconds in ahead.items() if abs(seconds) > CLOCK]
    return f"differs from the clock here: {some(off)}" if off else ""
