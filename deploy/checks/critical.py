"""Critical settings: the settings load, SECRET_KEY, DEBUG."""

from collections.abc import Sequence

from deploy.checks import ERROR, Seen, check, check_across

CODE = ("web", "db", "worker")
"""The roles of hosts that run the site's code, as deploy.host has them."""


@check(
    "settings-load",
    ERROR,
    roles=CODE,
    why="A site whose settings raise an exception does not start.",
    write="mend the line that is named; a missing variable: fab env.push --merge",
)
def settings_load(host: Seen) -> str:
    """The settings module and the apps can be imported."""
    return f"{host['settings']} does not load: {host['fault']}" if host["fault"] else ""


@check(
    "secret-key-strength",
    ERROR,
    why="Anyone who can guess SECRET_KEY can forge sessions and links for resetting passwords.",
    write="SECRET_KEY from the environment, 50 random characters or more: "
    "django.core.management.utils.get_random_secret_key()",
)
def secret_key_strength(host: Seen) -> str:
    """SECRET_KEY is set, long, random, and not one that startproject made."""
    key = host["secret_key"]
    if key["insecure"]:
        return "SECRET_KEY is the one that startproject made for development"
    if key["length"] < 50 or key["distinct"] < 5:
        return f"SECRET_KEY has {key['length']} characters, {key['distinct']} different ones"
    return ""


@check(
    "secret-key-hidden",
    ERROR,
    why="Everybody who ever saw the repository, or a backup of it, knows the key.",
    write='SECRET_KEY = os.environ["SECRET_KEY"], with a new key put on the hosts by '
    "fab env.push --merge",
)
def secret_key_hidden(host: Seen) -> str:
    """SECRET_KEY does not stand in the code."""
    place = host["secrets_in_code"].get("SECRET_KEY")
    return f"SECRET_KEY stands in {place}" if place else ""


@check_across(
    "secret-key-equal",
    ERROR,
    why="A visitor who meets another host is logged out, and signed links do not work there.",
    write="the same SECRET_KEY on all hosts: fab env.push --merge",
)
def secret_key_equal(hosts: Sequence[Seen]) -> str:
    """SECRET_KEY is the same on all web hosts, told by a digest that is salted for this run."""
    digests: dict[str, list[str]] = {}
    for host in hosts:
        digests.setdefault(host["secret_key"]["digest"], []).append(host.name)
    if len(digests) < 2:
        return ""
    return "SECRET_KEY differs: " + " / ".join(", ".join(names) for names in digests.values())


@check(
    "debug-off",
    ERROR,
    why="Error pages with DEBUG show settings, code and data to every visitor.",
    write="DEBUG = False",
)
def debug_off(host: Seen) -> str:
    """DEBUG is off, for Django and for its templates."""
    if host["debug"]:
        return "DEBUG is on"
    loud = [one["engine"] for one in host["loaders"] if one["debug"]]
    return f"the template engine {loud[0]} has debug on" if loud else ""
