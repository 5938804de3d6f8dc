"""How a settings class names its keys: a default, a type and one sentence for each."""

from dataclasses import field
from typing import Any


def key(sentence: str, default: Any) -> Any:
    """A key of a settings class: `sentence` is what the reference says about it."""
    return field(default=default, metadata={"sentence": sentence})
