"""Reads OpenSSH's known_hosts and says whether a host's key is the one that is trusted."""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from paramiko import PKey


@dataclass(frozen=True)
class Entry:
    """One line: for which names, which key. `revoked` keys are refused for every name."""

    names: tuple[str, ...]
    kind: str
    blob: bytes
    revoked: bool = False

    @property
    def fingerprint(self) -> str:
        """As OpenSSH prints it: SHA256:..."""
        return fingerprint(self.blob)


class KnownHosts:
    """The trusted keys of one or more files. What cannot be read in them is passed over."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = tuple(entries)

    def trusted(self, name: str, port: int) -> tuple[Entry, ...]:
        """The keys known for a host: under `[name]:port`, and else under the bare name."""
        forms = [name] if port == 22 else [f"[{name}]:{port}", name]
        for form in forms:
            found = [e for e in self._entries if not e.revoked and matches(e.names, form)]
            if found:
                return tuple(found)
        return ()

    def is_revoked(self, name: str, port: int, key: PKey) -> bool:
        """Whether a @revoked line names this very key for the host."""
        forms = (name, f"[{name}]:{port}")
        return any(
            e.revoked and e.blob == key.asbytes() and any(matches(e.names, form) for form in forms)
            for e in self._entries
        )


def load(paths: Sequence[Path]) -> KnownHosts:
    """Read the files, those that exist."""
    entries = []
    for path in paths:
        try:
            text = path.read_text(errors="replace")
        except OSError:
            continue
        entries += [entry for line in text.splitlines() for entry in _parsed(line)]
    return KnownHosts(entries)


def fingerprint(blob: bytes) -> str:
    """Of a public key, as `ssh-keygen -l` prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def matches(patterns: Sequence[str], name: str) -> bool:
    """Whether a line's names mean this one: hashed, plain, with * and ?, or excluded by a !"""
    name = name.lower()
    found = False
    for pattern in patterns:
        if pattern.startswith("!"):
            if _wild(pattern[1:]).fullmatch(name):
                return False
        elif pattern.startswith("|1|"):
            found = found or _hashed(pattern, name)
        elif _wild(pattern).fullmatch(name):
            found = True
    return found


def _wild(pattern: str) -> re.Pattern[str]:
    escaped = re.escape(pattern.lower()).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(escaped)


def _hashed(pattern: str, name: str) -> bool:
    try:
        salt, digest = (base64.b64decode(part, validate=True) for part in pattern[3:].split("|"))
    except (ValueError, binascii.Error):
        return False
    return hmac.compare_digest(hmac.new(salt, name.encode(), "sha1").digest(), digest)


def _parsed(line: str) -> list[Entry]:
    words = line.split()
    revoked = words[:1] == ["@revoked"]
    if revoked:
        words = words[1:]
    # Certificate authorities are not supported: such a line must not be taken for a host's key.
    if len(words) < 3 or words[0].startswith(("#", "@")):
        return []
    try:
        blob = base64.b64decode(words[2], validate=True)
    except (ValueError, binascii.Error):
        return []
    size = int.from_bytes(blob[:4], "big")
    if blob[4 : 4 + size] != words[1].encode():
        return []
    return [Entry(tuple(words[0].split(",")), words[1], blob, revoked)]
