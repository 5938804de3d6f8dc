"""The web servers' configuration files, rendered from the site's settings."""

import hashlib
from html import escape

from deploy.project import Project
from deploy.release import Layout
from deploy.rendering import render

SLOTS = ("blue", "green")
"""The two groups of web processes."""
LOGS = {"debian": "/var/log/apache2", "redhat": "/var/log/httpd"}
"""Where the distribution's Apache has its logs."""
HASHED = r"\.[0-9a-f]{12}\.[^./]+$"
"""What the name of a file ends with if it holds a digest of the content."""
COMPRESSED = {
    "css": "text/css",
    "js": "text/javascript",
    "mjs": "text/javascript",
    "svg": "image/svg+xml",
    "json": "application/json",
    "html": "text/html",
    "txt": "text/plain",
    "xml": "text/xml",
    "map": "application/json",
}
"""The endings beside which deploy/local/pack.py puts a compressed file, and their types."""


def process_title(name: str, slot: str) -> str:
    """The title that the processes of a slot show in a process list.

    Apache cuts titles to the length of its own path (15 characters for /usr/sbin/httpd), so a
    digest stands for the site's name; deploy-root finds the processes by the same title.
    """
    return f"({hashlib.sha256(name.encode()).hexdigest()[:6]}-{slot})"


def apache_site(project: Project) -> str:
    """The vhost of the site: two warm slots, chosen for each request by what is live."""
    return render(
        "apache.conf.j2",
        p=project,
        web=project.web,
        site=Layout(project.root),
        slots=dict(zip(SLOTS, project.web.private_ports, strict=True)),
        titles={slot: process_title(project.name, slot) for slot in SLOTS},
        log=_log(project),
    )


def log_files(project: Project) -> tuple[str, str]:
    """Where Apache on a web host writes the site's errors, and its requests."""
    error, access = project.web.error_log, project.web.access_log
    return error or f"{_log(project)}-error.log", access or f"{_log(project)}-access.log"


def _log(project: Project) -> str:
    return f"{LOGS[project.apache.layout]}/{project.name}"


def maintenance_page(project: Project, reason: str, until: str) -> str:
    """What visitors read instead of the site; `until` is shown as it was written."""
    return render("maintenance.html.j2", p=project, reason=escape(reason), until=escape(until))


def static_site(project: Project) -> str:
    """The vhost of a static host, for the server that `static.server` names."""
    template = {"nginx": "nginx.conf.j2", "apache": "apache-static.conf.j2"}[project.static.server]
    return render(
        template,
        p=project,
        static=project.static,
        site=Layout(project.root),
        url=project.static.url.replace(".", r"\."),
        hashed=HASHED,
        types=COMPRESSED,
        codings={"br": "br", "gzip": "gz"} if project.static.brotli else {"gzip": "gz"},
        log=f"{_log(project)}-static",
    )
