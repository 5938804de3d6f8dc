"""Reads shared/env, and keeps its values out of whatever is said or written.

The format: one KEY=VALUE a line. Blank lines and lines that begin with # are skipped; `export `
before a key is allowed. A value without quotes is taken as it stands, up to the end of the line,
without the spaces around it (a # in it is part of it). Between 'single quotes' everything stands
for itself. Between "double quotes" a backslash gives \\n a newline, \\t a tab, and \\\\, \\", \\$
and \\` the character; before any other character it stands for itself. After the closing quote
only a comment may follow. Nothing is expanded. The last line of a key wins.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

KEY = re.compile(r"(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
SINGLE = re.compile(r"'([^']*)'[ \t]*(?:#.*)?")
DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"[ \t]*(?:#.*)?')
ESCAPE = re.compile(r"\\(.)")
ESCAPES = {"n": "\n", "t": "\t", "\\": "\\", '"': '"', "$": "$", "`": "`"}
SHORTEST_SECRET = 6
"""Shorter values ("true", "1") would turn every message into a row of masks."""
SHORTEST_PIECE = 4
"""The same for pieces of a password that a program may take for a port, a host or a path."""
NEXT_URL = re.compile(r"[,;\s]+(?=[A-Za-z][A-Za-z0-9+.-]*://)")
LOGIN = re.compile(r"//[^:]*:(.*)@", re.DOTALL)


class NotReady(Exception):
    """The site cannot be started as it is; the message says why, and holds no value of the file."""


def parse(text: str, name: str = "env") -> dict[str, str]:
    """The variables in `text`. NotReady names the first malformed line by number, not by value."""
    found: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip(" \t\r")
        if not line or line.startswith("#"):
            continue
        match = KEY.fullmatch(line)
        if match is None:
            raise NotReady(f"{name}, line {number}: not of the form KEY=value")
        value = _value(match[2].strip(" \t"))
        if value is None:
            raise NotReady(f"{name}, line {number}: the quotes around the value do not match")
        if "\0" in value:
            raise NotReady(f"{name}, line {number}: the value holds a NUL byte")
        found[match[1]] = value
    return found


def _value(written: str) -> str | None:
    if not written.startswith(("'", '"')):
        return written
    if match := SINGLE.fullmatch(written):
        return match[1]
    if match := DOUBLE.fullmatch(written):
        return ESCAPE.sub(lambda found: ESCAPES.get(found[1], found[0]), match[1])
    return None


def read(path: Path) -> dict[str, str]:
    """The variables of the file. NotReady if it is missing, not allowed, not UTF-8 or malformed."""
    try:
        return parse(path.read_bytes().decode("utf-8-sig"), str(path))
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise NotReady(f"{path}, line {line}: not UTF-8 text") from None
    except OSError as error:
        raise NotReady(f"{path} cannot be read: {error.strerror}") from None


def mask(text: str, values: dict[str, str]) -> str:
    """`text` with each value replaced by <ITS NAME>, and passwords inside URLs too.

    Also where they are quoted for an URL or encoded in base64, as mail and HTTP encode a login.

    Paths are left alone: they are no secrets, and file names in a traceback begin with them.
    """
    hidden: dict[str, str] = {}
    for name, value in values.items():
        urls = NEXT_URL.split(value)
        whole = (value, repr(value)[1:-1], *(one for url in urls for one in _passwords(url)))
        parts = [part for part in whole if len(part) >= SHORTEST_SECRET]
        parts += (one for url in urls for one in _pieces(url) if len(one) >= SHORTEST_PIECE)
        for part in parts:
            if not part.startswith("/"):
                hidden.update(dict.fromkeys(_shapes(part), name))
    for part in sorted(hidden, key=len, reverse=True):
        text = text.replace(part, f"<{hidden[part]}>")
    return text


def _passwords(url: str) -> tuple[str, ...]:
    try:
        password = urlsplit(url).password or ""
    except ValueError:
        password = ""
    login = LOGIN.search(url)
    return (password, unquote(password), login[1] if login else "")


def _pieces(url: str) -> Iterator[str]:
    """The parts of a password that has characters in it which end a login in an URL.

    Programs report such a part as a port that is no number, or as a host, in small letters.
    """
    login = LOGIN.search(url)
    pieces = re.split(r"[/?#@]", login[1]) if login else ()
    if len(pieces) > 1:
        for piece in pieces:
            yield from (piece, piece.lower(), unquote(piece))


def _shapes(secret: str) -> tuple[str, ...]:
    return (
        secret,
        quote(secret),
        quote(secret, safe=""),
        *(_in_base64(secret.encode("utf-8", "surrogateescape"), shift) for shift in range(3)),
    )


def _in_base64(secret: bytes, shift: int) -> str:
    """What of its base64 is the same wherever it stands: `shift` bytes off the groups of three."""
    first, last = -(-shift * 8 // 6), (shift + len(secret)) * 8 // 6
    return b64encode(bytes(shift) + secret).decode()[first:last]
