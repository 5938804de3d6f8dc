"""What becomes of a column whose field is altered: what it loses, and what it takes no more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

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
VARCHAR = ("CharField", "SlugField", "FileField", "FilePathField")
INTEGERS = ("IntegerField", "BigIntegerField", "SmallIntegerField")
ROUNDED = {
    "DateTimeField": ("DateField", "TimeField"),
    "DecimalField": (*INTEGERS, "FloatField"),
    "FloatField": (*INTEGERS, "DecimalField"),
    **dict.fromkeys(INTEGERS, ("BooleanField",)),
}
"""What a column of a kind is cast to without a word where values do not fit."""


def loss(old: Any, new: Any) -> str:
    """What is cut off or rounded without an error; nothing where the database would refuse it.

    Django has PostgreSQL cast a column that changes its type, and a cast to varchar(n) cuts.
    """
    was, now = old.get_internal_type(), new.get_internal_type()
    if now in VARCHAR and was not in VARCHAR and now != was:
        return f"becomes {type(new).__name__}, and longer values are cut"
    if now in ROUNDED.get(was, ()):
        return f"becomes {type(new).__name__}, and values are rounded or cut"
    if was == now == "DecimalField" and _less(old, new, "decimal_places"):
        return "takes fewer digits, and values are rounded"
    return ""


def narrowings(old: Any, new: Any) -> Iterator[tuple[str, bool]]:
    """What can no longer be written, though it could before: what to say, and whether it holds."""
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


def database_part(field: Any) -> object:
    """What of a field the database knows."""
    _, path, args, kwargs = field.deconstruct()
    unseen = {*getattr(field, "non_db_attrs", ()), "default", "upload_to", "storage"}
    return path, args, {key: value for key, value in kwargs.items() if key not in unseen}
