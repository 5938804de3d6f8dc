"""When silence means something."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Times:
    """All in seconds. Tests have shorter ones."""

    beat: float = 5.0
    """Between two questions whether the host is there."""
    dead: float = 15.0
    """Without an answer, the host or the network hangs."""
    gone: float = 60.0
    """Without a question, the host takes us for gone, and ends our work there."""
    grace: float = 5.0
    """From TERM to KILL."""
