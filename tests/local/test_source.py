"""Revisions, resolved by a real git."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.command import Command, Result
from deploy.errors import Refused
from deploy.here import run_here
from deploy.project import Project
from deploy.source import Source, changes, resolve
from deploy.steps.build import BUILD

PROJECT = Project(name="shop", source="site")


def run(command: Command) -> Result:
    return run_here(command, lambda _: None)


def git(top: Path, *argv: str) -> str:
    name = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com")
    done = subprocess.run(
        ["git", *name, *argv], cwd=top, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture(params=["", "shop"])
def top(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """The project: a repository of its own, or a folder of one that has others, too."""
    git(tmp_path, "init", "-q")
    top: Path = tmp_path / request.param
    site = top / "site"
    (site / "pages" / "migrations").mkdir(parents=True)
    (site / "manage.py").write_text("")
    (site / "requirements.txt").write_text("-r more.txt\nDjango\n")
    (site / "more.txt").write_text("psycopg\n")
    (site / "pages" / "migrations" / "0001_initial.py").write_text("one")
    git(top, "add", "-A")
    git(top, "commit", "-qm", "The first page")
    return top


def change(top: Path, path: str, text: str) -> Source:
    (top / path).parent.mkdir(parents=True, exist_ok=True)
    (top / path).write_text(text)
    git(top, "add", "-A")
    git(top, "commit", "-qm", "Change")
    return resolve(top, PROJECT, "", run)


def test_a_revision_becomes_a_commit_once_here_and_nothing_else_travels(top: Path) -> None:
    git(top, "tag", "v1")
    source = resolve(top, PROJECT, "v1", run)
    assert source.revision == git(top, "rev-parse", "HEAD")
    assert source.tree == git(top, "rev-parse", "HEAD:./site")
    assert source.subject == "The first page"


@pytest.mark.parametrize(
    "revision",
    [
        "nope",
        "$(touch pwned)",
        "; touch pwned",
        "--upload-pack=touch pwned",
        "-rf",
        "../..",
        "HEAD\ntouch pwned",
        "a b",
        "HEAD:site",
        "é",
    ],
)
def test_what_is_no_revision_is_refused_and_reaches_no_shell(top: Path, revision: str) -> None:
    with pytest.raises(Refused):
        resolve(top, PROJECT, revision, run)
    assert not list(top.rglob("pwned"))


def test_uncommitted_changes_are_refused_because_they_would_not_be_released(top: Path) -> None:
    (top / "site" / "manage.py").write_text("changed")
    (top / "site" / "new.py").write_text("new")
    with pytest.raises(Refused, match="2 changed file") as refused:
        resolve(top, PROJECT, "", run)
    assert "--revision HEAD" in refused.value.hint
    assert resolve(top, PROJECT, "HEAD", run).revision


def test_changes_beside_the_source_do_not_matter(top: Path) -> None:
    (top / "notes.txt").write_text("not part of the site")
    assert resolve(top, PROJECT, "", run).revision


def test_the_files_of_a_revision_are_those_of_its_source_wherever_that_lies(
    top: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    (top / "other.txt").write_text("not released")
    source = change(top, "site/manage.py", "print()\n")
    made = tmp_path_factory.mktemp("exports") / "made"
    subprocess.run(["sh", BUILD, "export_code", made, source.top, source.tree], check=True)
    assert (made / "manage.py").read_text() == "print()\n"
    names = sorted(str(path.relative_to(made)) for path in made.rglob("*.*") if path.is_file())
    assert names == [
        ".pushed",
        "manage.py",
        "more.txt",
        "pages/migrations/0001_initial.py",
        "requirements.txt",
    ]


def test_a_project_at_the_top_of_its_folder_needs_no_source(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    backend = tmp_path / "backend"
    backend.mkdir()
    for name in ("manage.py", "requirements.txt"):
        (backend / name).touch()
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "Begin")
    source = resolve(backend, Project(name="shop"), "", run)
    assert source.tree == git(tmp_path, "rev-parse", "HEAD:backend")
    (tmp_path / "frontend.js").touch()
    assert resolve(backend, Project(name="shop"), "", run) == source, "it is not released"


def test_a_folder_that_is_no_repository_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="not a git repository") as refused:
        resolve(tmp_path, PROJECT, "", run)
    assert "git init" in refused.value.hint


def test_a_repository_without_a_commit_is_refused(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    with pytest.raises(Refused, match="no revision"):
        resolve(tmp_path, PROJECT, "", run)


def test_a_source_without_manage_py_or_requirements_says_which_key_to_set(top: Path) -> None:
    with pytest.raises(Refused, match=r"no manage\.py"):
        resolve(top, replace(PROJECT, source="site/pages"), "HEAD", run)
    with pytest.raises(Refused, match="no folder shop"):
        resolve(top, replace(PROJECT, source="shop"), "HEAD", run)
    with pytest.raises(Refused, match=r"no lock\.txt"):
        resolve(top, replace(PROJECT, requirements="lock.txt"), "HEAD", run)


def test_packages_have_one_key_as_long_as_no_requirements_file_changes(top: Path) -> None:
    before = resolve(top, PROJECT, "", run)
    page = change(top, "site/pages/views.py", "page")
    assert page.requirements == before.requirements
    assert change(top, "site/more.txt", "psycopg\nredis\n").requirements != before.requirements


@pytest.mark.parametrize("line", ["./ours", "-e ./ours", "ours @ file:./ours"])
def test_a_package_that_comes_with_the_code_is_installed_anew_when_it_changes(
    top: Path, line: str
) -> None:
    change(top, "site/ours/setup.py", "1")
    before = change(top, "site/more.txt", f"{line}\n")
    assert change(top, "site/pages/views.py", "page").requirements == before.requirements
    assert before.brought == ("ours",)
    assert change(top, "site/ours/setup.py", "2").requirements != before.requirements


@pytest.mark.parametrize("line", ["ours", "./ours", "-e packages/ours", "a @ file:packages/ours"])
def test_a_path_without_a_dot_is_one_all_the_same(top: Path, line: str) -> None:
    path = "ours" if "packages" not in line else "packages/ours"
    change(top, f"site/{path}/setup.py", "1")
    before = change(top, "site/more.txt", f"  {line}/\n")
    assert change(top, f"site/{path}/setup.py", "2").requirements != before.requirements


def test_a_wheel_that_comes_with_the_code_is_installed_anew_when_it_changes(top: Path) -> None:
    change(top, "site/wheels/x.whl", "1")
    before = change(top, "site/more.txt", "./wheels/x.whl\n")
    assert change(top, "site/wheels/x.whl", "2").requirements != before.requirements


def test_a_host_that_downloads_is_not_asked_for_a_package_that_stays_in_one_release(
    top: Path,
) -> None:
    change(top, "site/ours/setup.py", "1")
    change(top, "site/more.txt", "-e ./ours\n")
    with pytest.raises(Refused, match=r"more\.txt says -e \./ours") as refused:
        resolve(top, replace(PROJECT, install="pip"), "", run)
    assert refused.value.hint.startswith("write ./ours, or set install")
    change(top, "site/more.txt", "./ours\n-e git+https://example.com/a/b.git#egg=b\n")
    assert resolve(top, replace(PROJECT, install="pip"), "", run)


def test_a_requirements_file_beside_another_folder_is_a_part_of_the_key(top: Path) -> None:
    change(top, "site/common/base.txt", "Django\n")
    before = change(top, "site/more.txt", "  -r ./common/../common/base.txt\n")
    assert change(top, "site/common/base.txt", "Django==5\n").requirements != before.requirements


def test_a_requirements_file_that_is_not_there_is_refused_rather_than_passed_by(top: Path) -> None:
    with pytest.raises(
        Refused, match=r"more\.txt refers to \.\./gone\.txt, which is not in the source"
    ):
        change(top, "site/more.txt", "-r ../gone.txt\n")


def test_a_submodule_is_refused_as_git_would_export_an_empty_folder(top: Path) -> None:
    commit = git(top, "rev-parse", "HEAD")
    where = git(top, "rev-parse", "--show-prefix")
    git(top, "update-index", "--add", "--cacheinfo", f"160000,{commit},{where}site/theme")
    git(top, "commit", "-qm", "Add a submodule")
    with pytest.raises(Refused, match="theme is a submodule"):
        resolve(top, PROJECT, "HEAD", run)


def test_a_listing_of_many_thousand_files_is_read_whole(top: Path) -> None:
    for number in range(12_000):
        path = top / "site" / "many" / f"{number:05}-{'x' * 60}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    git(top, "add", "-A")
    git(top, "commit", "-qm", "Add many files")
    resolve(top, PROJECT, "HEAD", run)


def test_where_the_code_itself_is_installed_every_change_is_one_of_its_packages(top: Path) -> None:
    before = change(top, "site/more.txt", "-e .\n")
    assert change(top, "site/pages/views.py", "page").requirements != before.requirements


def test_migrations_have_one_key_as_long_as_none_is_added_or_changed(top: Path) -> None:
    before = resolve(top, PROJECT, "", run)
    assert change(top, "site/pages/views.py", "page").migrations == before.migrations
    later = change(top, "site/pages/migrations/0002_more.py", "two")
    assert later.migrations != before.migrations


def test_new_packages_may_bring_migrations_so_they_change_that_key_too(top: Path) -> None:
    before = resolve(top, PROJECT, "", run)
    assert change(top, "site/requirements.txt", "Django\nwagtail\n").migrations != before.migrations


def test_what_is_not_live_is_commits_and_new_migrations_and_what_only_the_live_one_has(
    top: Path,
) -> None:
    live = git(top, "rev-parse", "HEAD")
    git(top, "checkout", "-q", "-b", "other")
    change(top, "site/pages/hot.py", "fix")
    hot = git(top, "rev-parse", "HEAD")
    git(top, "checkout", "-q", "-")
    change(top, "site/pages/migrations/0002_more.py", "two")
    change(top, "site/pages/migrations/__init__.py", "")
    change(top, "elsewhere.txt", "not part of the site")
    source = change(top, "site/pages/views.py", "a\tpage")
    since = changes(top, source, live, run)
    assert [one.author for one in since.commits] == ["Ann"] * 3
    assert (since.missing, since.migrations) == ((), ("pages.0002_more",))
    assert [one.revision for one in changes(top, source, hot, run).missing] == [hot[:7]]


def test_a_live_revision_that_git_does_not_know_is_refused(top: Path) -> None:
    with pytest.raises(Refused, match="git knows no revision"):
        changes(top, resolve(top, PROJECT, "", run), "1a2b3c4", run)
