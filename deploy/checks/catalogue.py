"""Every check there is, in the order of Django's deployment checklist."""

from deploy.checks import ERROR as ERROR
from deploy.checks import OFF as OFF
from deploy.checks import WARNING as WARNING
from deploy.checks import Check, critical, https, performance, reporting, servers, surroundings
from deploy.nearest import did_you_mean

CHECKS: tuple[Check, ...] = (
    critical.settings_load,
    critical.secret_key_strength,
    critical.secret_key_hidden,
    critical.secret_key_equal,
    critical.debug_off,
    surroundings.allowed_hosts,
    surroundings.caches_reachable,
    surroundings.caches_private,
    surroundings.session_store,
    surroundings.database_connection,
    surroundings.database_password,
    surroundings.database_outside,
    surroundings.database_connections,
    surroundings.email_backend,
    surroundings.email_host,
    surroundings.default_from_email,
    surroundings.static_root,
    surroundings.media_root,
    https.https_redirect,
    https.csrf_cookie,
    https.session_cookie,
    https.hsts,
    performance.conn_max_age,
    performance.cached_templates,
    reporting.logging,
    reporting.admins,
    reporting.error_pages,
    reporting.system_checks,
    reporting.check_deploy,
    servers.prepared,
    servers.python,
    servers.requirements,
    servers.permissions,
    servers.locale,
    servers.process_group,
    servers.keep_alive,
    servers.disk,
    servers.clock,
)
NAMES = tuple(check.name for check in CHECKS)
SEVERITIES = (ERROR, WARNING, OFF)


def known_names(pairs: tuple[tuple[str, str], ...]) -> str:
    """A rule of settings: the names in a table are those of checks."""
    for name, _ in pairs:
        if name not in NAMES:
            near = did_you_mean(name, NAMES)
            return f"names of checks, as docs/checklist.md has them; there is no {name}{near}"
    return ""


def severities(pairs: tuple[tuple[str, str], ...]) -> str:
    """A rule of settings: error, warning or off for each."""
    wrong = [value for _, value in pairs if value not in SEVERITIES]
    return f"error, warning or off for each check, not {wrong[0]}" if wrong else ""


def reasons(pairs: tuple[tuple[str, str], ...]) -> str:
    """A rule of settings: a reason that somebody can judge later."""
    bare = [name for name, reason in pairs if len(reason.strip()) < 5]
    return f"a reason for {bare[0]}, in a few words" if bare else ""
