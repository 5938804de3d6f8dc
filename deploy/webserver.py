"""The web servers' configuration files, rendered from the site's settings."""

import hashlib
from typing import Any

from deploy.project import Project
from deploy.release import Layout

SLOTS = ("blue", "green")
"""The two groups of web processes."""


def process_title(name: str, slot: str) -> str:
    """The title that the processes of a slot show in a process list.

    Apache cuts titles to the length of its own path (15 characters for /usr/sbin/httpd), so a
    digest stands for the site's name; deploy-root finds the processes by the same title.
    """
    return f"({hashlib.sha256(name.encode()).hexdigest()[:6]}-{slot})"


def _render(template: str, **values: Any) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    library = Environment(
        loader=PackageLoader("deploy"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - configuration files, not HTML; the settings are validated
    )
    return library.get_template(template).render(**values)


def apache_site(project: Project) -> str:
    """The vhost of the site: two warm slots, chosen for each request by what is live."""
    return _render(
        "apache.conf.j2",
        p=project,
        web=project.web,
        site=Layout(project.root),
        slots=dict(zip(SLOTS, project.web.private_ports, strict=True)),
        titles={slot: process_title(project.name, slot) for slot in SLOTS},
        log=f"/var/log/apache2/{project.name}",
    )


def nginx_site(project: Project) -> str:
    """The vhost of a static host."""
    return _render("nginx.conf.j2", p=project, static=project.static, site=Layout(project.root))
