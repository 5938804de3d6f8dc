"""What `init` writes into a project that has never heard of it."""

import runpy
from pathlib import Path

import pytest

from deploy.errors import Refused
from deploy.inventory import load_stage
from deploy.report import Event, Note
from deploy.scaffold import init

MANAGE = 'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "{}")\n'


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A project as `django-admin startproject config .` makes it."""
    top = tmp_path / "My Shop"
    (top / "config").mkdir(parents=True)
    (top / "manage.py").write_text(MANAGE.format("config.settings"))
    (top / "config" / "settings.py").touch()
    return top


def said(top: Path) -> str:
    events: list[Event] = []
    init(top, events.append)
    return "\n".join(event.text for event in events if isinstance(event, Note))


def files(top: Path) -> dict[str, bytes]:
    every = (path for path in top.rglob("*") if path.is_file())
    return {path.relative_to(top).as_posix(): path.read_bytes() for path in every}


def test_what_is_written_loads_and_offers_the_tasks(top: Path) -> None:
    told = said(top)
    stage = load_stage(top, "production", environ={})
    project = stage.hosts[0].project
    assert (stage.name, project.name, project.settings) == (
        "production",
        "my-shop",
        "config.settings",
    )
    assert [(host.name, sorted(host.roles)) for host in stage.hosts] == [("web1", ["db", "web"])]
    assert "deploy" in runpy.run_path(str(top / "fabfile.py"))["ns"].task_names
    assert "pyproject.toml: written" in told
    assert "fab -H web1 setup --script | ssh root@web1.example.com sh" in told
    assert "env.push --file ~/my-shop.env" in told


def test_nothing_that_is_there_is_changed(top: Path) -> None:
    said(top)
    (top / "fabfile.py").write_text("from deploy.cli import takeover\n")
    before = files(top)
    assert "fabfile.py: there already, left as it is" in said(top)
    assert files(top) == before


def test_a_table_is_added_to_a_pyproject_whose_every_byte_stays(top: Path) -> None:
    there = b'[project]\r\nname = "shop"  # mine\r\n[tool.ruff]\r\nline-length = 99'
    (top / "pyproject.toml").write_bytes(there)
    assert "pyproject.toml: [tool.deploy] added" in said(top)
    assert (top / "pyproject.toml").read_bytes().startswith(there + b"\n\n[tool.deploy]\n")
    assert load_stage(top, "production", environ={}).hosts[0].project.name == "my-shop"


@pytest.mark.parametrize("broken", [b"[tool", b"tool = {}\n", b"name = '\xff'\n"])
def test_a_pyproject_that_cannot_be_added_to_is_refused_and_nothing_is_written(
    top: Path, broken: bytes
) -> None:
    (top / "pyproject.toml").write_bytes(broken)
    before = files(top)
    with pytest.raises(Refused, match="cannot be added to"):
        said(top)
    assert files(top) == before


def test_a_fabfile_of_ones_own_stays_and_one_is_told_what_to_add(top: Path) -> None:
    (top / "fabfile.py").write_text("# mine\n")
    told = said(top)
    assert (top / "fabfile.py").read_text() == "# mine\n"
    assert "does not offer these tasks yet" in told
    assert "takeover()" in told


def test_a_folder_that_cannot_be_written_is_refused(top: Path) -> None:
    (top / "inventories").touch()
    with pytest.raises(Refused, match=r"production\.toml cannot be written"):
        said(top)


@pytest.mark.parametrize(
    ("named", "made", "settings"),
    [
        ("config.settings.dev", ["config/settings/production.py"], "config.settings.production"),
        ("config.settings", ["config/settings/production.py"], "config.settings.production"),
        ("config.settings.local", ["config/settings/prod.py"], "config.settings.prod"),
        ("config.settings.local", [], "config.settings.local"),
        ("config.settings", ["config/production.py"], "config.settings"),
        ("settings", ["production.py"], "settings"),
    ],
)
def test_the_settings_for_production_are_found_beside_those_of_manage(
    top: Path, named: str, made: list[str], settings: str
) -> None:
    (top / "manage.py").write_text(MANAGE.format(named))
    (top / "config" / "settings.py").unlink()
    for path in made:
        (top / path).parent.mkdir(exist_ok=True)
        (top / path).touch()
    said(top)
    assert load_stage(top, "production", environ={}).hosts[0].project.settings == settings


def test_a_site_in_a_folder_and_its_requirements_are_found(tmp_path: Path) -> None:
    (tmp_path / "src" / "requirements").mkdir(parents=True)
    (tmp_path / "src" / "manage.py").write_text(MANAGE.format("shop.settings"))
    assert "there is no requirements.txt yet" in said(tmp_path)
    (tmp_path / "src" / "requirements" / "production.txt").touch()
    (tmp_path / "pyproject.toml").unlink()
    assert "there is no requirements.txt yet" not in said(tmp_path)
    project = load_stage(tmp_path, "production", environ={}).hosts[0].project
    assert (project.source, project.requirements) == ("src", "requirements/production.txt")


@pytest.mark.parametrize(
    ("folder", "name"),
    [("Ünser Shop!", "nser-shop"), ("2024", "site"), ("a" * 40, "a" * 31), ("a_b.c", "a-b-c")],
)
def test_the_name_is_made_of_the_folders(tmp_path: Path, folder: str, name: str) -> None:
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "manage.py").write_text(MANAGE.format("config.settings"))
    said(tmp_path / folder)
    assert load_stage(tmp_path / folder, "production", environ={}).hosts[0].project.name == name


def test_where_there_is_no_site_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"there is no manage\.py"):
        said(tmp_path)
    assert files(tmp_path) == {}


def test_a_folder_of_a_larger_repository_is_a_project_like_any_other(top: Path) -> None:
    (top.parent / ".git").mkdir()
    assert "pyproject.toml: written" in said(top)
    assert load_stage(top, "production", environ={}).hosts[0].project.source == "."
