"""Turns what is written down - TOML tables, environment, --set - into settings."""

import json
import os
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from deploy.errors import Refused
from deploy.kinds import VARIABLES, kind
from deploy.nearest import did_you_mean
from deploy.rules import printable
from deploy.settings import Key

Values = dict[str, Any]
"""Settings that somebody wrote, by dotted key; later ones replace earlier ones whole."""

Settings = TypeVar("Settings")


@dataclass(frozen=True)
class Place:
    """Where something is written: a file, an option or a variable, and the key in it."""

    source: str
    path: tuple[str, ...] = ()

    def at(self, *names: str) -> "Place":
        """A key or table inside this place."""
        return Place(self.source, (*self.path, *names))

    def refused(self, what: str, hint: str = "") -> Refused:
        """The error for what is written here."""
        where = f"{self.source}: {'.'.join(self.path)}" if self.path else self.source
        return Refused(f"{where}: {what}", hint)


def parsed(path: Path, shown: str) -> Values:
    """The tables of a TOML file, which messages call `shown`; Refused if it cannot be read."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise Refused(f"{shown} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Refused(f"{shown} is not valid TOML: {error}") from error


def table(value: object, place: Place) -> Values:
    """`value`, which has to be a table; Refused if it is something else."""
    if not isinstance(value, dict):
        raise place.refused(f"wants a table, not {_shown(value)}")
    return value


def read(known: Mapping[str, Key], written: Mapping[str, object], place: Place) -> Values:
    """The settings in a table and the tables in it, checked; Refused at the first wrong one."""
    values: Values = {}
    for name, value in written.items():
        here = place.at(name)
        inner = {
            key[len(name) + 1 :]: of for key, of in known.items() if key.startswith(f"{name}.")
        }
        if name in known:
            values[name] = _checked(known[name], kind(known[name].type).of_toml, value, here)
        elif inner:
            found = read(inner, table(value, here), here)
            values |= {f"{name}.{key}": one for key, one in found.items()}
        else:
            near = did_you_mean(name, {key.partition(".")[0] for key in known})
            raise here.refused(f"unknown key{near}")
    return values


def read_sets(known: Mapping[str, Key], sets: Iterable[tuple[str, str]]) -> Values:
    """The settings given as text by --set; Refused if there is no such key or it does not fit."""
    values: Values = {}
    for name, text in sets:
        if name not in known:
            raise Refused(f"--set {name}: unknown key{did_you_mean(name, known)}")
        place = Place(f"--set {name}")
        values[name] = _checked(known[name], kind(known[name].type).of_text, text, place)
    return values


def read_environ(known: Mapping[str, Key], environ: Mapping[str, str]) -> Values:
    """The settings given by DEPLOY_* variables, such as DEPLOY_WEB_THREADS.

    A variable that is nearly a key is refused, for it is a typing mistake; any other that only
    shares the prefix belongs to somebody else and is left alone.
    """
    variables = {f"DEPLOY_{name.upper().replace('.', '_')}": key for name, key in known.items()}
    values: Values = {}
    for name in sorted(environ):
        if name in variables:
            key = variables[name]
            values[key.name] = _checked(key, kind(key.type).of_text, environ[name], Place(name))
        elif name.startswith("DEPLOY_") and (near := _nearly(name, variables)):
            raise Refused(f"{name}: no setting has this variable{near}")
    return values


def build(settings: type[Settings], values: Values) -> Settings:
    """The settings class with these values, and its defaults for the others."""
    hints = get_type_hints(settings)
    given: Values = {}
    for one in fields(settings):  # type: ignore[arg-type]  # a settings class is a dataclass
        prefix = f"{one.name}."
        if is_dataclass(hints[one.name]):
            inner = {key[len(prefix) :]: of for key, of in values.items() if key.startswith(prefix)}
            given[one.name] = build(hints[one.name], inner)
        elif one.name in values:
            given[one.name] = values[one.name]
    return settings(**given)


def _checked(key: Key, convert: Callable[[Any], object], value: object, place: Place) -> object:
    try:
        converted = convert(value)
    except ValueError:
        raise place.refused(f"wants {kind(key.type).wanted}, not {_written(key, value)}") from None
    for rule in (printable, *key.rules):
        if wanted := rule(converted):
            raise place.refused(f"{_written(key, value)} will not do: it wants {wanted}")
    return converted


def _written(key: Key, value: object) -> str:
    """What was written, as a message shows it. Variables may be secret: of those, names alone."""
    if kind(key.type) is not VARIABLES:
        return _shown(value)
    if not isinstance(value, dict):
        return "what is written"
    wrong = [name for name, one in value.items() if not isinstance(one, str)]
    return f"what is written for {', '.join(map(_shown, wrong or value))}"


def _nearly(name: str, variables: Iterable[str]) -> str:
    from difflib import SequenceMatcher

    ends = {one.removeprefix("DEPLOY_"): one for one in variables}
    end = name.removeprefix("DEPLOY_")
    near = [ends[one] for one in ends if SequenceMatcher(None, end, one).ratio() >= 0.85]
    return f"; did you mean {near[0]}?" if near else ""


def _shown(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def shown_path(path: Path, top: Path) -> str:
    """A path as messages show it: from the top of the project where that is shorter."""
    away = os.path.relpath(path, top)
    return str(path) if away.startswith("../..") else away
