"""What a step is: one part of a flow, a pure function from a Target to what is to be done there."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path

from deploy.command import Action, Command
from deploy.findings import Findings
from deploy.host import Host
from deploy.journal import Run
from deploy.project import Project
from deploy.release import Layout, Release, WayBack
from deploy.source import Source
from deploy.workshop import Workshop

HERE = "here"
"""The role of this machine: steps that build what the hosts are sent."""


class Phase(IntEnum):
    """Where in a run a step stands; a flow never goes back to an earlier phase.

    PREPARE changes nothing that is live: a failure just stops the run. COMMIT switches: a failure
    undoes every COMMIT step that was begun. FINISH tidies up: a failure there is a warning.
    """

    PREPARE = 1
    COMMIT = 2
    FINISH = 3


@dataclass(frozen=True)
class Target:
    """All that a step may know: a machine, what was found on it, and what is to go live.

    `web` and `static` are the releases that this run makes live, None where it makes none.
    `fleet` holds every host of the run with its findings, for steps that build for all of them;
    `witnesses` are the other hosts of the stage that hold releases; `unseen` are web hosts that
    could not be reached, of which nobody knows what their pages name.
    `source` is None when nothing is built, as in a rollback; `back` are migrations to take back,
    and `origin` is what the release of a rollback was made from, if it is needed and git knows it.
    `stage` is the name of the stage.
    """

    host: Host
    found: Findings
    run: Run
    workshop: Workshop
    web: Release | None = None
    static: Release | None = None
    source: Source | None = None
    back: WayBack | None = None
    origin: Source | None = None
    fleet: tuple[tuple[Host, Findings], ...] = ()
    witnesses: tuple[tuple[Host, Findings], ...] = ()
    unseen: tuple[str, ...] = ()
    stage: str = ""

    @property
    def project(self) -> Project:
        """The site's settings on this host."""
        return self.host.project

    @property
    def layout(self) -> Layout:
        """The paths of the site on this host."""
        return Layout(self.project.root)

    @property
    def code(self) -> Release:
        """The code release that goes live. Only steps of web and db may ask."""
        assert self.web is not None  # noqa: S101 - a plan never gives such a step without one
        return self.web

    @property
    def files(self) -> Release:
        """The static release that goes live. Only steps of static may ask."""
        assert self.static is not None  # noqa: S101 - as above
        return self.static

    @property
    def made_from(self) -> Source:
        """The revision that is released or gone back to. Only steps that need it may ask."""
        made_from = self.source or self.origin
        assert made_from is not None  # noqa: S101 - as above
        return made_from

    @property
    def collected(self) -> Path:
        """Where this machine has the revision with its static files collected."""
        return self.workshop.collected(self.made_from, self.project)


Build = Callable[[Target], Iterable[Action]]


@dataclass(frozen=True)
class Judged:
    """What the answers of all hosts mean: `notes` for people, and `faults`, by host."""

    notes: tuple[str, ...] = ()
    faults: tuple[tuple[str, str], ...] = ()


Judge = Callable[[Sequence[tuple[Host, str]]], Judged]
"""Tells from what each host has said whether the step succeeded."""


@dataclass(frozen=True)
class Step:
    """A part of a flow: `build` says what to do on a host of one of `roles`.

    `undo` says how to take it back. A `rolling` step is done on one host first, and on the
    others once that one is verified. The step that `decides` settles the run: if its answer is
    lost, nobody knows on which side of the decision the run is, and nothing may be undone.
    Whoever interrupts waits until a step is done that is `brief`, as the one that decides is.
    `needs` are the programs that a host must have for it. `leaves` says what no undo can take
    back once the step has begun; {release} in it is the one that the run is about. What is
    `undo_first` is taken back before all else, because hosts that are put back need it. What the
    hosts say goes to `judge` alone, where only all answers together tell whether the step
    succeeded. A step that is `thorough` is done on every host also where it has failed on one.
    """

    name: str
    says: str
    roles: tuple[str, ...]
    build: Build
    phase: Phase = Phase.PREPARE
    undo: Build | None = None
    rolling: bool = False
    decides: bool = False
    brief: bool = False
    needs: tuple[str, ...] = ()
    leaves: str = ""
    undo_first: bool = False
    judge: Judge | None = None
    thorough: bool = False

    def serves(self, roles: Sequence[str]) -> bool:
        """Whether the step is for a host with these roles."""
        return any(role in self.roles for role in roles)


def step(
    name: str,
    *,
    roles: tuple[str, ...],
    phase: Phase = Phase.PREPARE,
    undo: Build | None = None,
    rolling: bool = False,
    decides: bool = False,
    brief: bool = False,
    needs: tuple[str, ...] = (),
    leaves: str = "",
    undo_first: bool = False,
    judge: Judge | None = None,
) -> Callable[[Build], Step]:
    """Make a Step of a function. The first line of its docstring is what people see."""

    def wrap(build: Build) -> Step:
        says = (build.__doc__ or "").strip().splitlines()
        if not says:
            raise TypeError(f"step {name} needs a docstring: it is shown to people")
        return Step(
            name,
            says[0],
            roles,
            build,
            phase,
            undo,
            rolling,
            decides,
            brief,
            needs,
            leaves,
            undo_first,
            judge,
        )

    return wrap


def belongs(t: Target) -> Iterator[Action]:
    """Write down whose site this is, so that no other stage is released over it by mistake."""
    if t.stage and t.found.stage != t.stage:
        yield word("remember", f"{t.layout.root}/.deploy/stage", t.stage)


def word(*argv: str, quiet_limit: float = 60.0, stdin: str = "") -> Command:
    """A command in the words that deploy/remote teaches the host's shell."""
    return Command(argv, quiet_limit=quiet_limit, stdin=stdin)


def attempt(command: Command) -> Command:
    """The same, though its failure ends nothing: what came of it is asked later."""
    return replace(command, argv=("attempt", *command.argv))
