"""The files that are written from a template in deploy/templates."""

from typing import Any


def render(template: str, **values: Any) -> str:
    """The text of a template with these values; every one that it names has to be there."""
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
