"""Error reporting: logs, mails, error pages, and what Django's own checks say."""

from deploy.checks import ERROR, WARNING, Seen, check, some
from deploy.checks.critical import CODE


@check(
    "logging",
    WARNING,
    why="An error of a page leaves no trace on the host that could be looked at later.",
    write='LOGGING with a handler such as logging.StreamHandler for "django": Apache keeps it',
)
def logging(host: Seen) -> str:
    """The error of a page is written to some log, not only mailed."""
    return "" if host["log_handlers"] else 'no handler writes an error of "django.request"'


@check(
    "admins",
    WARNING,
    why="Errors are mailed to ADMINS, and broken links to MANAGERS; nobody gets them.",
    write='ADMINS = [("Name", "name@example.com")], and MANAGERS = ADMINS',
)
def admins(host: Seen) -> str:
    """Where mails about errors and broken links are sent, somebody gets them."""
    bad = ["ADMINS"] if host["log_mails"] and not host["admins"] else []
    bad += ["MANAGERS"] if host["broken_links"] and not host["managers"] else []
    return f"{' and '.join(bad)} empty" if bad else ""


@check(
    "error-pages",
    WARNING,
    why="Visitors get a bare line in place of a page that says what to do.",
    write="templates/404.html, 500.html, 403.html and 400.html; 500.html needs no context",
)
def error_pages(host: Seen) -> str:
    """There are pages for 400, 403, 404 and 500, and the last one can be rendered."""
    return "; ".join(f"{status}.html {fault}" for status, fault in host["error_pages"].items())


@check(
    "system-checks",
    ERROR,
    roles=CODE,
    why="What Django calls an error keeps the site from starting or from working.",
    write="mend what the message names",
)
def system_checks(host: Seen) -> str:
    """Django's own checks find no error."""
    return _told(host["system_checks"])


@check(
    "check-deploy",
    WARNING,
    why="Django's own list for production has more lines than this one, and apps add theirs.",
    write="what the message says, or its id in SILENCED_SYSTEM_CHECKS",
)
def check_deploy(host: Seen) -> str:
    """`check --deploy` has nothing to add to the other lines."""
    return _told(host["deploy_checks"])


def _told(messages: list[dict[str, str]]) -> str:
    return some((f"{one['id']} {one['message']}" for one in messages), most=3)
