"""Code of which the host has nearly all: told in one message, and right as a whole or sent anew."""

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.command import Result, Upload
from deploy.fleet import words
from deploy.ssh import delta as delta_module
from deploy.ssh import link as link_module
from deploy.ssh.delta import LIMIT
from deploy.ssh.link import Link
from deploy.steps.build import BUILD
from tests.local.conftest import Machine
from tests.local.test_ssh_upload import ODD, contents, mode

ODD_CODE = {f"dir {name}/{name}": f"content of {name}" for name in ODD}
FILES = {**ODD_CODE, "manage.py": "#!/bin/sh\n", "app/views.py": "one", "old/gone.py": "x"}


@dataclass
class Site:
    """A repository here, what is exported of it, and a host with the first revision."""

    repository: Path
    exports: Path
    link: Link
    home: Path

    def exported(self, *, remove: str = "", link: str = "", **files: str) -> Path:
        """The next revision, with these files changed; `__` stands for a slash."""
        for name, text in files.items():
            path = self.repository / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        if remove:
            (self.repository / remove).unlink()
        if link:
            (self.repository / link).symlink_to("manage.py")
        return self.export()

    def export(self) -> Path:
        git(self.repository, "add", "--all")
        tree = git(self.repository, "write-tree")
        made = self.exports / tree
        subprocess.run(["sh", BUILD, "export_code", made, self.repository, tree], check=True)
        return made

    def push(self, source: Path, base: Path | None) -> Result:
        """Send a revision beside the first one."""
        old, new = self.home / "1", self.home / "2"
        upload = Upload(source, str(new), like=(str(old),), base=base)
        new.mkdir(exist_ok=True)
        return self.link.execute(upload, lambda _: None)

    def pushed(self) -> dict[str, str]:
        return contents(self.home / "2")


def git(repository: Path, *argv: str) -> str:
    done = subprocess.run(["git", "-C", repository, *argv], check=True, capture_output=True)
    return done.stdout.decode().strip()


@pytest.fixture
def site(
    tmp_path: Path, machine: Callable[[str], Machine], reach: Callable[..., Link]
) -> tuple[Site, Path]:
    """The site, and its first revision."""
    repository = tmp_path / "repository"
    repository.mkdir()
    git(repository, "init", "--quiet")
    for name, text in FILES.items():
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text(text)
    (repository / os.fsdecode(b"latin\xe9")).write_text("not UTF-8")
    (repository / "manage.py").chmod(0o755)
    web = machine("web1")
    made = Site(repository, tmp_path / "exports", reach(web.host, words()), web.home)
    first = made.export()
    assert made.link.execute(Upload(first, str(web.home / "1")), lambda _: None).ok
    (web.home / "1" / "app" / "__pycache__").mkdir()
    (web.home / "1" / "app" / "__pycache__" / "views.pyc").write_text("made there")
    (web.home / "1" / "media").symlink_to("../shared/media")
    return made, first


@pytest.fixture
def no_rsync(site: tuple[Site, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """From when the first revision is there."""
    assert site

    def refuse(*_: object) -> None:
        raise AssertionError("rsync was used")

    monkeypatch.setattr(link_module, "Sending", refuse)


@pytest.mark.usefixtures("no_rsync")
def test_what_differs_is_told_in_one_message_and_the_rest_is_linked(
    site: tuple[Site, Path],
) -> None:
    made, first = site
    (made.repository / "app" / "views.py").chmod(0o755)
    second = made.exported(remove="old/gone.py", app__views="", app__models="new", manage="two")
    result = made.push(second, first)
    assert (result.exit_code, result.output) == (0, "")
    assert made.pushed() == contents(second)
    assert result.sent < 5_000
    one, two = made.home / "1", made.home / "2"
    name = f"dir {ODD[0]}/{ODD[0]}"
    assert (two / name).samefile(one / name)
    assert mode(two / "app/views.py") == "0o755"
    assert not (two / "old").exists(), "it would be a package that the code no longer has"
    assert (one / "manage.py").read_text() == "#!/bin/sh\n", "the live release is never written to"


@pytest.mark.usefixtures("no_rsync")
def test_the_same_revision_again_is_told_in_next_to_nothing(site: tuple[Site, Path]) -> None:
    made, first = site
    result = made.push(first, first)
    assert (result.files, result.sent < 500) == (0, True)
    assert made.pushed() == contents(first)


@pytest.mark.parametrize("harm", ["content", "mode", "gone", "names", "more"])
def test_what_somebody_changed_on_the_host_is_found_and_rsync_sends_it(
    site: tuple[Site, Path], harm: str
) -> None:
    made, first = site
    live = made.home / "1"
    if harm == "content":
        (live / "app/views.py").write_text("two")
    elif harm == "mode":
        (live / "app/views.py").chmod(0o666)
    elif harm == "gone":
        (live / "app/views.py").unlink()
    elif harm == "names":
        (live / ".pushed").write_bytes((live / ".pushed").read_bytes() + b"media\0")
    else:
        (live / ".pushed").unlink()
    second = made.exported(app__models="new")
    assert made.push(second, first).ok
    assert made.pushed() == contents(second)
    assert mode(made.home / "2" / "app/views.py") == "0o644"


def test_what_is_too_much_for_a_message_or_has_links_in_it_goes_by_rsync(
    site: tuple[Site, Path],
) -> None:
    made, first = site
    second = made.exported(large=os.urandom(LIMIT).hex())
    assert made.push(second, first).sent > LIMIT
    assert made.pushed() == contents(second)
    third = made.exported(link="linked", large="")
    assert made.push(third, second).ok
    assert made.pushed()["linked"] == "-> manage.py"
    assert not third.with_name(f"{third.name}.sums").exists()


def test_half_of_it_is_taken_away_before_rsync_begins(site: tuple[Site, Path]) -> None:
    made, first = site
    second = made.exported(app__models="new")
    (made.home / "2" / "app").mkdir(parents=True)
    (made.home / "2" / "app" / "views.py").write_text("left by somebody")
    assert made.push(second, first).ok
    assert made.pushed() == contents(second)


def test_building_packages_leaves_nothing_in_the_code_that_is_sent(site: tuple[Site, Path]) -> None:
    made, first = site
    wheels = made.home / "wheels"
    builds = ("sh", "-c", 'touch build && cp manage.py "$1"', "pip")
    argv = ["sh", BUILD, "fetch_wheels", str(wheels), str(first), "requirements.txt", "", *builds]
    before = contents(first)
    subprocess.run(argv, check=True)
    assert (wheels / "manage.py").is_file()
    assert contents(first) == before
    assert [path.name for path in made.home.iterdir() if "wheels" in path.name] == ["wheels"]


def test_exports_are_compared_once_though_every_host_is_told_since_a_fleet_would_wait_for_it(
    site: tuple[Site, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, base = site
    source = here.exported(app__views="two")
    read: list[Path] = []
    entries = delta_module._entries

    def counted(export: Path) -> dict[bytes, tuple[bytes, int]]:
        read.append(export)
        return entries(export)

    monkeypatch.setattr(delta_module, "_entries", counted)
    first = delta_module.delta(base, source)
    assert first is not None
    assert delta_module.delta(base, source) == first
    assert read == [base, source]
