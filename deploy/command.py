"""What to run, as values. Running is the transport's job; quoting happens only here."""

import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

QUIET_LIMIT = 60.0
"""Seconds a command may say nothing before it counts as hung."""
KEEP = 1024 * 1024
"""Bytes of what a command says that are kept: the beginning, and most of the end."""


@dataclass(frozen=True)
class Command:
    """One command on one machine.

    `argv[0]` is a program, or one of the words that `deploy/remote` teaches the host's shell.
    `stdin` is for text that must not show in a process list, secrets above all: it is neither
    printed in a plan nor logged. `quiet_limit` counts seconds without output, not duration, so
    a slow command that still talks is never cut off. `changes` is false for a look that is
    allowed without the lock. On this machine, `keep` bytes of its output are kept. With `whole`,
    what it says is passed on as it is, in pieces, and not in lines that are safe to show.
    """

    argv: tuple[str, ...]
    cwd: str = ""
    env: tuple[tuple[str, str], ...] = ()
    stdin: str = field(default="", repr=False)
    quiet_limit: float = QUIET_LIMIT
    changes: bool = True
    keep: int = KEEP
    whole: bool = False

    def __post_init__(self) -> None:
        if not self.argv:
            raise ValueError("a command needs at least a program")
        for word in (*self.argv, self.cwd, *(value for pair in self.env for value in pair)):
            if "\0" in word:
                raise ValueError(f"a NUL byte cannot be passed to a program: {word!r}")

    def shell(self) -> str:
        """The line as a shell reads it, every word quoted, without `stdin`."""
        parts = [f"{name}={shlex.quote(value)}" for name, value in self.env]
        parts += [shlex.quote(word) for word in self.argv]
        line = " ".join(parts)
        return f"cd {shlex.quote(self.cwd)} && {line}" if self.cwd else line

    def shown(self) -> str:
        """The line for people: the values of `env` are left out, as they may be secrets."""
        return replace(self, env=tuple((name, "...") for name, _ in self.env)).shell()


@dataclass(frozen=True)
class Upload:
    """The contents of the local directory `source`, made the contents of `target` on a host.

    `like` names directories on the host whose identical files are hard-linked instead of sent.
    `base` is a local directory with what the first of them was sent, if there still is one: then
    only what differs from it is told to the host, which sees whether the whole is right.
    `only` narrows what is sent to these paths inside `source`; `exclude` leaves paths out.
    Files are compared by content. Nothing outside `target` is ever deleted.
    """

    source: Path
    target: str
    like: tuple[str, ...] = ()
    base: Path | None = None
    only: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    quiet_limit: float = QUIET_LIMIT
    changes: bool = True

    def shell(self) -> str:
        """What happens in one line, for a plan."""
        links = "".join(f" --link-dest={shlex.quote(path)}" for path in self.like)
        return (
            f"rsync --checksum{links} {shlex.quote(str(self.source))}/ {shlex.quote(self.target)}/"
        )

    def shown(self) -> str:
        """The same."""
        return self.shell()


Action = Command | Upload


def in_few_messages(actions: Iterable[Action]) -> Iterator[Action]:
    """The same actions, with commands that follow each other as one: each message is a round trip.

    The first that fails ends it, as it would one by one. What has a standard input stays alone.
    """
    waiting: list[Command] = []
    for action in actions:
        plain = isinstance(action, Command) and not action.stdin
        if waiting and not (plain and action.changes == waiting[-1].changes):
            yield _together(waiting)
            waiting = []
        if isinstance(action, Command) and plain:
            waiting.append(action)
        else:
            yield action
    if waiting:
        yield _together(waiting)


def _together(commands: Sequence[Command]) -> Command:
    if len(commands) == 1:
        return commands[0]
    # In a shell of its own, as a change of directory is not meant for what comes next.
    lines = [f"({one.shell()})" if one.cwd else one.shell() for one in commands]
    return Command(
        ("eval", " && ".join(lines)),
        quiet_limit=sum(one.quiet_limit for one in commands),
        changes=commands[0].changes,
    )


OnLine = Callable[[str], None]


@dataclass(frozen=True)
class Result:
    """How an action ended. `output` is what it said, standard error included, at most 1 MiB.

    `sent` counts the bytes of file content and protocol that an `Upload` put on the wire, or that
    a command on this machine has sent elsewhere, as its last line says: `... 4711 bytes sent`;
    `files` the files that an upload sent, apart from those that were linked.
    """

    exit_code: int
    output: str = ""
    seconds: float = 0.0
    sent: int = 0
    files: int = 0

    @property
    def ok(self) -> bool:
        """Whether the action succeeded."""
        return self.exit_code == 0
