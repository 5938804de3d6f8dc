"""The secret environment of a site: put on the hosts, looked at, and compared, never shown."""

from collections.abc import Mapping
from pathlib import Path

from deploy.asked import Asked
from deploy.command import Command, Result
from deploy.errors import Refused
from deploy.host import CODE, Host
from deploy.means import Means, on_hosts
from deploy.onsite.envfile import NotReady, parse
from deploy.outcome import Outcome
from deploy.report import Note, Table


def push(asked: Asked, means: Means, text: str) -> Outcome:
    """Make `text` the environment of the site on the hosts that run its code.

    It goes through the connection into a file that only the site's group may read, and through no
    command line. Raises Refused for text that the site could not read.
    """
    try:
        names = sorted(parse(text))
    except NotReady as error:
        raise Refused(f"not sent: {error}") from None
    if not names:
        raise Refused("not sent: there is no variable in it")
    said = _on_each(asked, means, text, "put_env")
    for host, result in said.items():
        if not result.ok:
            raise Refused(f"{host}: {result.output.strip()[-300:]}")
        means.emit(Note(f"{host}: {len(names)} variables: {', '.join(names)}"))
    means.emit(Note("the next release reads them; fab apache.reload gives them to the live one"))
    return Outcome()


def show(asked: Asked, means: Means) -> Outcome:
    """List the names of the variables on each host, and whether the values are the same on all."""
    said = _on_each(asked, means, "", "digest_env")
    values = {host: _digests(result) for host, result in said.items()}
    names = sorted({name for found in values.values() for name in found})
    rows = []
    for name in names:
        without = [host for host, found in values.items() if name not in found]
        different = len({found.get(name) for found in values.values()}) > 1
        state = f"not on {', '.join(without)}" if without else "differs" if different else "same"
        rows.append((name, state))
    means.emit(Table("", ("variable", "on these hosts"), tuple(rows)))
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
    return path.read_text()


def _on_each(asked: Asked, means: Means, text: str, word: str) -> dict[str, Result]:
    stage = asked.load()

    def command(host: Host) -> Command:
        words = (word, host.project.root, host.project.web.group)
        return Command(words, stdin=text, changes=False)

    with on_hosts(asked, means, stage, asked.select(stage, CODE)) as fleet:
        return fleet.each(command)


def _digests(result: Result) -> Mapping[str, str]:
    lines = (line.partition(" ") for line in result.output.splitlines())
    return {name: digest for name, _, digest in lines if name}
