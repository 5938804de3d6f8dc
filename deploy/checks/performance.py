"""Performance: database connections that stay open, compiled templates that are kept."""

from deploy.checks import WARNING, Seen, check


@check(
    "conn-max-age",
    WARNING,
    why="Each request opens a connection of its own, which often takes longer than the page.",
    write="CONN_MAX_AGE = 60 and CONN_HEALTH_CHECKS = True in DATABASES, or a pool in OPTIONS",
)
def conn_max_age(host: Seen) -> str:
    """Connections to a database server are used for more than one request."""
    short = [
        one["alias"]
        for one in host["databases"]
        if one["vendor"] != "sqlite" and one["conn_max_age"] == 0 and not one["pool"]
    ]
    return f"CONN_MAX_AGE of DATABASES[{short[0]!r}] is 0" if short else ""


@check(
    "cached-templates",
    WARNING,
    why="Each page reads and compiles its templates anew.",
    write='no "loaders" in TEMPLATES, or django.template.loaders.cached.Loader around them',
)
def cached_templates(host: Seen) -> str:
    """Compiled templates are kept in memory."""
    slow = [one["engine"] for one in host["loaders"] if not one["cached"]]
    return f"the template engine {slow[0]} has no cached loader" if slow else ""
