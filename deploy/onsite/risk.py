"""What a migration does to the data, and to a release that does not know it: by its operations.

Four marks, none of them for what only adds:

    rewriting    goes through rows or holds a table for as long as that takes, or runs code of the
                 migration's own, which nobody can judge from outside
    narrowing    forbids what the release before may still write
    destructive  takes away, or renames, what the release before still reads
    irreversible, non-atomic   of the migration as a whole

Tables and columns that the same plan has made before hold no data, so nothing that is done to them
is a risk.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from effects import DESTRUCTIVE, NARROWING, REWRITING, Effect, effects_of
from tables import column_of, field_of, in_database, place_of, table_of, tables_of

UNDONE = (
    "CreateModel",
    "AddField",
    "AlterField",
    "RunPython",
    "RunSQL",
    "DeleteModel",
    "RemoveField",
)
"""Operations that data depends on when they are taken back."""


class Risk(NamedTuple):
    """What one migration does. `stated` is what it says of itself in `destructive`, if it does."""

    name: str
    effects: tuple[Effect, ...]
    reversible: bool = True
    atomic: bool = True
    stated: bool | None = None

    @property
    def destructive(self) -> bool:
        """Whether the release before cannot be expected to work once this has run."""
        if self.stated is not None:
            return self.stated
        return any(effect.mark == DESTRUCTIVE for effect in self.effects)

    @property
    def only_takes_away(self) -> bool:
        """Whether the new release can do without it for a while, so that it may run later."""
        if self.stated:
            return True
        return all(effect.mark == DESTRUCTIVE and not effect.rename for effect in self.effects)

    @property
    def marks(self) -> tuple[str, ...]:
        """The marks for people, `additive` if there is none of them."""
        found = {effect.mark for effect in self.effects} - {DESTRUCTIVE}
        kinds = [mark for mark in (REWRITING, NARROWING) if mark in found]
        kinds += [DESTRUCTIVE] if self.destructive else []
        kinds = kinds or ["additive"]
        kinds += [] if self.reversible else ["irreversible"]
        return tuple(kinds + ([] if self.atomic else ["non-atomic"]))

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables whose rows are worth counting, since something happens to them."""
        return tuple(dict.fromkeys(e.table for e in self.effects if e.mark and e.table))


def judge(migration: Any, state: Any, fresh: set[str], *, atomic: bool, empty: bool) -> Risk:
    """The risk of a migration; `state` is what stands before it, and afterwards what it leaves.

    `fresh` has the tables (`table`) and columns (`table.column`) that hold no data yet, and is
    added to. `atomic`: the database takes back what a failed migration did. `empty`: nothing was
    ever migrated, so that there is no data at all.
    """
    effects = []
    for operation in migration.operations:
        before = state.clone()
        operation.state_forwards(migration.app_label, state)
        for effect in effects_of(operation, migration.app_label, before, state):
            known = effect.table in fresh or f"{effect.table}.{effect.column}" in fresh
            effects.append(effect._replace(mark="", rename=False) if known or empty else effect)
            if known and effect.rename and effect.column == "":
                fresh |= tables_of(state) - tables_of(before)
        fresh |= _made(operation, migration.app_label, state)
    return Risk(
        f"{migration.app_label}.{migration.name}",
        tuple(effects),
        empty or all(operation.reversible for operation in migration.operations),
        atomic and migration.atomic,
        getattr(migration, "destructive", None),
    )


def backwards(operation: Any, app: str, before: Any, after: Any) -> tuple[str, str]:
    """What taking the operation back does to the data, and the table that then loses something.

    Both are empty for what no data depends on. `before` stands once it is taken back, `after` now.
    """
    kind = next((one.__name__ for one in type(operation).__mro__ if one.__name__ in UNDONE), "")
    if not kind or not operation.reversible or _does_nothing_backwards(operation):
        return "", ""
    if kind == "AddField" and not in_database(after, app, operation.model_name):
        return "", ""
    if kind == "CreateModel":
        table = table_of(after, app, operation.name)
        return f"going back drops table {table}", table
    if kind == "AddField":
        place = place_of(after, app, operation.model_name, operation.name, operation.field)
        return f"going back drops {place}", table_of(after, app, operation.model_name)
    if kind == "AlterField":
        return _altered_back(operation, app, before, after)
    if kind in ("RunPython", "RunSQL"):
        return "going back runs code of its own", ""
    return "going back brings what it took away, but empty", ""


def _altered_back(operation: Any, app: str, before: Any, after: Any) -> tuple[str, str]:
    """What the field loses, or refuses, as it was before."""
    field = field_of(before, app, operation.model_name, operation.name)
    if field is None:
        return "", ""
    back = type(operation)(operation.model_name, operation.name, field)
    effects = effects_of(back, app, after, before)
    harm = [one for one in effects if one.mark in (NARROWING, DESTRUCTIVE)]
    says = ", ".join(effect.says for effect in harm)
    return (f"going back: {says}", harm[0].table) if harm else ("", "")


def _does_nothing_backwards(operation: Any) -> bool:
    noop = getattr(operation, "noop", None)
    return noop is not None and noop in (
        getattr(operation, "reverse_code", None),
        getattr(operation, "reverse_sql", None),
    )


def _made(operation: Any, app: str, state: Any) -> set[str]:
    names = {one.__name__ for one in type(operation).__mro__}
    if "CreateModel" in names:
        managed = in_database(state, app, operation.name)
        return {table_of(state, app, operation.name)} if managed else set()
    if "AddField" in names:
        table = table_of(state, app, operation.model_name)
        return {f"{table}.{column_of(operation.name, operation.field)}"}
    return set()
