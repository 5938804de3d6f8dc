"""What differs from stage to stage: hosts, caches, databases, mail, static files, uploads."""

import ipaddress
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from deploy.checks import ERROR, WARNING, Seen, check, check_across, some
from deploy.checks.critical import CODE

NOWHERE = {"console": "the log", "dummy": "nowhere", "locmem": "memory", "filebased": "files"}
"""Django's mail backends that send nothing, and where mails go instead."""


@check(
    "allowed-hosts",
    ERROR,
    why="With *, anybody can have links to any host in your mails; without a name, it gets a 400.",
    write="ALLOWED_HOSTS with every name that visitors use, and no *",
)
def allowed_hosts(host: Seen) -> str:
    """ALLOWED_HOSTS has no *, and has every name that Apache serves the site under."""
    allowed = host["allowed_hosts"]
    if "*" in allowed:
        return "ALLOWED_HOSTS has *"
    missing = [name for name in host.names if not _allowed(name, allowed)]
    if missing:
        return f"ALLOWED_HOSTS lacks {some(missing)}, which the vhost serves"
    return "" if allowed else "ALLOWED_HOSTS is empty: every request is answered with 400"


def _allowed(name: str, allowed: Sequence[str]) -> bool:
    name = name.lower()
    wild = name.startswith("*.")  # any name below it
    below = name[1:] if wild else f".{name}"
    return any(
        (name == one.lower() and not wild) or (one.startswith(".") and below.endswith(one.lower()))
        for one in allowed
    )


@check(
    "caches-reachable",
    ERROR,
    why="Each page that uses the cache fails, or waits for a server that does not answer.",
    write="start the cache server, or mend LOCATION in CACHES",
)
def caches_reachable(host: Seen) -> str:
    """Each cache server gives back what is put into it."""
    faults = [f"CACHES[{one['alias']!r}]: {one['fault']}" for one in host["caches"] if one["fault"]]
    return "; ".join(faults)


@check(
    "caches-private",
    WARNING,
    why="Cache servers ask for no password: whoever reaches one reads sessions and changes pages.",
    write="let it listen on 127.0.0.1 or a private address only (memcached: -l 127.0.0.1)",
)
def caches_private(host: Seen) -> str:
    """No cache server has a public address or listens on all, as far as can be seen from here."""
    public = [one for cache in host["caches"] for one in cache["addresses"] if _public(one)]
    everywhere = [one for cache in host["caches"] for one in cache["open"]]
    said = [f"{one} is a public address" for one in public]
    said += [f"what answers at {one} listens on all addresses" for one in everywhere]
    return "; ".join(said)


def _public(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.rpartition(":")[0].strip("[]")).is_global
    except ValueError:
        return False


@check(
    "session-store",
    ERROR,
    why="Sessions in a process's own memory are unknown to every other process, and end with it.",
    write="a cache server, such as memcached, in CACHES, with SESSION_ENGINE = "
    '"django.contrib.sessions.backends.cached_db"',
)
def session_store(host: Seen) -> str:
    """Sessions are where all processes find them: not in a process's own memory, nor in a dummy."""
    if host["session_engine"] not in ("cache", "cached_db") or not host["https"]["session"]:
        return ""
    kinds = {one["alias"]: one["kind"] for one in host["caches"]}
    kind = kinds.get(host["session_cache"], "")
    if kind == "dummy" or (kind == "memory" and host["session_engine"] == "cache"):
        return f"sessions are in CACHES[{host['session_cache']!r}], which is of kind {kind}"
    if kind == "memory":
        return "sessions are cached in each process for itself, so that one may see old ones"
    return ""


@check(
    "database-connection",
    ERROR,
    roles=CODE,
    why="Without its database the site answers with 500.",
    write="start the database, let this host in, or mend DATABASES",
)
def database_connection(host: Seen) -> str:
    """Each database answers."""
    faults = [one["fault"] for one in host["databases"] if one["fault"]]
    return "; ".join(faults)


@check(
    "database-password",
    ERROR,
    why="Everybody who ever saw the repository, or a backup of it, knows the password.",
    write="PASSWORD from the environment, with a new one put on the hosts by fab env.push --merge",
)
def database_password(host: Seen) -> str:
    """No password of a database or of the mail server stands in the code."""
    found = {name: at for name, at in host["secrets_in_code"].items() if name != "SECRET_KEY"}
    return "; ".join(f"{name} stands in {at}" for name, at in found.items())


