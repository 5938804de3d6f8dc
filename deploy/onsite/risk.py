"""What a migration does to the data, and to a release that does not know it: by its operations.

Four marks, none of them for what only adds:

    rewriting    goes through rows or holds a table for as long as that takes, or runs code of the
                 migration's own, which nobody can judge from outside
    narrowing    forbids what the release before may still write
    destructive  takes away, or renames, what the release before still reads
    irreversible, non-atomic   of the migration as a whole

Operations are told by the names of Django's classes and of those they are made from, so that those
of other packages count as what they extend. Tables and columns that the same plan has made before
hold no data, so nothing that is done to them is a risk.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

REWRITING, NARROWING, DESTRUCTIVE = "rewriting", "narrowing", "destructive"
TAKES_AWAY = re.compile(
    r"\b(?:TRUNCATE|DELETE\s+FROM|RENAME)\b"
    r"|\bDROP\s+(?!INDEX\b|CONSTRAINT\b|DEFAULT\b|NOT\b|TRIGGER\b|FUNCTION\b|PROCEDURE\b"
    r"|FOREIGN\b|CHECK\b|POLICY\b|STATISTICS\b)",
    re.IGNORECASE,
)
WIDER = {
    ("CharField", "TextField"),
    ("SlugField", "TextField"),
    ("SlugField", "CharField"),
    ("EmailField", "CharField"),
    ("URLField", "CharField"),
    ("SmallIntegerField", "IntegerField"),
    ("SmallIntegerField", "BigIntegerField"),
    ("IntegerField", "BigIntegerField"),
    ("AutoField", "BigAutoField"),
    ("SmallAutoField", "BigAutoField"),
}
"""Changes of type after which everything that could be written before still can."""


class Effect(NamedTuple):
    """What one operation does. `rename`: it fits neither the release before nor the one after."""

    says: str
    mark: str = ""
    table: str = ""
    column: str = ""
    rename: bool = False


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


Rule = Callable[[Any, str, Any, Any], Iterator[Effect]]


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
                fresh |= _tables(state) - _tables(before)
        fresh |= _made(operation, migration.app_label, state)
    return Risk(
        f"{migration.app_label}.{migration.name}",
        tuple(effects),
        empty or all(operation.reversible for operation in migration.operations),
        atomic and migration.atomic,
        getattr(migration, "destructive", None),
    )


def effects_of(operation: Any, app: str, before: Any, after: Any) -> Iterator[Effect]:
    """What an operation does, told from the states of the models before and after it."""
    for one in type(operation).__mro__:
        rule = RULES.get(one.__name__)
        if rule:
            yield from rule(operation, app, before, after)
            return
    yield Effect(f"runs {type(operation).__name__}, which is not judged", REWRITING)


def backwards(operation: Any, app: str, after: Any) -> tuple[str, str]:
    """What taking the operation back does to the data, and the table that then loses something.

    Both are empty for what no data depends on. `after` is what stands now.
    """
    kind = next((one.__name__ for one in type(operation).__mro__ if one.__name__ in UNDONE), "")
    if not kind or not operation.reversible or _does_nothing_backwards(operation):
        return "", ""
    if kind == "AddField" and not _in_database(after, app, operation.model_name):
        return "", ""
    if kind == "CreateModel":
        table = table_of(after, app, operation.name)
        return f"going back drops table {table}", table
    if kind == "AddField":
        place = _place(after, app, operation.model_name, operation.name, operation.field)
        return f"going back drops {place}", table_of(after, app, operation.model_name)
    if kind in ("RunPython", "RunSQL"):
        return "going back runs code of its own", ""
    return "going back brings what it took away, but empty", ""


def _does_nothing_backwards(operation: Any) -> bool:
    noop = getattr(operation, "noop", None)
    return noop is not None and noop in (
        getattr(operation, "reverse_code", None),
        getattr(operation, "reverse_sql", None),
    )


UNDONE = ("CreateModel", "AddField", "RunPython", "RunSQL", "DeleteModel", "RemoveField")


def table_of(state: Any, app: str, model: str) -> str:
    """The table of a model, as Django names it."""
    found = state.models.get((app, model.lower()))
    return str((found and found.options.get("db_table")) or f"{app}_{model.lower()}")


def _tables(state: Any) -> set[str]:
    return {table_of(state, app, model) for app, model in state.models}


def _made(operation: Any, app: str, state: Any) -> set[str]:
    names = {one.__name__ for one in type(operation).__mro__}
    if "CreateModel" in names:
        return {table_of(state, app, operation.name)}
    if "AddField" in names:
        table = table_of(state, app, operation.model_name)
        return {f"{table}.{_column(operation.name, operation.field)}"}
    return set()


def _in_database(state: Any, app: str, model: str) -> bool:
    """Whether the model has a table that Django looks after."""
    found = state.models.get((app, model.lower()))
    return not found or (found.options.get("managed", True) and not found.options.get("proxy"))


def _field(state: Any, app: str, model: str, name: str) -> Any:
    found = state.models.get((app, model.lower()))
    return found and found.fields.get(name)


def _column(name: str, field: Any) -> str:
    link = field is not None and field.remote_field and not field.many_to_many
    return str((field is not None and field.db_column) or (f"{name}_id" if link else name))


def _is_column(field: Any) -> bool:
    virtual = {"GenericForeignKey", "GenericRelation", "CompositePrimaryKey"}
    return type(field).__name__ not in virtual


def _place(state: Any, app: str, model: str, name: str, field: Any) -> str:
    table = table_of(state, app, model)
    if field is not None and field.many_to_many:
        return f"the table that links {table} by {name}"
    return f"column {table}.{_column(name, field)}"


def _nothing(_operation: Any, _app: str, _before: Any, _after: Any) -> Iterator[Effect]:
    return iter(())


def _create_model(operation: Any, app: str, _before: Any, after: Any) -> Iterator[Effect]:
    if _in_database(after, app, operation.name):
        yield Effect(f"adds table {table_of(after, app, operation.name)}")


def _delete_model(operation: Any, app: str, before: Any, _after: Any) -> Iterator[Effect]:
    if _in_database(before, app, operation.name):
        table = table_of(before, app, operation.name)
        yield Effect(f"drops table {table}", DESTRUCTIVE, table)


def _rename_model(operation: Any, app: str, before: Any, after: Any) -> Iterator[Effect]:
    if not _in_database(before, app, operation.old_name):
        return
    old, new = table_of(before, app, operation.old_name), table_of(after, app, operation.new_name)
    if old != new:
        yield Effect(f"renames table {old} to {new}", DESTRUCTIVE, old, rename=True)


def _alter_table(operation: Any, app: str, before: Any, after: Any) -> Iterator[Effect]:
    old, new = table_of(before, app, operation.name), table_of(after, app, operation.name)
    if old != new and _in_database(before, app, operation.name):
        yield Effect(f"renames table {old} to {new}", DESTRUCTIVE, old, rename=True)


def _add_field(operation: Any, app: str, _before: Any, after: Any) -> Iterator[Effect]:
    field, model = operation.field, operation.model_name
    if not _in_database(after, app, model) or not _is_column(field):
        return
    place, table = _place(after, app, model, operation.name, field), table_of(after, app, model)
    column = _column(operation.name, field)
    if field.null or field.many_to_many or _has_database_default(field):
        yield Effect(f"adds {place}", "", table, column)
    else:
        yield Effect(
            f"adds {place}, not null and without db_default: the release before cannot insert",
            NARROWING,
            table,
            column,
        )


def _has_database_default(field: Any) -> bool:
    from django.db.models.fields import NOT_PROVIDED

    made = getattr(field, "generated", False)
    return bool(made) or getattr(field, "db_default", NOT_PROVIDED) is not NOT_PROVIDED


def _remove_field(operation: Any, app: str, before: Any, _after: Any) -> Iterator[Effect]:
    field = _field(before, app, operation.model_name, operation.name)
    if _in_database(before, app, operation.model_name) and _is_column(field):
        place = _place(before, app, operation.model_name, operation.name, field)
        table = table_of(before, app, operation.model_name)
        yield Effect(f"drops {place}", DESTRUCTIVE, table, _column(operation.name, field))


def _rename_field(operation: Any, app: str, before: Any, after: Any) -> Iterator[Effect]:
    old = _field(before, app, operation.model_name, operation.old_name)
    new = _field(after, app, operation.model_name, operation.new_name)
    columns = _column(operation.old_name, old), _column(operation.new_name, new)
    if columns[0] != columns[1] and _in_database(before, app, operation.model_name):
        table = table_of(before, app, operation.model_name)
        says = f"renames column {table}.{columns[0]} to {columns[1]}"
        yield Effect(says, DESTRUCTIVE, table, columns[0], rename=True)


def _alter_field(operation: Any, app: str, before: Any, _after: Any) -> Iterator[Effect]:
    old, new = _field(before, app, operation.model_name, operation.name), operation.field
    if old is None or not _in_database(before, app, operation.model_name):
        return
    table, column = table_of(before, app, operation.model_name), _column(operation.name, old)
    place = _place(before, app, operation.model_name, operation.name, old)
    renamed = _column(operation.name, new)
    if column != renamed:
        says = f"renames {place} to {renamed}"
        yield Effect(says, DESTRUCTIVE, table, column, rename=True)
    narrower = [says for says, holds in _narrowings(old, new) if holds]
    for says in narrower:
        yield Effect(f"{place} {says}", NARROWING, table, column)
    if not narrower and column == renamed and _database_part(old) != _database_part(new):
        yield Effect(f"changes {place}", REWRITING, table, column)


def _narrowings(old: Any, new: Any) -> Iterator[tuple[str, bool]]:
    kinds = type(old).__name__, type(new).__name__
    yield f"becomes {kinds[1]}", kinds[0] != kinds[1] and kinds not in WIDER
    yield "can no longer be null", old.null and not new.null
    yield "has to be unique", bool(new.unique and not old.unique)
    yield "takes shorter texts", _less(old, new, "max_length")
    yield "takes fewer digits", _less(old, new, "max_digits") or _less(old, new, "decimal_places")


def _less(old: Any, new: Any, name: str) -> bool:
    was, now = getattr(old, name, None), getattr(new, name, None)
    unbound = was is None and type(old) is type(new)
    return now is not None and (unbound or (was is not None and now < was))


def _database_part(field: Any) -> object:
    """What of a field the database knows."""
    _, path, args, kwargs = field.deconstruct()
    unseen = {*getattr(field, "non_db_attrs", ()), "default", "upload_to", "storage"}
    return path, args, {key: value for key, value in kwargs.items() if key not in unseen}


def _add_index(operation: Any, app: str, before: Any, _after: Any) -> Iterator[Effect]:
    table = table_of(before, app, operation.model_name)
    yield Effect(f"builds an index on {table}, and writers wait", REWRITING, table)


def _add_index_aside(operation: Any, app: str, before: Any, _after: Any) -> Iterator[Effect]:
    yield Effect(f"builds an index on {table_of(before, app, operation.model_name)} aside")


def _add_constraint(operation: Any, app: str, before: Any, _after: Any) -> Iterator[Effect]:
    table = table_of(before, app, operation.model_name)
    yield Effect(f"adds a constraint to {table}", NARROWING, table)


def _alter_together(operation: Any, app: str, before: Any, _after: Any) -> Iterator[Effect]:
    table = table_of(before, app, operation.name)
    option = operation.option_name
    found = before.models.get((app, operation.name.lower()))
    old = {tuple(one) for one in (found.options.get(option) if found else None) or ()}
    if {tuple(one) for one in operation.option_value or ()} - old:
        mark = NARROWING if option == "unique_together" else REWRITING
        yield Effect(f"sets {option} of {table}", mark, table)


def _order(operation: Any, app: str, before: Any, _after: Any) -> Iterator[Effect]:
    table = table_of(before, app, operation.name)
    mark = NARROWING if operation.order_with_respect_to else DESTRUCTIVE
    verb = "adds" if operation.order_with_respect_to else "drops"
    yield Effect(f"{verb} column {table}._order", mark, table)


def _run_sql(operation: Any, _app: str, _before: Any, _after: Any) -> Iterator[Effect]:
    statements = operation.sql if isinstance(operation.sql, (list, tuple)) else [operation.sql]
    text = "\n".join(str(s[0] if isinstance(s, (list, tuple)) else s) for s in statements).strip()
    if text:
        taken = TAKES_AWAY.search(text)
        mark = DESTRUCTIVE if taken else REWRITING
        yield Effect(f"runs SQL of its own: {' '.join(text.split())[:100]}", mark)


def _run_python(operation: Any, _app: str, _before: Any, _after: Any) -> Iterator[Effect]:
    name = getattr(operation.code, "__name__", "code")
    if name != "noop":
        yield Effect(f"runs Python of its own: {name}", REWRITING)


def _separate(operation: Any, app: str, before: Any, _after: Any) -> Iterator[Effect]:
    state = before.clone()
    for inner in operation.database_operations:
        earlier = state.clone()
        inner.state_forwards(app, state)
        yield from effects_of(inner, app, earlier, state)


RULES: dict[str, Rule] = {
    "CreateModel": _create_model,
    "DeleteModel": _delete_model,
    "RenameModel": _rename_model,
    "AlterModelTable": _alter_table,
    "AddField": _add_field,
    "RemoveField": _remove_field,
    "RenameField": _rename_field,
    "AlterField": _alter_field,
    "AddIndex": _add_index,
    "AddIndexConcurrently": _add_index_aside,
    "RemoveIndex": _nothing,
    "RenameIndex": _nothing,
    "AddConstraint": _add_constraint,
    "RemoveConstraint": _nothing,
    "AlterConstraint": _nothing,
    "ValidateConstraint": _nothing,
    "AlterUniqueTogether": _alter_together,
    "AlterIndexTogether": _alter_together,
    "AlterOrderWithRespectTo": _order,
    "AlterModelOptions": _nothing,
    "AlterModelManagers": _nothing,
    "AlterModelTableComment": _nothing,
    "SeparateDatabaseAndState": _separate,
    "RunSQL": _run_sql,
    "RunPython": _run_python,
    "CreateExtension": _nothing,
    "CreateCollation": _nothing,
}
