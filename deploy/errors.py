"""What can go wrong, each kind with the exit code that scripts may rely on.

Every message is for the person at 3 a.m.: what failed, on which host, in which step, what is
live now. `hint` is the next thing to type.
"""

from collections.abc import Mapping


class DeployError(Exception):
    """Anything that ends a task early; printed without a traceback. Exit code 1 means a defect.

    `more` is what scripts read beside it, as in the `Outcome` of a task that went well.
    """

    exit_code = 1

    def __init__(
        self, what: str, hint: str = "", *, more: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint
        self.more = more or {}


class Refused(DeployError):
    """Not started: wrong input or a host that is not fit. Nothing was changed anywhere."""

    exit_code = 2


class PrepareFailed(DeployError):
    """A step failed before anything was switched: every host serves what it served before."""

    exit_code = 3


class Locked(DeployError):
    """Somebody else is deploying, or left a lock behind. Nothing was changed.

    `alive`: whoever has the lock is at work, so that waiting may help.
    """

    exit_code = 4

    def __init__(self, what: str, hint: str = "", *, alive: bool = False) -> None:
        super().__init__(what, hint)
        self.alive = alive


class RolledBack(DeployError):
    """The switch or its verification failed; every host was put back and serves the old release."""

    exit_code = 5


class MigrationFailed(DeployError):
    """`migrate` or `db.restore` failed: nothing was switched, but the database may have changed."""

    exit_code = 6


class Inconsistent(DeployError):
    """What the hosts serve is not known, or not the same on all of them."""

    exit_code = 7


class Unfinished(DeployError):
    """The release is live and stays, but a migration that was to follow the switch failed."""

    exit_code = 8


class CommandFailed(DeployError):
    """What the operator had run on hosts failed there; the exit code is its own, or 1."""

    def __init__(self, what: str, hint: str = "", *, exit_code: int = 1) -> None:
        super().__init__(what, hint)
        self.exit_code = exit_code


class Interrupted(DeployError):
    """The operator stopped the run; what had been switched was put back."""

    exit_code = 130
