"""What a project needs before anything can be deployed: written as a commented starting point."""

import re
import tomllib
from pathlib import Path

from deploy.errors import Refused
from deploy.outcome import Outcome
from deploy.rendering import render
from deploy.report import Emit, Note

FABFILE = "fabfile.py"
PYPROJECT = "pyproject.toml"
INVENTORY = "inventories/production.toml"
TEMPLATE = {
    FABFILE: "init-fabfile.py.j2",
    PYPROJECT: "init-pyproject.toml.j2",
    INVENTORY: "init-production.toml.j2",
}
REQUIREMENTS = ("requirements.txt", "requirements/production.txt", "requirements/base.txt")
MODULE = re.compile(r"""DJANGO_SETTINGS_MODULE["'],\s*["']([\w.]+)["']""")
NO_NAME = re.compile(r"^[^a-z]+|[^a-z0-9]+")
LONGEST_NAME = 31
NEXT = """\
next:
  read {pyproject}, put your hosts into {inventory}, and commit
  fab -H web1 setup --script | ssh root@web1.example.com sh     once for each host
  fab env.push --file ~/{name}.env     the secret environment: SECRET_KEY, passwords
  fab setup
  fab deploy"""


def init(top: Path, emit: Emit) -> Outcome:
    """Write what is missing of fabfile, `[tool.deploy]` and inventory into the project at `top`.

    Nothing that is there is changed: to a pyproject.toml without `[tool.deploy]` the table is added
    at its end. Refused, with nothing written, if `top` is not the top of a Django project, or its
    pyproject.toml cannot be added to.
    """
    facts = _facts(top)
    texts = {name: _text(top, name, facts) for name in TEMPLATE}
    for name, text in texts.items():
        emit(Note(f"{name}: {_added(top / name, text) or 'there already, left as it is'}"))
    if not texts[FABFILE] and "takeover" not in (top / FABFILE).read_text(errors="replace"):
        offer = render(TEMPLATE[FABFILE])
        emit(Note(f"{FABFILE} does not offer these tasks yet; they come with:\n\n{offer}"))
    if not facts["requirements"]:
        emit(Note("there is no requirements.txt yet: a release installs what it names"))
    emit(Note(NEXT.format(pyproject=PYPROJECT, inventory=INVENTORY, name=facts["name"])))
    return Outcome(more={"written": [name for name, text in texts.items() if text]})


def _facts(top: Path) -> dict[str, str]:
    """What the project says of itself, as far as it can be told without running it."""
    found = (top / "manage.py", *sorted(top.glob("*/manage.py")))
    manage = next((path for path in found if path.is_file()), None)
    if not manage:
        raise Refused(f"there is no manage.py in {top}", "cd to your project, or make one first")
    name = NO_NAME.sub("-", top.resolve().name.lower()).strip("-")[:LONGEST_NAME].rstrip("-")
    there = (name for name in REQUIREMENTS if (manage.parent / name).is_file())
    return {
        "name": name or "site",
        "source": manage.parent.relative_to(top).as_posix(),
        "settings": _settings(manage),
        "requirements": next(there, ""),
    }


def _settings(manage: Path) -> str:
    """The settings module for production: beside the one that manage.py names, if it is there."""
    named = MODULE.search(manage.read_text(encoding="utf-8", errors="replace"))
    module = named[1] if named else "config.settings"
    for package in (module, module.rpartition(".")[0]):
        for better in ("production", "prod"):
            file = manage.parent.joinpath(*package.split("."), f"{better}.py")
            if package.endswith("settings") and file.is_file():
                return f"{package}.{better}"
    return module


def _text(top: Path, name: str, facts: dict[str, str]) -> str:
    """What is to be added to the end of a file; nothing if it says enough already."""
    text = render(TEMPLATE[name], **facts)
    path = top / name
    if not path.exists():
        return text
    if name != PYPROJECT:
        return ""
    try:
        there = path.read_text(encoding="utf-8")
        if "deploy" in tomllib.loads(there).get("tool", {}):
            return ""
        text = f"{'' if there.endswith(chr(10)) else chr(10)}\n{text}"
        tomllib.loads(there + text)
    except (OSError, ValueError) as error:
        raise Refused(f"[tool.deploy] cannot be added to {path}: {error}") from error
    return text


def _added(path: Path, text: str) -> str:
    """Adds text to the end of a file, and says what that was; nothing if there is no text."""
    said = "[tool.deploy] added" if path.exists() else "written"
    try:
        if text:
            path.parent.mkdir(exist_ok=True)
            with path.open("a", encoding="utf-8", newline="\n") as file:
                file.write(text)
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror}") from error
    return said if text else ""
