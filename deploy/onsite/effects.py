"""What each of Django's operations does to the database, told from the models before and after it.

Operations are told by the names of Django's classes and of those they are made from, so that those
of other packages count as what they extend.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from altered import database_part, loss, narrowings
from tables import column_of, field_of, in_database, is_column, place_of, table_of

REWRITING, NARROWING, DESTRUCTIVE = "rewriting", "narrowing", "destructive"
TAKES_AWAY = re.compile(
    r"\b(?:TRUNCATE|DELETE\s+FROM|RENAME)\b"
    r"|\bDROP\s+(?!INDEX\b|CONSTRAINT\b|DEFAULT\b|NOT\b|TRIGGER\b|FUNCTION\b|PROCEDURE\b"
    r"|FOREIGN\b|CHECK\b|POLICY\b|STATISTICS\b)"
    # MySQL's CHANGE renames, unless it says the same name again. It may also be a word of a text.
    r"|\bALTER\s+TABLE\b[^;]*?\bCHANGE\s+(?:COLUMN\s+)?(?:IF\s+EXISTS\s+)?"
    r"(?!COLUMN\b|IF\b)(?P<quote>[`\"]?)(?P<old>[^\s`\"]+)(?P=quote)\s+(?!\s|[`\"]?(?P=old)[`\"\s])",
    re.IGNORECASE,
)


class Effect(NamedTuple):
    """What one operation does. `rename`: it fits neither the release before nor the one after."""

    says: str
    mark: str = ""
    table: str = ""
    column: str = ""
    rename: bool = False


Rule = Callable[[Any, str, Any, Any], Iterator[Effect]]


def effects_of(operation: Any, app: str, before: Any, after: Any) -> Iterator[Effect]:
    """What an operation does, told from the states of the models before and after it."""
    for one in type(operation).__mro__:
        rule = RULES.get(one.__name__)
        if rule:
            yield from rule(operation, app, before, after)
            return
    yield Effect(f"runs {type(operation).__name__}, which is not judged", REWRITING)


def _nothing(_operation: Any, _app: str, _before: Any, _after: Any) -> Iterator[Effect]:
    return iter(())


def _create_model(operation: Any, app: str, _before: Any, after: Any) -> Iterator[Effect]:
    if in_database(after, app, operation.name):
        yield Effect(f"adds table {table_of(after, app, operation.name)}")


def _delete_model(operation: Any, app: str, before: Any, _after: Any) -> Iterator[Effect]:
    if in_database(before, app, operation.name):
        table = table_of(before, app, operation.name)
        yield Effect(f"drops table {table}", DESTRUCTIVE, table)


def _rename_model(operation: Any, app: str, before: Any, after: Any) -> Iterator[Effect]:
    if not in_database(before, app, operation.old_name):
        return
    old, new = table_of(before, app, operation.old_name), table_of(after, app, operation.new_name)
    if old != new:
        yield Effect(f"renames table {old} to {new}", DESTRUCTIVE, old, rename=True)


def _alter_table(operation: Any, app: str, before: Any, after: Any) -> Iterator[Effect]:
    old, new = table_of(before, app, operation.name), table_of(after, app, operation.name)
    if old != new and in_database(before, app, operation.name):
        yield Effect(f"renames table {old} to {new}", DESTRUCTIVE, old, rename=True)


def _add_field(operation: Any, app: str, _before: Any, after: Any) -> Iterator[Effect]:
    field, model = operation.field, operation.model_name
    if not in_database(after, app, model) or not is_column(field):
        return
    place, table = place_of(after, app, model, operation.name, field), table_of(after, app, model)
    column = column_of(operation.name, field)
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
    field = field_of(before, app, operation.model_name, operation.name)
    if in_database(before, app, operation.model_name) and is_column(field):
        place = place_of(before, app, operation.model_name, operation.name, field)
        table = table_of(before, app, operation.model_name)
        yield Effect(f"drops {place}", DESTRUCTIVE, table, column_of(operation.name, field))


def _rename_field(operation: Any, app: str, before: Any, after: Any) -> Iterator[Effect]:
    old = field_of(before, app, operation.model_name, operation.old_name)
    new = field_of(after, app, operation.model_name, operation.new_name)
    columns = column_of(operation.old_name, old), column_of(operation.new_name, new)
    if columns[0] != columns[1] and in_database(before, app, operation.model_name):
        table = table_of(before, app, operation.model_name)
        says = f"renames column {table}.{columns[0]} to {columns[1]}"
        yield Effect(says, DESTRUCTIVE, table, columns[0], rename=True)


def _alter_field(operation: Any, app: str, before: Any, _after: Any) -> Iterator[Effect]:
    old, new = field_of(before, app, operation.model_name, operation.name), operation.field
    if old is None or not in_database(before, app, operation.model_name):
        return
    table, column = table_of(before, app, operation.model_name), column_of(operation.name, old)
    place = place_of(before, app, operation.model_name, operation.name, old)
    renamed = column_of(operation.name, new)
    if column != renamed:
        says = f"renames {place} to {renamed}"
        yield Effect(says, DESTRUCTIVE, table, column, rename=True)
    if lost := loss(old, new):
        yield Effect(f"{place} {lost}", DESTRUCTIVE, table, column, rename=True)
        return
    narrower = [says for says, holds in narrowings(old, new) if holds]
    for says in narrower:
        yield Effect(f"{place} {says}", NARROWING, table, column)
    if not narrower and column == renamed and database_part(old) != database_part(new):
        yield Effect(f"changes {place}", REWRITING, table, column)


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
