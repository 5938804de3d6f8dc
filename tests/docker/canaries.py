"""Secrets as they might show: as they are, quoted for an URL, and encoded as mail and HTTP do."""

import base64
import json
import shlex
from collections.abc import Mapping
from dataclasses import asdict
from urllib.parse import quote, quote_plus

from tests.sandbox.files import Secrets

SHORTEST = 12
"""Shorter pieces of an encoded secret could be there by chance."""


def forms(secret: str) -> tuple[str, ...]:
    """The secret in every form in which it would still be given away."""
    plain = (secret, quote(secret), quote(secret, safe=""), quote_plus(secret))
    written = (repr(secret)[1:-1], json.dumps(secret)[1:-1], shlex.quote(secret).strip("'"))
    encoded = [part for shift in range(3) for part in _in_base64(secret.encode(), shift)]
    return tuple(dict.fromkeys((*plain, *written, *encoded, secret.encode().hex())))


def canaries(secrets: Secrets) -> Mapping[str, tuple[str, ...]]:
    """The forms of each secret of a fleet, by its name."""
    return {name: forms(secret) for name, secret in asdict(secrets).items()}


def _in_base64(secret: bytes, shift: int) -> tuple[str, str]:
    """What of it is the same wherever it stands: `shift` bytes off the groups of three."""
    first, last = -(-shift * 8 // 6), (shift + len(secret)) * 8 // 6
    padded = bytes(shift) + secret
    found = (base64.b64encode(padded), base64.urlsafe_b64encode(padded))
    usual, for_urls = (text.decode()[first:last] for text in found)
    assert len(usual) >= SHORTEST
    return usual, for_urls
