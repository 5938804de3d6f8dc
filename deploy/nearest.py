"""What somebody who mistyped a word probably meant."""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean "..."?` with the nearest of the known words, or nothing if none is near."""
    near = get_close_matches(word, sorted(known), n=1, cutoff=0.6)
    return f'; did you mean "{near[0]}"?' if near else ""


def listed(words: Iterable[str]) -> str:
    """Words in a sentence; `none` if there are none."""
    return ", ".join(words) or "none"
