"""What makes a function one of our tasks: called once for the fleet, whatever its hosts."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fabric import Task
from invoke.context import Context

from deploy.asked import Asked
from deploy.errors import Refused
from deploy.host import Host
from deploy.outcome import Outcome
from deploy.stage import Stage

Body = Callable[..., Outcome | None]


class FleetContext(Context):
    """What a task of ours gets as its first argument."""

    def __init__(self, settings: Any, asked: Asked) -> None:
        super().__init__(config=settings)
        # Invoke takes plain attributes for its own settings.
        self._set(_asked=asked)

    @property
    def asked(self) -> Asked:
        """What was asked for on the command line."""
        asked: Asked = self._asked
        return asked

    @property
    def stage(self) -> Stage:
        """The stage that was asked for; Refused if there is none or it is wrong."""
        return self.asked.load()

    def select(self, *roles: str) -> tuple[Host, ...]:
        """The hosts that -R, -H and -x select; those of `roles` if neither -R nor -H is given."""
        return self.asked.select(self.stage, roles)


class FleetTask(Task):  # type: ignore[misc]  # Fabric ships no types
    """A task that is called once, with a FleetContext.

    `needs_stage` if it is about hosts, `needs_project` if about something to deploy;
    `takes_rest` if what stands behind `--` is for it; `takes_bucket` if `-R static` may mean a
    bucket, without any host of that role; `takes_dry` if it changes nothing with --dry.
    """

    needs_stage = True
    needs_project = True
    takes_rest = False
    takes_bucket = False
    takes_dry = True

    def __call__(
        self, c: object, *args: Any, **options: Any
    ) -> Outcome | None:  # Invoke's own signature
        """Runs the body; Refused unless the toolkit's own program calls."""
        if not isinstance(c, FleetContext):
            what = f"{self.name} works on a whole stage and has to be started by the toolkit's fab"
            raise Refused(what, "put takeover() at the top of the fabfile, or use fabd")
        outcome: Outcome | None = super().__call__(c, *args, **options)
        return outcome


def fleet_task(
    *,
    name: str | None = None,
    aliases: Iterable[str] = (),
    default: bool = False,
    help: Mapping[str, str] | None = None,
    positional: Iterable[str] | None = None,
    optional: Iterable[str] = (),
    iterable: Iterable[str] = (),
    pre: Iterable[Task] = (),
    post: Iterable[Task] = (),
    stage: bool = True,
    project: bool = True,
    takes_rest: bool = False,
    takes_bucket: bool = False,
    takes_dry: bool = True,
) -> Callable[[Body], FleetTask]:
    """Makes a task of a function that takes a FleetContext and returns an Outcome or nothing.

    `stage=False` is for tasks that need no hosts: then neither stage nor roles are looked up;
    `project=False` for those that work where nothing is to be deployed yet.
    With `takes_rest`, what stands behind `--` is in `asked.rest`, and not a command of its own;
    with `takes_bucket`, `-R static` is allowed where static files are in a bucket.
    `takes_dry=False` is for those that cannot be shown without being done: --dry is refused.
    The other arguments are those of Invoke's own decorator.
    """

    def made(body: Body) -> FleetTask:
        task = FleetTask(
            body,
            name=name,
            aliases=tuple(aliases),
            default=default,
            help=dict(help or {}),
            positional=positional,
            optional=tuple(optional),
            iterable=tuple(iterable),
            pre=list(pre),
            post=list(post),
            # A short flag made up from a name would shadow -R, -H and the other core flags.
            auto_shortflags=False,
        )
        task.needs_stage = stage
        task.needs_project = project
        task.takes_rest = takes_rest
        task.takes_bucket = takes_bucket
        task.takes_dry = takes_dry
        return task

    return made
