"""The secret environment of a site: put on the hosts, looked at, and compared, never shown."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from deploy.asked import Asked
from deploy.command import Command, Result
from deploy.consent import must_consent
from deploy.course import new_run
from deploy.errors import Inconsistent, Interrupted, Refused
from deploy.fitness import must_be_of
from deploy.host import CODE, Host
from deploy.means import Means, on_hosts
from deploy.onsite.envfile import NotReady, parse
from deploy.outcome import Outcome
from deploy.reach import only_looking
from deploy.release import Layout
from deploy.report import Note, Table
from deploy.signals import as_interrupts, deferred
from deploy.stage import Stage
from deploy.waiting import patiently

SAME, DIFFERS = "same", "differs"
DIGEST = 64
"""Characters of a digest."""


def push(asked: Asked, means: Means, text: str, *, merge: bool = False) -> Outcome:
    """Make `text` the environment of the site on the hosts that run its code, all of it.

    With `merge`, what it does not name stays. It goes through the connection into a file that only
    the site's group may read, and through no command line. Raises Refused for text that the site
    could not read or if the operator does not agree, Locked while a run is at work there.
    """
    try:
        names = sorted(parse(text))
    except NotReady as error:
        raise Refused(f"not sent: {error}") from None
    if not names:
        raise Refused("not sent: there is no variable in it")
    stage = asked.load()
    what = f"another secret environment, of {len(names)} variables: {', '.join(names)}"
    must_consent(stage, asked, (f"{stage.project.name} on {stage.name}: {what}",))
    word = "merge_env" if merge else "put_env"
    said = patiently(asked.wait, means.emit, lambda: _put(asked, means, stage, text, word))
    for host, result in said.items():
        if not result.ok:
            raise Inconsistent(f"{host}: {result.output.strip()[-300:]}", "fab env.check")
        means.emit(Note(f"{host}: {len(names)} variables: {', '.join(names)}"))
    means.emit(Note("the next release reads them; fab apache.reload gives them to the live one"))
    return Outcome()


def check(asked: Asked, means: Means) -> Outcome:
    """See that all hosts have the same environment, kept to itself, and that settings load with it.

    Raises Refused with all that is wrong; a value is never among it.
    """
    stage = asked.load()
    with on_hosts(asked, means, stage, asked.select(stage, CODE)) as fleet, only_looking():
        found = fleet.look()
        state = fleet.each(lambda host: Command(("state_env", host.project.root), changes=False))
        there = [host for host in fleet.hosts if found[host.name].web.current]
        loads = fleet.each(lambda host: _loads(host, live=host in there))
    faults = [
        *(fault for host in fleet.hosts for fault in _exposed(host, state[host.name].output)),
        *_differing({name: _digests(result) for name, result in state.items()}),
        *_not_loading(loads),
    ]
    if faults:
        raise Refused("\n".join(faults), "fab env.push --merge adds to it; fab env.show lists it")
    without = [host.name for host in fleet.hosts if host not in there]
    said = "the same on all hosts, and readable by the site alone"
    if without:
        said += f"; no release is live on {', '.join(without)} that could say what it needs"
    means.emit(Note(said))
    return Outcome()


def _not_loading(loads: Mapping[str, Result]) -> Iterator[str]:
    for name, result in loads.items():
        if not result.ok:
            yield f"{name}: {result.output.strip()[-500:]}"


def _loads(host: Host, *, live: bool) -> Command:
    layout = Layout(host.project.root)
    python = f"{layout.current}/venv/bin/python"
    argv = (python, f"{layout.entry}/loads.py", layout.root, "current")
    return Command(argv if live else ("true",), changes=False)


def _exposed(host: Host, said: str) -> Iterator[str]:
    path = f"{host.project.root}/shared/env"
    first = said.partition("\n")[0].split()
    if first[:1] == ["lacks"]:
        yield f"{host.name}: there is no {path}: fab setup makes one"
    elif first[:1] == ["mode"] and int(first[1], 8) & 0o037:
        yield f"{host.name}: {path} has mode {first[1]}, so others can get at it: chmod 640 {path}"


def _differing(values: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    for name, state in _compared(values):
        if state != SAME:
            yield f"{name}: {state}"


def _compared(values: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, str]]:
    """Each variable, and whether hosts agree on it."""
    for name in sorted({name for found in values.values() for name in found}):
        without = [host for host, found in values.items() if name not in found]
        different = len({found.get(name) for found in values.values()}) > 1
        yield name, f"not on {', '.join(without)}" if without else DIFFERS if different else SAME


def show(asked: Asked, means: Means) -> Outcome:
    """List the names of the variables on each host, and whether the values are the same on all."""
    stage = asked.load()
    with on_hosts(asked, means, stage, asked.select(stage, CODE)) as fleet, only_looking():
        said = fleet.each(lambda host: Command(("digest_env", host.project.root), changes=False))
    values = {host: _digests(result) for host, result in said.items()}
    rows = tuple(_compared(values))
    means.emit(Table("", ("variable", "on these hosts"), rows))
    return Outcome(more={"variables": dict(rows)})


def read(file: str, stdin: str) -> str:
    """The text of a file, or `stdin` if it is called `-`. Refused if others may read the file."""
    if file == "-":
        return stdin
    path = Path(file)
    if not path.is_file():
        raise Refused(f"there is no file {file}")
    if path.stat().st_mode & 0o077:
        raise Refused(f"{file} can be read by others on this machine", hint=f"chmod 600 {file}")
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = "it is not UTF-8" if isinstance(error, UnicodeError) else error.strerror
        raise Refused(f"{file} cannot be read: {why}") from None


def _put(asked: Asked, means: Means, stage: Stage, text: str, word: str) -> dict[str, Result]:
    def command(host: Host) -> Command:
        words = (word, host.project.root, host.project.web.group)
        return Command(words, stdin=text, changes=False)

    said: dict[str, Result] = {}
    with on_hosts(asked, means, stage, asked.select(stage, CODE)) as fleet:
        if not asked.yes:
            must_be_of(stage.name, fleet.hosts, fleet.look())
        with as_interrupts(), fleet.locked(new_run("env.push", means.who)):
            try:
                with deferred():  # else hosts would be left with different secrets
                    said = fleet.each_left(command)
            except KeyboardInterrupt:
                has = ", ".join(name for name, one in said.items() if one.ok) or "no host"
                what = f"stopped by you; the new environment is on {has}"
                raise Interrupted(what, "fab env.check") from None
    return said


def _digests(result: Result) -> Mapping[str, str]:
    lines = (line.partition(" ") for line in result.output.splitlines())
    return {name: digest for name, _, digest in lines if len(digest) == DIGEST}
