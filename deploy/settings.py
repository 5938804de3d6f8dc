"""How a settings class names its keys: a default, a type, one sentence and rules for each."""

from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, get_type_hints

from deploy.rules import Rule


def key(sentence: str, default: Any, *rules: Rule) -> Any:
    """A key of a settings class: `sentence` is what the reference says about it."""
    return field(default=default, metadata={"sentence": sentence, "rules": rules})


@dataclass(frozen=True)
class Key:
    """One key as it may be written: `name` has its tables in front, such as `web.threads`."""

    name: str
    type: Any
    default: Any
    sentence: str
    rules: tuple[Rule, ...]


def keys(settings: type, table: str = "") -> dict[str, Key]:
    """Every key of a settings class and of the tables in it, by its dotted name, in order."""
    found: dict[str, Key] = {}
    hints = get_type_hints(settings)
    for one in fields(settings):
        name = f"{table}{one.name}"
        if is_dataclass(hints[one.name]):
            found |= keys(hints[one.name], f"{name}.")
        elif "sentence" in one.metadata:
            about = one.metadata
            rules = about.get("rules", ())
            found[name] = Key(name, hints[one.name], one.default, about["sentence"], rules)
    return found
