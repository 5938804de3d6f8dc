"""What one release knows of the schema, and what the database has of it."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from database import first_line
from envfile import NotReady
from risk import Risk, judge

RECORD = ".migrations"
"""In a release, the migrations that it knows, packages' included: each with those it replaces."""
MANY = 100_000
"""From how many rows on the database's own estimate does, as counting them would take long."""


def name_of(migration: Any) -> str:
    """The name by which people and records call a migration."""
    return f"{migration.app_label}.{migration.name}"


def executor_of(database: Any) -> Any:
    """Django's executor for what the release and the database have. NotReady in one sentence."""
    from django.db.migrations.executor import MigrationExecutor

    try:
        executor = MigrationExecutor(database)
        executor.loader.check_consistent_history(database)
        conflicts = executor.loader.detect_conflicts()
    except Exception as error:
        raise NotReady(f"the migrations cannot be planned: {first_line(error)}") from None
    if conflicts:
        named = "; ".join(f"{app}: {', '.join(names)}" for app, names in conflicts.items())
        raise NotReady(f"migrations conflict, `makemigrations --merge` joins them: {named}")
    return executor


def pending(executor: Any) -> list[Any]:
    """The migrations that the database lacks, in the order in which they will run."""
    try:
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except Exception as error:
        raise NotReady(f"the migrations cannot be planned: {first_line(error)}") from None
    return [migration for migration, _ in plan]


def risks(executor: Any, migrations: list[Any]) -> list[Risk]:
    """What each of these pending migrations does, in their order."""
    graph, applied = executor.loader.graph, executor.loader.applied_migrations
    # The database may also have migrations that only another release knows.
    state = executor.loader.project_state([node for node in applied if node in graph.nodes])
    fresh: set[str] = set()
    # A legacy database has tables, though nothing was ever migrated there.
    empty = not applied and not executor.connection.introspection.table_names()
    atomic = bool(executor.connection.features.can_rollback_ddl)
    return [judge(one, state, fresh, atomic=atomic, empty=empty) for one in migrations]


def sql_of(executor: Any, migration: Any) -> list[str]:
    """What would be sent to the database, as far as that can be told before it is."""
    node = (migration.app_label, migration.name)
    state = executor.loader.project_state(node, at_end=False)
    try:
        with executor.connection.schema_editor(collect_sql=True, atomic=migration.atomic) as editor:
            migration.apply(state, editor, collect_sql=True)
    except Exception as error:
        return [f"-- cannot be told before it runs: {first_line(error)}"]
    lines = [line for text in editor.collected_sql for line in str(text).splitlines()]
    return [line for line in lines if line.strip() not in ("", "--")]


def rows(database: Any, table: str) -> int | None:
    """How many rows a table has, roughly if it is large; None if it is not there."""
    with database.cursor() as cursor:
        if table not in database.introspection.table_names(cursor):
            return None
        estimate = _estimate(database.vendor, cursor, table)
        if estimate is not None and estimate > MANY:
            return estimate
        quoted = database.ops.quote_name(table)
        cursor.execute(f"SELECT COUNT(*) FROM {quoted}")  # noqa: S608 - Django's own quoting
        return int(cursor.fetchone()[0])


def _estimate(vendor: str, cursor: Any, table: str) -> int | None:
    if vendor == "postgresql":
        cursor.execute("SELECT reltuples FROM pg_class WHERE oid = to_regclass(%s)", [table])
    elif vendor == "mysql":
        cursor.execute(
            "SELECT table_rows FROM information_schema.tables"
            " WHERE table_schema = DATABASE() AND table_name = %s",
            [table],
        )
    else:
        return None
    found = cursor.fetchone()
    return int(found[0]) if found and found[0] is not None else None


def record(executor: Any, release: Path) -> None:
    """Write down in the release which migrations it knows."""
    known = {
        f"{app}.{name}": [f"{label}.{other}" for label, other in migration.replaces]
        for (app, name), migration in sorted(executor.loader.disk_migrations.items())
    }
    new = release / f"{RECORD}.new"
    new.write_text(json.dumps(known), encoding="utf-8")
    new.replace(release / RECORD)


def records(root: Path) -> dict[str, dict[str, list[str]]]:
    """What each release on this host knows, as far as that was written down."""
    known = {}
    for release in sorted((root / "releases").glob("[0-9]*")):
        with suppress(OSError, ValueError):
            known[release.name] = json.loads((release / RECORD).read_text(encoding="utf-8"))
    return known
