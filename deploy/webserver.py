"""The web servers' configuration files, rendered from the site's settings."""

from typing import Any

from deploy.project import Project
from deploy.release import Layout


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
        slots=dict(zip(("blue", "green"), project.web.private_ports, strict=True)),
        log=f"/var/log/apache2/{project.name}",
    )


def nginx_site(project: Project) -> str:
    """The vhost of a static host."""
    return _render("nginx.conf.j2", p=project, static=project.static, site=Layout(project.root))
