"""Where this machine keeps what it makes for the hosts, each thing under the key of its content."""

import hashlib
import os
import platform
import sys
import sysconfig
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from deploy.findings import Findings
from deploy.project import Project
from deploy.source import Source

COLLECTED_FORMAT = 4
"""Counts up when what is made of collected files changes, so that old ones are made anew."""
ONSITE = Path(__file__).parent / "onsite"
"""What runs inside the site's own Python."""


@dataclass(frozen=True)
class Workshop:
    """A cache folder. All in it but `changed` can be made again, and is complete if it is there.

    What nobody has asked for in a month is taken away by build.sh, when something else is made.
    """

    folder: Path

    def export(self, source: Source) -> Path:
        """The files of a revision."""
        return self.exported(source.tree)

    def exported(self, tree: str) -> Path:
        """The same, by what git calls the content."""
        return self.folder / "exports" / tree

    def newest_collected(self) -> Path | None:
        """What was collected last, for whatever settings: most of it is in the next one as well."""
        # What has a dot in its name is being made.
        made = [path for path in self.folder.glob("collected/*") if "." not in path.name]
        return max(made, key=lambda path: path.stat().st_mtime_ns, default=None)

    def builder(self) -> Path:
        """A virtualenv of this machine's Python whose pip downloads and builds wheels."""
        return self.folder / "builder" / _python_tag(sys.version_info[:2])

    def wheels(self, source: Source, found: Findings) -> Path:
        """The wheels of a host's venv; those of a host with another C library may not run there."""
        return self.folder / "wheels" / _digest((venv_key(source, found), found.libc))

    def venv(self, source: Source) -> Path:
        """A virtualenv on this machine with the release's own packages, to collect static files."""
        key = f"{source.requirements}-{_python_tag(sys.version_info[:2])}"
        return self.folder / "venvs" / key

    def collected(self, source: Source, project: Project) -> Path:
        """The release's files after collectstatic."""
        static = project.static
        how = (sorted(static.env), project.settings, static.mode, static.brotli, static.root)
        what = (COLLECTED_FORMAT, source.tree, source.requirements)
        return self.folder / "collected" / _digest((*what, *how))

    def changed(self, project: Project) -> Path:
        """Files whose names go on after this list paths of which a CDN may have old content."""
        return self.folder / "changed" / _digest((sorted(project.static.env), project.settings))


def there(made: Path) -> bool:
    """Whether something of the cache is there. It is in use then, and not taken away as old."""
    with suppress(FileNotFoundError):
        os.utime(made)
        return True
    return False


def entry_digest(site: str) -> str:
    """One digest of our programs on a host and of `site`, their site.json, as look.sh makes it."""
    here = {path.name: path.read_bytes() for path in ONSITE.glob("*.py")}
    here |= {"site.json": f"{site}\n".encode()}
    here.pop("__init__.py", None)
    lines = [f"{hashlib.sha256(here[name]).hexdigest()}  {name}\n" for name in sorted(here)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def venv_key(source: Source, found: Findings) -> str:
    """The key of a venv: what is installed, for which Python, on which platform."""
    said = f"{source.requirements} {found.python} {found.platform}"
    return hashlib.sha256(said.encode()).hexdigest()[:12]


def builds_alike(found: Findings) -> bool:
    """Whether wheels that are built here run there: the same Python, platform and C library.

    Those that are compiled here may still need a newer one; pip_as.py takes no others that do.
    """
    same_python = found.python.split(".")[:2] == [str(part) for part in sys.version_info[:2]]
    ours, theirs = platform.libc_ver()[0], found.libc.partition("-")[0]
    same_libc = not (ours and theirs) or ours == theirs
    return same_python and same_libc and found.platform == sysconfig.get_platform()


def _digest(said: object) -> str:
    return hashlib.sha256(repr(said).encode()).hexdigest()[:16]


def _python_tag(version: tuple[int, int]) -> str:
    return f"py{version[0]}{version[1]}"
