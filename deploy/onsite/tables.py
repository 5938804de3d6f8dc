"""Where the database keeps what a state of the models describes: its tables and columns."""

from __future__ import annotations

from typing import Any


def table_of(state: Any, app: str, model: str) -> str:
    """The table of a model, as Django names it."""
    found = state.models.get((app, model.lower()))
    return str((found and found.options.get("db_table")) or f"{app}_{model.lower()}")


def tables_of(state: Any) -> set[str]:
    """The tables of all models."""
    return {table_of(state, app, model) for app, model in state.models}


def in_database(state: Any, app: str, model: str) -> bool:
    """Whether the model has a table that Django looks after."""
    found = state.models.get((app, model.lower()))
    return not found or (found.options.get("managed", True) and not found.options.get("proxy"))


def field_of(state: Any, app: str, model: str, name: str) -> Any:
    """A field of a model, or None."""
    found = state.models.get((app, model.lower()))
    return found and found.fields.get(name)


def column_of(name: str, field: Any) -> str:
    """The column of a field, as Django names it."""
    link = field is not None and field.remote_field and not field.many_to_many
    return str((field is not None and field.db_column) or (f"{name}_id" if link else name))


def is_column(field: Any) -> bool:
    """Whether the database knows the field at all."""
    virtual = {"GenericForeignKey", "GenericRelation", "CompositePrimaryKey"}
    return type(field).__name__ not in virtual


def place_of(state: Any, app: str, model: str, name: str, field: Any) -> str:
    """A field's place in the database, for people."""
    table = table_of(state, app, model)
    if field is not None and field.many_to_many:
        return f"the table that links {table} by {name}"
    return f"column {table}.{column_of(name, field)}"
