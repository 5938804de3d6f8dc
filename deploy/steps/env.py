"""The site's SECRET_KEY is exchanged: taken everywhere before it is used anywhere."""

from collections.abc import Iterator

from deploy.command import Action, Command
from deploy.host import CODE
from deploy.steps import Phase, Step, Target, step


def _rotated(t: Target, what: str, key: str) -> Command:
    python = f"{t.layout.current}/venv/bin/python"
    argv = (python, f"{t.layout.entry}/rotate.py", t.layout.root, t.code.id, what)
    return Command(argv, stdin=key)


def announced(key: str) -> Step:
    """The step that makes hosts take what is signed with `key`, and sign nothing with it yet."""

    def back(t: Target) -> Iterator[Action]:
        yield _rotated(t, "withdraw", key)

    @step("env.announce", roles=CODE, phase=Phase.COMMIT, undo=back)
    def announce(t: Target) -> Iterator[Action]:
        """add a new SECRET_KEY to the fallbacks, if the settings read them"""
        yield _rotated(t, "announce", key)

    return announce


def used(key: str) -> Step:
    """The step that puts `key` in the place of the SECRET_KEY, which becomes a fallback."""

    def back(t: Target) -> Iterator[Action]:
        yield _rotated(t, "unuse", key)

    @step("env.use", roles=CODE, phase=Phase.COMMIT, undo=back)
    def use(t: Target) -> Iterator[Action]:
        """sign with the new SECRET_KEY, and keep the old one as a fallback"""
        yield _rotated(t, "use", key)

    return use


@step(
    "env.forget",
    roles=CODE,
    phase=Phase.COMMIT,
    leaves="fallbacks that were taken out of shared/env are gone",
)
def forget(t: Target) -> Iterator[Action]:
    """take all fallbacks of the SECRET_KEY away"""
    yield _rotated(t, "forget", "")
