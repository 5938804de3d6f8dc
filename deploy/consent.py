"""Asking before a stage that says so is changed."""

import sys
from collections.abc import Sequence

from deploy.asked import Asked
from deploy.errors import Refused
from deploy.stage import Stage


def must_consent(stage: Stage, asked: Asked, heading: Sequence[str]) -> None:
    """Return if the operator agrees; Refused if not, or if there is nobody to ask.

    The name of the stage has to be typed: a habit of answering yes must not release anything.
    """
    if not stage.confirm or asked.yes or asked.agreed:
        return
    if not sys.stdin.isatty():
        raise Refused(
            f"stage {stage.name} wants to be confirmed, and there is no terminal to ask on",
            hint="the same command with --yes",
        )
    sys.stderr.write("\n".join(heading) + f"\nType {stage.name} to go on: ")
    sys.stderr.flush()
    if sys.stdin.readline().strip() != stage.name:
        raise Refused("not confirmed: nothing was changed")
