"""Contestants that are a recipe beside this module, run with the words deploy, rollback, static."""

import shutil
import subprocess
from collections.abc import Sequence

from bench.contestants import RECIPES, Missing, Place, Run
from bench.fleet import Host


class Scripted:
    """A recipe that reads all it needs from its environment."""

    name = ""
    is_peer = True
    has_caches = False
    file = ""

    def program(self, place: Place) -> list[str]:
        """What runs the recipe."""
        raise NotImplementedError

    def deploy(self, place: Place, hosts: Sequence[Host]) -> Run:
        """Release the newest revision."""
        return self._run(place, hosts, "deploy")

    def rollback(self, place: Place, hosts: Sequence[Host]) -> Run:
        """Go back to the release before."""
        return self._run(place, hosts, "rollback")

    def static(self, place: Place, hosts: Sequence[Host]) -> Run | None:
        """Release the static files alone."""
        return self._run(place, hosts, "static")

    def _run(self, place: Place, hosts: Sequence[Host], word: str) -> Run:
        env = {**place.site.checkout.env, **place.told(self.name, hosts)}
        argv = [*self.program(place), str(RECIPES / self.file), word]
        return Run(argv, place.own(self.name), env)


def clone(place: Place, name: str) -> None:
    """Clones that stay from one release to the next: one for code, one to collect static files."""
    for folder in (place.own(name) / "clone", place.own(name) / "pages"):
        shutil.rmtree(folder, ignore_errors=True)
        said(("git", "clone", "-q", str(place.site.top), str(folder)))


def said(argv: Sequence[str]) -> str:
    """What a program says. Raises Missing if it is not there or fails."""
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise Missing(f"{argv[0]} is not installed") from None
    if done.returncode:
        raise Missing(f"{' '.join(argv[:4])}: {(done.stderr or done.stdout).strip()[-300:]}")
    return (done.stdout or done.stderr).strip()
