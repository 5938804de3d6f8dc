"""What the value of a setting may be, beyond its type."""

import ipaddress
import re
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

from deploy.nearest import did_you_mean

Rule = Callable[[Any], str]
"""Says what is wanted of a value that will not do, and nothing of one that will."""

HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,252}")
_HOST_PATH = re.compile(r"[A-Za-z0-9._@+/-]+")


def printable(value: Any) -> str:
    """No line breaks or other control characters, anywhere in the value."""
    if isinstance(value, str):
        return "" if value.isprintable() else "text without control characters"
    if isinstance(value, tuple):
        return next(filter(None, map(printable, value)), "")
    return ""


def matching(pattern: str, wanted: str) -> Rule:
    """Text that `pattern` matches as a whole."""
    return lambda value: "" if re.fullmatch(pattern, value, re.ASCII) else wanted


def within(low: float, high: float) -> Rule:
    """A number from `low` to `high`, both included."""
    return lambda value: "" if low <= value <= high else f"a number from {low} to {high}"


def one_of(*words: str) -> Rule:
    """One of these words."""
    wanted = "one of " + ", ".join(f'"{word}"' for word in words)
    return lambda value: "" if value in words else f"{wanted}{did_you_mean(value, words)}"


def each(rule: Rule) -> Rule:
    """`rule` for every member of a list."""
    return lambda value: next(filter(None, map(rule, value)), "")


def or_empty(rule: Rule) -> Rule:
    """Nothing at all, or what `rule` wants."""
    return lambda value: rule(value) if value else ""


def address(value: str) -> str:
    """A host name or an IP address, safe as an argument of any program."""
    if HOST.fullmatch(value):
        return ""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return "a host name or an IP address"
    return "an IP address without a zone" if "%" in value else ""


def two_ports(value: tuple[int, ...]) -> str:
    """Exactly two different TCP ports."""
    right = len(value) == 2 and value[0] != value[1] and all(1 <= port <= 65535 for port in value)
    return "" if right else "two different ports from 1 to 65535"


def inside(value: str) -> str:
    """A relative path that stays inside the directory it is seen from."""
    path = PurePosixPath(value)
    right = bool(value) and not path.is_absolute() and ".." not in path.parts
    return "" if right and not value.startswith(("-", "~")) else "a relative path without .."


def inside_on_host(value: str) -> str:
    """The same, with only characters that need no quoting in a web server's configuration."""
    plain = _HOST_PATH.fullmatch(value) and PurePosixPath(value).parts
    return inside(value) if plain else "a relative path of letters, digits and . _ @ + -"


def on_host(value: str) -> str:
    """An absolute path on a host, with only characters that need no quoting there."""
    right = value.startswith("/") and ".." not in PurePosixPath(value).parts
    return "" if right and _HOST_PATH.fullmatch(value) else "an absolute path without .. or spaces"


def site_root(value: str) -> str:
    """An absolute path that is not as short as /srv: it is filled, pruned and swept."""
    deep = len(PurePosixPath(value).parts) >= 3 and not value.startswith("//")
    return on_host(value) or ("" if deep else "a path of at least two parts, such as /srv/www")


unit = matching(r"[A-Za-z0-9][A-Za-z0-9@:._-]{0,127}", "the name of a systemd unit")
url_path = matching(r"/[A-Za-z0-9._~!&'()*+,;=:@%/?-]*", "a path that begins with /")
url_folder = matching(r"/([A-Za-z0-9._~-]+/)+", "a folder such as /static/: / is the site itself")
url = matching(r"https?://[A-Za-z0-9._~:/\[\]-]+", "an address such as https://example.com/")
port = within(1, 65535)
seconds = within(1, 86400)
short_name = matching(r"[a-z][a-z0-9-]{0,30}", "up to 31 small letters, digits and -")
dotted = matching(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", "a dotted Python name")
wsgi_name = matching(
    r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*",
    "MODULE:CALLABLE, such as config.wsgi:application",
)
server_name = matching(HOST.pattern, "a host name such as www.example.com")
server_alias = matching(rf"(\*\.)?{HOST.pattern}", "a host name, or *. and a host name")
account = matching(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?", "a user's or group's name")
stage_name = matching(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", "the name of a file in inventories/")
locale = matching(r"[A-Za-z0-9][A-Za-z0-9_.@-]*", "a locale such as C.UTF-8")
program = matching(r"[A-Za-z0-9/][A-Za-z0-9._/+-]*", "a program's name or path")
gateway = matching(rf"([A-Za-z_][A-Za-z0-9_.-]*@)?{HOST.pattern}(:\d{{1,5}})?", "USER@HOST:PORT")
variables = each(
    lambda pair: (
        "" if re.fullmatch(r"[A-Za-z_]\w*", pair[0], re.ASCII) else "names such as SECRET_KEY"
    )
)
