"""The tables of docs/ say what the code says; a test that fails prints the right table."""

import re
from collections.abc import Iterable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from fabric import Config
from invoke.collection import Collection

from deploy import errors
from deploy.checks.catalogue import CHECKS
from deploy.cli import DeployFab
from deploy.errors import DeployError
from deploy.executor import DeployExecutor
from deploy.flow import DEPLOY, DEPLOY_STATIC, ROLLBACK
from deploy.host import Host, Ssh
from deploy.project import Project
from deploy.settings import Key, keys
from deploy.stagefile import About
from deploy.steps import HERE, Phase, Step

ROOT = Path(__file__).parents[2]
PAGES = {path.name: path.read_text() for path in (ROOT / "docs").glob("*.md")}
README = (ROOT / "README.md").read_text()
TYPES = {
    str: "text",
    bool: "true or false",
    int: "whole number",
    float: "number",
    tuple[str, ...]: "list of texts",
    tuple[int, ...]: "list of whole numbers",
    tuple[tuple[str, str], ...]: "table of texts",
}


def offered() -> Collection:
    """Everything that `./fab` offers in this checkout."""
    spec = spec_from_file_location("the_fabfile", ROOT / "fabfile.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    namespace: Collection = module.ns
    return namespace


TASKS = offered()
ARGUMENTS = {
    name: TASKS[name].get_arguments() for name in TASKS.task_names
}  # once: it forgets help
OF_EXAMPLES = {"uptime"}
TYPED = re.compile(
    r"(?:^ {4,}|\$ |`)(?:\./)?fabd? ((?:-[^\s`]+ [^-\s`][^\s`]* )*)([a-z][a-z.-]+)", re.M
)
NAMES = sorted(TASKS.task_names, key=lambda name: ("." in name, name))


def rows(head: tuple[str, ...], lines: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table."""
    rule = ("---",) * len(head)
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *lines))


def tasks_table() -> str:
    return rows(("task", "options", "what it does"), map(_task, NAMES))


def _task(name: str) -> tuple[str, ...]:
    options = [f"`{_flag(one)}`: {one.help}" for one in ARGUMENTS[name]]
    return f"`{name}`", "<br>".join(options), (TASKS[name].__doc__ or "").strip().splitlines()[0]


def _flag(argument: Any) -> str:
    value = "" if argument.kind is bool else f" {argument.name.upper()}"
    return f"--{argument.name.replace('_', '-')}{value}"


def settings_table(settings: dict[str, Key]) -> str:
    return rows(("key", "type", "default", "meaning"), (_key(key) for key in settings.values()))


def _key(key: Key) -> tuple[str, ...]:
    default = "{}" if TYPES[key.type] == "table of texts" else _toml(key.default)
    return f"`{key.name}`", TYPES[key.type], f"`{default}`", key.sentence


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return str(value)


def flow_table(steps: Iterable[Step]) -> str:
    head = ("step", "on", "what it does", "taken back")
    return rows(head, ((f"`{s.name}`", _places(s), s.says, _undone(s)) for s in steps))


def _places(step: Step) -> str:
    if step.roles == (HERE,):
        return "this machine"
    return ", ".join(step.roles) + (" (one host first)" if step.rolling else "")


def _undone(step: Step) -> str:
    if step.undo:
        return "yes"
    return "no, it stays" if step.leaves else ""


def _of_phase(phase: Phase) -> tuple[Step, ...]:
    return tuple(step for step in DEPLOY.steps if step.phase is phase)


def checks_table() -> str:
    head = ("check", "is", "what has to be so", "why", "what to write")
    lines = ((f"`{c.name}`", c.severity, c.asks, c.why, _code(c.write)) for c in CHECKS)
    return rows(head, lines)


def _code(text: str) -> str:
    return text.replace("*", "\\*").replace("<", "&lt;")


TABLES = {
    ("reference.md", "tasks"): tasks_table(),
    ("reference.md", "stage"): settings_table(keys(About)),
    ("reference.md", "ssh"): settings_table(keys(Ssh)),
    ("reference.md", "host"): settings_table(
        {name: key for name, key in keys(Host).items() if "." not in name}
    ),
    ("reference.md", "project"): settings_table(keys(Project)),
    ("checklist.md", "checks"): checks_table(),
    ("how-it-works.md", "prepare"): flow_table(_of_phase(Phase.PREPARE)),
    ("how-it-works.md", "commit"): flow_table(_of_phase(Phase.COMMIT)),
    ("how-it-works.md", "finish"): flow_table(_of_phase(Phase.FINISH)),
}


@pytest.mark.parametrize(("page", "table"), list(TABLES), ids=lambda part: str(part))
def test_a_table_says_what_the_code_says(page: str, table: str) -> None:
    right = f"<!-- table: {table} -->\n{TABLES[page, table]}\n"
    assert right in PAGES[page], f"docs/{page} should have:\n\n{right}"


@pytest.mark.parametrize("name", NAMES)
def test_every_task_says_what_it_does(name: str) -> None:
    sentence = (TASKS[name].__doc__ or "").strip().splitlines()[0]
    assert sentence.endswith(".")
    said = TASKS[name].__doc__ or ""
    assert all(one.help or f"--{one.name}" in said for one in ARGUMENTS[name])


@pytest.mark.parametrize("page", [*PAGES, "README.md", "CONTRIBUTING.md"])
def test_every_task_that_a_page_has_typed_is_offered(page: str) -> None:
    text = PAGES.get(page) or (ROOT / page).read_text()
    typed = TYPED.findall(text)
    assert {name for _, name in typed} <= {*NAMES, *OF_EXAMPLES}


def core_options() -> list[str]:
    program = DeployFab(name="Fabric", executor_class=DeployExecutor, config_class=Config)
    return [f"--{max(argument.names, key=len)}" for argument in program.core_args()]


@pytest.mark.parametrize("option", core_options())
def test_every_option_of_the_program_is_in_the_reference(option: str) -> None:
    assert re.search(rf"`(-\w, )?{option}[` ]", PAGES["reference.md"])


def codes() -> set[int]:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    ours = [kind for kind in kinds if issubclass(kind, DeployError)]
    return {0, *(kind.exit_code for kind in ours)}


@pytest.mark.parametrize("page", ["README.md", "docs/reference.md"])
def test_the_exit_codes_are_those_of_the_errors(page: str) -> None:
    section = (ROOT / page).read_text().partition("## Exit codes\n")[2].partition("\n## ")[0]
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", section, re.M)} == codes()


def test_the_steps_of_the_transcript_are_those_of_the_flow() -> None:
    flow = {*DEPLOY.steps, *DEPLOY_STATIC.steps, *ROLLBACK.steps}
    says = {(step.name, step.says) for step in flow}
    shown = re.findall(r"^ *-> (\S+): (.+) \([^)]+\)$", README, re.M)
    assert len(shown) > 4
    assert set(shown) <= says
