"""What a task that went well has to tell."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Outcome:
    """The release that the task was about, if any, and whatever else scripts may want to read."""

    release: str | None = None
    more: Mapping[str, object] = field(default_factory=dict)
