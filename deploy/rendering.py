"""The files that are written from a template in deploy/templates."""

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment


def render(template: str, **values: Any) -> str:
    """The text of a template with these values; every one that it names has to be there."""
    return _library().get_template(template).render(**values)


@cache
def _library() -> "Environment":
    """Kept, since it keeps what it compiled: a plan renders the same template for every host."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("deploy"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - configuration files, not HTML; the settings are validated
    )