@check(
    "database-outside",
    ERROR,
    roles=CODE,
    why="What lies in a release stays behind when the next one goes live: all data would be gone.",
    write='NAME = "/srv/www/NAME/shared/data/db.sqlite3", or a database server',
)
def database_outside(host: Seen) -> str:
    """No SQLite file lies in the release, and none in memory."""
    for one in host["databases"]:
        if one.get("in_release"):
            return f"the file of DATABASES[{one['alias']!r}] lies in the release"
        if one.get("in_memory"):
            return f"DATABASES[{one['alias']!r}] is in memory: each process has its own"
    return ""


@check(
    "email-backend",
    WARNING,
    why="No visitor gets a mail, and no admin is told of an error.",
    write='EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"',
)
def email_backend(host: Seen) -> str:
    """Mails are sent, not written to the log, to memory or to files."""
    backend = host["email"]["backend"]
    kind = backend.removeprefix("django.core.mail.backends.").partition(".")[0]
    return f"EMAIL_BACKEND sends mails to {NOWHERE[kind]}" if kind in NOWHERE else ""


@check(
    "email-host",
    WARNING,
    why="A page that sends a mail fails, and no admin is told of an error.",
    write="EMAIL_HOST and EMAIL_PORT of a server that lets this host in",
)
def email_host(host: Seen) -> str:
    """The mail server answers and lets the site in."""
    fault = host["email"]["fault"]
    return f"{host['email']['host']}: {fault}" if fault else ""


@check(
    "default-from-email",
    WARNING,
    why="Mails from localhost are refused or taken for spam, and nobody gets the answers.",
    write='DEFAULT_FROM_EMAIL = "Name <name@your-domain>", and SERVER_EMAIL likewise',
)
def default_from_email(host: Seen) -> str:
    """DEFAULT_FROM_EMAIL and SERVER_EMAIL are addresses of a real domain."""
    names = ("default_from_email", "server_email")
    bad = [name.upper() for name in names if _local(str(host[name]))]
    return f"{' and '.join(bad)} {'is' if len(bad) == 1 else 'are'} at localhost" if bad else ""


def _local(address: str) -> bool:
    domain = address.rstrip("> ").rpartition("@")[2].lower()
    return domain in ("", "localhost", "localhost.localdomain")


@check(
    "static-root",
    ERROR,
    why="Visitors get pages without their style if the web server looks elsewhere.",
    write='STATIC_ROOT = BASE_DIR / "staticfiles", as static.root and static.url say',
)
def static_root(host: Seen) -> str:
    """STATIC_ROOT and STATIC_URL are where the toolkit's web servers look."""
    if not host["static_files"]:
        return ""
    return "; ".join(_static_faults(host))


def _static_faults(host: Seen) -> Iterator[str]:
    path = urlsplit(host["static_url"]).path
    if not host["static_root"]:
        yield "STATIC_ROOT is not set"
    elif host["static_place"] != host.static_root:
        root = f"{host.static_root} in the release"
        yield f"STATIC_ROOT is {host['static_root']}, static.root means {root}"
    if host.static_mode != "storage" and path != host.static_url:
        yield f"STATIC_URL leads to {path or 'nothing'}, static.url is {host.static_url}"


@check(
    "media-root",
    ERROR,
    why="Uploads in a release are gone with the next one, and uploads among code could be run.",
    write='MEDIA_ROOT = BASE_DIR / "media", with "media" in shared: it leads to shared/media',
)
def media_root(host: Seen) -> str:
    """Uploads survive a release, and lie where no code is imported or run from."""
    media = host["media"]
    # A program from before there was `default` takes it for a folder, as Django does.
    if not media["used"] and not (media["root"] and media.get("default", True)):
        return ""
    if not media["root"]:
        return "MEDIA_ROOT is not set, so that uploads go into the release"
    if media["in_release"]:
        return f"MEDIA_ROOT is in the release: {media['real']}"
    if media["importable"]:
        return f"MEDIA_ROOT is where code is imported from: {media['real']}"
    return "" if media["there"] else f"MEDIA_ROOT is not there: {media['real']}"


@check_across(
    "database-connections",
    WARNING,
    why="When all processes are busy, the database refuses connections and pages fail.",
    write="fewer web.processes or web.threads, a larger max_connections, or a pooler",
)
def database_connections(hosts: Sequence[Seen]) -> str:
    """All threads of all web hosts, in both slots, have room in the database server."""
    workers = sum(host.workers or host["apache"]["workers"] for host in hosts)
    for one in hosts[0]["databases"]:
        limit = one.get("connections", 0)
        if limit and workers > limit:
            return (
                f"DATABASES[{one['alias']!r}] allows {limit} connections, and the web hosts may"
                f" want {workers} (processes x threads, in two slots each)"
            )
    return ""
