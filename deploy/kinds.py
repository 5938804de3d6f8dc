"""The types a setting can have, each read from TOML and from text."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Kind:
    """One type: `wanted` in words, and how TOML's values and plain text become it.

    Both functions raise ValueError for what is not of the kind.
    """

    wanted: str
    of_toml: Callable[[object], object]
    of_text: Callable[[str], object]


def kind(annotation: Any) -> Kind:
    """The kind of a key's type, as the settings class names it."""
    return {
        str: Kind("text in quotes", _is(str), str),
        bool: Kind("true or false", _is(bool), _truth),
        int: Kind("a whole number", _whole, int),
        float: Kind("a number", _number, float),
        tuple[str, ...]: Kind("a list of texts", _list(_is(str)), _split(str)),
        tuple[int, ...]: Kind("a list of whole numbers", _list(_whole), _split(int)),
        tuple[tuple[str, str], ...]: VARIABLES,
    }[annotation]


def _is(wanted: type) -> Callable[[object], object]:
    def same(value: object) -> object:
        if not isinstance(value, wanted):
            raise ValueError(value)
        return value

    return same


def _whole(value: object) -> object:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(value)
    return value


def _number(value: object) -> object:
    return value if isinstance(value, float) else float(str(_whole(value)))


def _list(member: Callable[[object], object]) -> Callable[[object], object]:
    def members(value: object) -> object:
        if not isinstance(value, list | tuple):
            raise ValueError(value)
        return tuple(member(one) for one in value)

    return members


def _pairs(value: object) -> object:
    if not isinstance(value, dict):
        raise ValueError(value)
    text = _is(str)
    return tuple((text(name), text(one)) for name, one in value.items())


def _truth(text: str) -> bool:
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if text.lower() not in words:
        raise ValueError(text)
    return words[text.lower()]


def _split(member: Callable[[str], object]) -> Callable[[str], object]:
    return lambda text: tuple(member(part.strip()) for part in text.split(",") if part.strip())


def _pairs_of_text(text: str) -> object:
    parts = [part.partition("=") for part in text.split(",") if part]
    if not all(equals for _, equals, _ in parts):
        raise ValueError(text)
    return tuple((name.strip(), value) for name, _, value in parts)


VARIABLES = Kind("a table of texts", _pairs, _pairs_of_text)
"""Environment variables and their values, which may be secret."""
