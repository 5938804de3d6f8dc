"""HTTPS: redirect, cookies, HSTS."""

from deploy.checks import WARNING, Seen, check


@check(
    "https-redirect",
    WARNING,
    why="A visitor who types the name without https stays on a connection that others can read.",
    write="SECURE_SSL_REDIRECT = True, with SECURE_PROXY_SSL_HEADER behind a proxy;"
    " waive it if the proxy redirects",
)
def https_redirect(host: Seen) -> str:
    """Plain HTTP is redirected to HTTPS, by Django or, with apache.certificate, by Apache."""
    if host.redirects:
        return ""
    if not host["https"]["security"]:
        return "SecurityMiddleware is not in MIDDLEWARE"
    return "" if host["https"]["redirect"] else "SECURE_SSL_REDIRECT is off"


@check(
    "csrf-cookie",
    WARNING,
    why="The token goes over plain HTTP, where it can be read and used against the visitor.",
    write="CSRF_COOKIE_SECURE = True",
)
def csrf_cookie(host: Seen) -> str:
    """The CSRF cookie is sent over HTTPS only."""
    https = host["https"]
    return "CSRF_COOKIE_SECURE is off" if https["csrf"] and not https["csrf_secure"] else ""


@check(
    "session-cookie",
    WARNING,
    why="Anyone who reads it, on the wire or by a script in a page, is logged in as the visitor.",
    write="SESSION_COOKIE_SECURE = True; leave SESSION_COOKIE_HTTPONLY on",
)
def session_cookie(host: Seen) -> str:
    """The session cookie is sent over HTTPS only, and no script can read it."""
    https = host["https"]
    if not https["session"]:
        return ""
    bad = [
        name
        for name, fine in (
            ("SESSION_COOKIE_SECURE", https["session_secure"]),
            ("SESSION_COOKIE_HTTPONLY", https["session_http_only"]),
        )
        if not fine
    ]
    return f"{' and '.join(bad)} off" if bad else ""


@check(
    "hsts",
    WARNING,
    why="A browser that was told to use HTTPS only cannot be lured back to plain HTTP.",
    write="SECURE_HSTS_SECONDS = 3600, and a year once all is well",
)
def hsts(host: Seen) -> str:
    """Browsers are told to come by HTTPS only."""
    if not host["https"]["security"]:
        return "SecurityMiddleware is not in MIDDLEWARE"
    return "" if host["https"]["hsts"] else "SECURE_HSTS_SECONDS is 0"
