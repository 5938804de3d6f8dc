"""A revision taken out of git: linked from the export before where nothing changed."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.steps.build import BUILD

FILES = {
    "manage.py": "run",
    "app/views.py": "old",
    "app/part/only.py": "alone",
    "templates/page.html": "<p>",
}


def git(top: Path, *words: str) -> str:
    said = subprocess.run(("git", *words), cwd=top, check=True, capture_output=True, text=True)
    return said.stdout.strip()


def put(top: Path, name: str, text: str) -> None:
    (top / name).parent.mkdir(parents=True, exist_ok=True)
    (top / name).write_text(text)


def remove(top: Path, *names: str) -> None:
    for name in names:
        (top / name).unlink()


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A repository with one revision."""
    top = tmp_path / "repository"
    top.mkdir()
    git(top, "init", "-q")
    for name, text in FILES.items():
        put(top, name, text)
    return top


def exported(top: Path, folder: str, before: Path | None = None, tree: str = "") -> Path:
    """What there is now, or that tree, exported into a folder of its own."""
    if not tree:
        git(top, "add", "--all")
        tree = git(top, "write-tree")
    made = top.parent / folder / tree
    words = (made, top, tree, sys.executable, before or "")
    argv = ["sh", BUILD, "export_code", *map(str, words)]
    subprocess.run(argv, check=True)
    return made


def all_of(made: Path) -> dict[str, object]:
    """Every entry with its mode and content, and the list of digests beside it."""
    sums = made.with_name(f"{made.name}.sums")
    found: dict[str, object] = {"sums": sums.read_bytes() if sums.exists() else None}
    for path in made.rglob("*"):
        link = path.is_symlink()
        content = path.readlink() if link else path.read_bytes() if path.is_file() else "folder"
        found[str(path.relative_to(made))] = (path.lstat().st_mode, content)
    return found


def becomes_folder(top: Path) -> None:
    remove(top, "manage.py")
    put(top, "manage.py/inside", "")


def becomes_file(top: Path) -> None:
    remove(top, "app/part/only.py")
    (top / "app/part").rmdir()
    put(top, "app/part", "")


def many(top: Path) -> None:
    for number in range(400):
        put(top, f"many/{number}", "")


CHANGES: dict[str, Callable[[Path], object]] = {
    "content": lambda top: put(top, "app/views.py", "new"),
    "mode": lambda top: (top / "manage.py").chmod(0o755),
    "new in a new folder": lambda top: put(top, "a/b/c.py", "new"),
    "the last of a folder goes": lambda top: remove(top, "app/part/only.py"),
    "all but one go": lambda top: remove(top, "app/part/only.py", "app/views.py", "manage.py"),
    "a file becomes a folder": becomes_folder,
    "a folder becomes a file": becomes_file,
    "names that git takes for patterns": lambda top: put(top, ":(glob)**/[a]*\n ż", "new"),
    "a symbolic link": lambda top: (top / "link").symlink_to("manage.py"),
    "attributes": lambda top: put(top, ".gitattributes", "*.html export-ignore\n"),
    "more than a command line holds": many,
    "nothing": lambda _top: None,
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_export_on_top_of_the_one_before_is_the_same_as_one_from_nothing(
    top: Path, change: str
) -> None:
    before = exported(top, "kept")
    CHANGES[change](top)
    whole = exported(top, "whole")
    assert all_of(exported(top, "again", before)) == all_of(whole)


@pytest.mark.parametrize("harm", ["links", "of another repository"])
def test_an_export_that_cannot_be_built_upon_is_left_alone(top: Path, harm: str) -> None:
    if harm == "links":
        (top / "link").symlink_to("manage.py")
    before = exported(top, "kept")
    if harm == "of another repository":
        before = before.rename(before.with_name("0" * 40))
    put(top, "app/views.py", "new")
    (top / "link").unlink(missing_ok=True)
    assert all_of(exported(top, "again", before)) == all_of(exported(top, "whole"))


@pytest.mark.parametrize("goes", [False, True])
def test_a_submodule_is_an_empty_folder_as_git_makes_it_until_it_goes(
    top: Path, goes: bool
) -> None:
    git(top, "add", "--all")
    git(top, "update-index", "--add", "--cacheinfo", f"160000,{'a' * 40},vendor")
    before = exported(top, "kept", tree=git(top, "write-tree"))
    assert (before / "vendor").is_dir()
    put(top, "app/views.py", "new")
    git(top, "add", "app/views.py")
    if goes:
        git(top, "update-index", "--force-remove", "vendor")
    tree = git(top, "write-tree")
    whole = exported(top, "whole", tree=tree)
    assert all_of(exported(top, "again", before, tree)) == all_of(whole)
    assert (whole / "vendor").is_dir() is not goes


def test_a_project_may_stand_in_a_folder_of_its_repository(top: Path) -> None:
    git(top, "add", "--all")
    tree = git(top, "write-tree", "--prefix=app/")
    before = exported(top / "app", "../kept", tree=tree)
    assert (before / "part" / "only.py").is_file()
    put(top, "app/views.py", "new")
    git(top, "add", "--all")
    tree = git(top, "write-tree", "--prefix=app/")
    again = exported(top / "app", "../again", before, tree)
    assert all_of(again) == all_of(exported(top / "app", "../whole", tree=tree))


def test_what_did_not_change_is_not_written_again(top: Path) -> None:
    before = exported(top, "kept")
    put(top, "app/views.py", "new")
    again = exported(top, "again", before)
    same = {name: (again / name).samefile(before / name) for name in FILES}
    assert same == {name: name != "app/views.py" for name in FILES}
    assert (before / "app/views.py").read_text() == "old"
