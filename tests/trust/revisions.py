"""Other revisions of the sample project, for as long as a row needs them."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tests.trust.world import World


@contextmanager
def changed(world: World, files: Mapping[str, str] | Mapping[str | bytes, str]) -> Iterator[str]:
    """While the block lasts, the newest commit has these files of the site; its revision."""
    checkout = world.checkout
    base = checkout.git("rev-parse", "HEAD").strip()
    top = os.fsencode(checkout.top / "site")
    for name, text in files.items():
        path = os.path.join(top, os.fsencode(name))  # noqa: PTH118 - names that are not text
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
        with open(path, "w") as file:  # noqa: PTH123
            file.write(text)
    try:
        yield checkout.commit("Change the site")
    finally:
        checkout.git("reset", "--quiet", "--hard", base)
        checkout.git("clean", "--quiet", "-fd")
