"""How far migrations came, operation by operation: what stands when one fails half-way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Watch:
    """Counts the operations of these migrations that were carried out, either way."""

    def __init__(self, migrations: list[Any]) -> None:
        self._begun: dict[int, None] = {}
        self._done: dict[int, None] = {}
        for migration in migrations:
            for operation in migration.operations:
                # Django shares operations between its loaders, so these are those that will run.
                for name in ("database_forwards", "database_backwards"):
                    setattr(operation, name, self._watched(operation, getattr(operation, name)))

    def _watched(self, operation: Any, plain: Callable[..., None]) -> Callable[..., None]:
        def watched(*arguments: Any, **options: Any) -> None:
            self._begun[id(operation)] = None
            plain(*arguments, **options)
            self._done[id(operation)] = None

        return watched

    def standing(self, migration: Any, verb: str = "stands") -> list[str]:
        """What of a migration that failed, and is not one transaction, stands now; line by line."""
        done = [one for one in migration.operations if id(one) in self._done]
        failed = [one for one in migration.operations if id(one) in self._begun.keys() - self._done]
        name, count = f"{migration.app_label}.{migration.name}", len(migration.operations)
        lines = [f"{name} is not one transaction, and {len(done)} of its {count} operations stand:"]
        lines += [f"  {verb}: {operation.describe()}" for operation in done]
        lines += [f"  failed, part of it may stand: {one.describe()}" for one in failed]
        if not failed:
            lines.append("  what follows the operations failed: indexes and foreign keys may lack")
        lines.append(
            "  take what stands back by hand, or out of the migration, before it runs again"
        )
        return lines
