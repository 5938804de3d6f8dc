"""The site that is deployed: the sample site, as large as sites are, and its revisions."""

import itertools
import random
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.docker.checkout import Checkout, make_checkout

STATIC = 1_500
CHANGED = 10
CODE = 300
SEED = 20240501
HEADER = "X-Revision"
MIDDLEWARE = '''"""Says in every answer which revision of the site it comes from."""

REVISION = "{revision}"


class Revision:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        response = self.get_response(request)
        response["{header}"] = REVISION
        return response
'''
STATIC_FILE = "guestbook/static/many/00/text0000.txt"
SETTING = '\nMIDDLEWARE = ["guestbook.revision.Revision", *MIDDLEWARE]  # noqa: F405\n'


@dataclass
class Site:
    """A repository with the site in its folder `site`, and the name of its newest revision."""

    checkout: Checkout
    revision: str = ""
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    @property
    def top(self) -> Path:
        """The repository."""
        return self.checkout.top

    @property
    def static_file(self) -> Path:
        """A static file that changes with every change of static files."""
        return self.top / "site" / STATIC_FILE

    def change(self, static: int = 0) -> str:
        """Commit a change to one Python file, or to so many static files; the revision's name."""
        number = next(self._numbers)
        self.revision = f"r{number:04}"
        if static:
            for which in range(static):
                _static_file(self.top, which, seed=number)
        else:
            text = MIDDLEWARE.format(revision=self.revision, header=HEADER)
            self.checkout.write("guestbook/revision.py", text)
        self.checkout.commit(f"Revision {self.revision}")
        return self.revision


def make_site(top: Path, fleet: Path, env: Mapping[str, str]) -> Site:
    """A new repository with one revision of the site."""
    shutil.rmtree(top, ignore_errors=True)
    checkout = make_checkout(top, fleet, env, ())
    settings = top / "site" / "config" / "settings" / "production.py"
    settings.write_text(settings.read_text() + SETTING)
    for number in range(STATIC):
        _static_file(top, number, seed=0)
    for number in range(CODE):
        package = top / "site" / "parts" / f"part{number // 20:02}"
        package.mkdir(parents=True, exist_ok=True)
        lines = (f"def value_{line}(x: int) -> int:\n    return x + {line}\n" for line in range(30))
        (package / f"module{number:03}.py").write_text("\n\n".join(lines))
    site = Site(checkout)
    site.change()
    return site


def _static_file(top: Path, number: int, seed: int) -> None:
    """Every third file is text, which compresses; the others are like pictures, and do not."""
    path = top / "site" / "guestbook" / "static" / "many" / f"{number // 100:02}"
    path.mkdir(parents=True, exist_ok=True)
    drawn = random.Random(SEED + seed * STATIC + number)  # noqa: S311 - the same files every time
    if number % 3:
        (path / f"picture{number:04}.png").write_bytes(drawn.randbytes(8_000))
    else:
        words = " ".join(str(drawn.randrange(1_000)) for _ in range(2_000))
        (path / f"text{number:04}.txt").write_text(words)
