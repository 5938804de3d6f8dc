"""inventories/example.toml, the settings classes and their sentences say the same."""

import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest

from deploy.host import Host, Ssh
from deploy.inventory import load_stage
from deploy.kinds import kind
from deploy.project import Project
from deploy.settings import Key, keys
from deploy.stagefile import About

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "inventories" / "example.toml"
LINE = re.compile(r"#([a-z0-9_]+) = (.+)")


def written() -> dict[str, tuple[str, Any]]:
    """Every key of the example with its comment and its value; a host's key has no table."""
    found: dict[str, tuple[str, Any]] = {}
    table, comment = "", ""
    for line in EXAMPLE.read_text().splitlines():
        if line.startswith("["):
            table = "hosts." if line.startswith("[hosts.") else f"{line.strip('[]')}."
        elif key := LINE.fullmatch(line):
            value = tomllib.loads(f"x = {key[2]}")["x"]
            found[f"{table}{key[1]}"] = (comment, value)
        comment = line.removeprefix("# ")
    return found


def defined() -> dict[str, Key]:
    tables = (("", About), ("ssh.", Ssh), ("hosts.", Host), ("project.", Project))
    return {
        f"{table}{name}": key
        for table, settings in tables
        for name, key in keys(settings).items()
        if table != "hosts." or "." not in name
    }


def test_it_has_every_key_and_no_other() -> None:
    assert list(written()) == list(defined())


@pytest.mark.parametrize("name", list(defined()))
def test_a_key_has_its_sentence_and_its_default(name: str) -> None:
    key, (sentence, value) = defined()[name], written()[name]
    assert sentence == key.sentence
    assert kind(key.type).of_toml(value) == key.default


@pytest.mark.parametrize("name", list(defined()))
def test_a_sentence_is_one_and_a_default_keeps_the_rules(name: str) -> None:
    key = defined()[name]
    assert key.sentence[0].isupper() or key.sentence.startswith(('"', "mod_wsgi"))
    assert key.sentence.endswith(".")
    assert [rule(key.default) for rule in key.rules if rule(key.default)] == []


def test_it_loads_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "inventories").mkdir()
    shutil.copy(EXAMPLE, tmp_path / "inventories" / "mine.toml")
    (tmp_path / "pyproject.toml").write_text('[tool.deploy]\nname = "a"\nsettings = "a.settings"\n')
    stage = load_stage(tmp_path, "mine", environ={})
    assert [host.name for host in stage.hosts] == ["web1", "web2", "static1", "db1"]
    assert stage.parallel == 32
