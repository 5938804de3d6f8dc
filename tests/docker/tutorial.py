"""A page of the documentation as somebody reads it who types everything that it shows."""

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TITLE = re.compile(r"(?:# |<!-- )(?P<path>[\w./-]+\.\w+)(?: -->)?\n")
VARIES = (
    (r"\b0*[0-9a-f]{7}\b", "[0-9a-f]{7}"),  # a revision
    (r"\b\d+\\\.\d s\b", r"\\d+\\.\\d s"),  # how long it took
    (r"\b\d+\\\.\d [kM]?B\b", r"[\\d.]+ [kM]?B"),  # how much was sent
)
END = "\x1e"


@dataclass(frozen=True)
class Step:
    """What a reader does next: types `commands` and sees what is in `shown`, or writes a file."""

    line: int
    commands: str = ""
    shown: str = ""
    path: str = ""
    text: str = ""

    def __str__(self) -> str:
        return f"{self.line}: {self.path or self.commands.splitlines()[-1]}"

    def fits(self, said: str) -> bool:
        """Whether `said` is what the page shows, but for what is different each time."""
        return not self.shown or re.fullmatch(pattern(self.shown), said.strip("\n")) is not None


def steps(page: str) -> Iterator[Step]:
    """The steps of a page, from its blocks. Raises ValueError for a block that is none."""
    blocks = [
        (page.count("\n", 0, found.start()) + 1, found[1], found[2])
        for found in FENCE.finditer(page)
    ]
    following = [*blocks[1:], (0, "", "")]
    for (line, language, text), (_, after, shown) in zip(blocks, following, strict=True):
        if title := TITLE.match(text):
            body = text if text.startswith("#") else text[title.end() :]
            yield Step(line, path=title["path"], text=body)
        elif language == "sh":
            told = shown if after == "text" and not TITLE.match(shown) else ""
            yield Step(line, commands=text, shown=told)
        elif language != "text":
            raise ValueError(f"line {line}: neither a file, nor typed, nor shown")


def pattern(shown: str) -> str:
    """A regular expression for what may be said where the page shows `shown`."""
    lines = []
    for line in shown.strip("\n").split("\n"):
        if line == "...":
            lines.append(r"(?:.*\n)*")
            continue
        words = re.escape(line).replace(r"\ ", " ")
        for varies, any_of_it in VARIES:
            words = re.sub(varies, any_of_it, words)
        lines.append(words + r"(?:\n|\Z)")
    return "".join(lines).replace(r"(?:.*\n)*", r"(?:.*(?:\n|\Z))*?")


class Reader:
    """A shell that lives through a whole page, as a reader's does."""

    def __init__(self, home: Path, env: Mapping[str, str]) -> None:
        self._home = home
        self._shell = subprocess.Popen(
            ["bash", "--noprofile", "--norc", "-e"],
            cwd=home,
            env={**env, "HOME": str(home)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def types(self, commands: str) -> str:
        """What the commands say. The first that fails ends the shell, and is an AssertionError."""
        assert self._shell.stdin
        assert self._shell.stdout
        assert self._shell.poll() is None, "an earlier command has failed"
        typed = self._home / "typed"
        typed.write_text(commands)
        self._shell.stdin.write(f". {typed} </dev/null; echo; echo {END}\n")
        self._shell.stdin.flush()
        said: list[str] = []
        for line in self._shell.stdout:
            if line == f"{END}\n":
                return "".join(said)
            said.append(line)
        raise AssertionError(f"failed, after it had said:\n{''.join(said)}")

    def folder(self) -> Path:
        """Where the reader is."""
        return Path(self.types("pwd").strip())

    def leaves(self) -> None:
        """Ends the shell."""
        assert self._shell.stdin
        self._shell.stdin.close()
        self._shell.wait(30)
