"""What the pages show works: links lead somewhere, examples load, formats are as they say."""

import json
import re
import runpy
import tomllib
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from deploy import __version__
from deploy.backups import listed
from deploy.checklist import fact as check_fact
from deploy.checks.catalogue import CHECKS
from deploy.checks.judge import WAIVED
from deploy.checks.judge import Result as Verdict
from deploy.command import Action, Result
from deploy.errors import Refused
from deploy.findings import Findings, Tree
from deploy.flow import DEPLOY, Flow
from deploy.host import Host
from deploy.inventory import load_stage
from deploy.journal import Run
from deploy.journal import parse as parse_journal
from deploy.ledger import merged
from deploy.onsite.envfile import parse
from deploy.outcome import Outcome
from deploy.pending import _commit
from deploy.plan import make_plan
from deploy.project import Checks, Project
from deploy.release import Release
from deploy.report import Began, Ended, Fact, Note, Said
from deploy.report.jsonevents import JsonEvents
from deploy.report.jsonlines import error_line, output_line, result_line
from deploy.runner import StepsFailed, run_plan
from deploy.source import Commit, Source
from deploy.status import host_facts
from deploy.steps import Phase, Target
from deploy.workshop import Workshop

ROOT = Path(__file__).parents[2]
FILES = [*sorted((ROOT / "docs").glob("*.md")), *sorted(ROOT.glob("*.md"))]
PAGES = {str(path.relative_to(ROOT)): path.read_text() for path in FILES}
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a page in a language, without what they are indented by."""
    found = [(len(one[1]), one[3]) for one in FENCE.finditer(PAGES[page]) if one[2] == language]
    return ["\n".join(line[by:] for line in text.split("\n")) for by, text in found]


def titled(page: str, title: str, language: str) -> list[str]:
    """The blocks that begin with the name of the file that they are."""
    return [text for text in blocks(page, language) if text.startswith(f"# {title}\n")]


def anchors(path: Path) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", FENCE.sub("", path.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", list(PAGES))
def test_every_link_leads_somewhere(page: str) -> None:
    for link in LINK.findall(FENCE.sub("", PAGES[page])):
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        target = ((ROOT / page).parent / name) if name else ROOT / page
        assert target.is_file(), f"{page} leads to {link}"
        assert not anchor or anchor in anchors(target), f"{page} leads to {link}"


def test_every_page_can_be_reached_from_the_readme() -> None:
    linked = set(LINK.findall(PAGES["README.md"]))
    assert {page for page in PAGES if page.startswith("docs/")} <= linked


@pytest.mark.parametrize("page", list(PAGES))
def test_every_example_in_toml_is_valid(page: str) -> None:
    for text in blocks(page, "toml"):
        tomllib.loads(text)


@pytest.mark.parametrize("page", list(PAGES))
def test_every_example_in_python_compiles(page: str) -> None:
    for text in blocks(page, "python"):
        compile(text, page, "exec")


def inventories(page: str) -> list[tuple[str, str]]:
    """Each inventory of a page, with the pyproject.toml in front of it."""
    pairs, project = [], ""
    for text in blocks(page, "toml"):
        if "[tool.deploy]" in text:
            project = text
        elif "[hosts." in text and "[ssh]" in text:
            pairs.append((project, text))
    return pairs


EXAMPLES = [(page, *pair) for page in PAGES for pair in inventories(page)]


@pytest.mark.parametrize(("page", "project", "inventory"), EXAMPLES)
def test_every_example_of_a_site_and_its_hosts_loads(
    tmp_path: Path, page: str, project: str, inventory: str
) -> None:
    (tmp_path / "inventories").mkdir()
    (tmp_path / "pyproject.toml").write_text(project)
    (tmp_path / "inventories" / "production.toml").write_text(inventory)
    stage = load_stage(tmp_path, "production", environ={})
    assert stage.role("web"), page


def test_the_example_of_a_computed_inventory_loads(tmp_path: Path) -> None:
    (example,) = (text for text in blocks("docs/reference.md", "python") if "def hosts" in text)
    (tmp_path / "inventories").mkdir()
    project = titled("docs/reference.md", "pyproject.toml", "toml")[0]
    (tmp_path / "pyproject.toml").write_text(project)
    (tmp_path / "inventories" / "cloud.py").write_text(example)
    stage = load_stage(tmp_path, "cloud", environ={})
    assert [(host.address, host.ssh.user) for host in stage.hosts] == [
        ("10.0.0.11", "deploy"),
        ("10.0.0.12", "deploy"),
    ]


def test_the_changelog_has_this_version() -> None:
    versions = re.findall(r"^## \[?(\d+\.\d+\.\d+)\]?", PAGES["CHANGELOG.md"], re.MULTILINE)
    assert versions[0] == __version__


def fabfile(folder: Path, text: str) -> dict[str, Any]:
    (folder / "fabfile.py").write_text(text)
    return runpy.run_path(str(folder / "fabfile.py"))


def example_of_a_step(folder: Path) -> dict[str, Any]:
    (text,) = titled("docs/writing-a-step.md", "fabfile.py", "python")
    return fabfile(folder, text)


def flow_with_backup(example: dict[str, Any]) -> Flow:
    flow: Flow = DEPLOY.before(example["migrate"], example["backup"])
    return flow


def targets() -> list[Target]:
    """A database host with a release, and migrations that it does not have yet."""
    project = Project(
        name="shop", root="/srv/www/shop", settings="shop.settings", checks=Checks(gate=False)
    )
    host = Host("db1", roles=("db",), project=project)
    live = Release("000001-aaaaaaa", migrations="old")
    found = Findings(
        root="ok",
        web=Tree(current=live.id, complete={live.id: live}),
        migrated="old",
        python="3.11",
    )
    source = Source(Path("/"), "", "b" * 40, "tree", "requirements", "new")
    target = Target(
        host=host,
        found=found,
        run=Run("r1", "deploy", "me@here"),
        workshop=Workshop(Path("/nowhere")),
        web=Release("000002-bbbbbbb", migrations="new"),
        source=source,
        fleet=((host, found),),
    )
    return [target]


def test_the_example_of_a_step_runs_in_front_of_the_migration(tmp_path: Path) -> None:
    example = example_of_a_step(tmp_path)
    assert "uptime" in example["ns"].task_names
    ran: list[str] = []

    def execute(_host: str, action: Action, _on_line: object) -> Result:
        ran.append(action.shell())
        return Result(0)

    plan = make_plan(flow_with_backup(example), targets()[0].run, targets())
    run_plan(plan, execute, lambda: None, lambda _event: None, 4)
    dump = next(at for at, line in enumerate(ran) if "dumpdata --output" in line)
    migrate = next(at for at, line in enumerate(ran) if "migrate.py" in line)
    assert dump < migrate
    assert "/srv/www/shop/shared/backups/before-000002-bbbbbbb.json.gz" in ran[dump]


def test_the_example_of_a_step_keeps_the_migration_away_when_it_fails(tmp_path: Path) -> None:
    ran: list[str] = []

    def execute(_host: str, action: Action, _on_line: object) -> Result:
        ran.append(action.shell())
        return Result(1 if "dumpdata" in action.shell() else 0)

    plan = make_plan(flow_with_backup(example_of_a_step(tmp_path)), targets()[0].run, targets())
    with pytest.raises(StepsFailed):
        run_plan(plan, execute, lambda: None, lambda _event: None, 4)
    assert not any("migrate.py" in line for line in ran)


def test_a_step_that_prepares_is_refused_behind_the_switch(tmp_path: Path) -> None:
    from deploy.steps.activate import activate
    from deploy.steps.code import push

    assert example_of_a_step(tmp_path)["backup"].phase is Phase.COMMIT
    with pytest.raises(Refused):
        DEPLOY.after(activate, push)


def fields(event: str) -> set[str]:
    section = PAGES["docs/json.md"].partition(f"\n## `{event}`\n")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))


def events() -> list[dict[str, Any]]:
    """One of each kind, with every field that it can have."""
    stream = StringIO()
    tell = JsonEvents(stream)
    host = Host("web1", roles=("web",))
    release = dict.fromkeys(
        ("event", "host", "kind", "release", "revision", "state", "unknown"), "release"
    )
    tell(Began("code.push", "", ("web1",)))
    tell(Ended("web1", "code.push", False, 0.1, "why", 3))
    tell(Note("a sentence"))
    tell(Fact("web1", host_facts(host, Findings())))
    tell(Fact("web1", dict(release)))
    migration = dict.fromkeys(("migration", "state", "risk", "operations", "rows", "sql"))
    fact = json.dumps({"event": "migration", **migration})
    tell(Said("db1", "db.plan", f"fact: {fact}"))
    begun = "begin 20260101-120000-aaaaaa deploy ann@desk db1 db1 web=->000001-aaaaaaa"
    tell(Fact("", *merged({"db1": Findings(runs=parse_journal("db1", [begun]))})))
    about = dict.fromkeys(("name", "release", "why", "engine", "made", "size", "sha256"), "x")
    tell(Fact("db1", listed("db1", about | dict.fromkeys(("database", "file"), "x"))))
    tell(Fact("", _commit(Commit("1a2b3c4", "ann", "Add a page"))))
    tell(Fact("", check_fact(Verdict(CHECKS[0], WAIVED, ("web1",), "what", "reason"))))
    lines = [output_line("web1", "text")]
    result = json.loads(result_line("deploy", 0.1, Outcome("000001-aaaaaaa")))
    failed = json.loads(error_line("deploy", 0.1, Refused("what", "hint"), 2))
    said = [json.loads(line) for line in (*stream.getvalue().splitlines(), *lines)]
    return [*said, result | failed]


@pytest.mark.parametrize("event", events(), ids=lambda event: str(event["event"]))
def test_the_fields_of_an_event_are_those_of_the_page(event: dict[str, Any]) -> None:
    assert fields(event["event"]) == set(event)


def test_every_event_of_the_page_exists() -> None:
    named = set(re.findall(r"^## `(\w+)`$", PAGES["docs/json.md"], re.MULTILINE))
    assert named == {event["event"] for event in events()}


def test_the_example_of_a_secret_environment_means_what_the_page_says() -> None:
    (example,) = blocks("docs/security.md", "sh")
    assert parse(example) == {
        "SECRET_KEY": 'everything between single quotes stands for itself: $ " \\',
        "DATABASE_URL": "postgres://mysite:pass#word@db1/mysite",
        "GREETING": 'two\nlines, and a "quote"',
    }


def test_the_lines_for_sudo_are_those_that_are_installed() -> None:
    script = (ROOT / "deploy" / "templates" / "prepare-host.sh").read_text()
    installed = re.findall(r"NOPASSWD: \$program (\S+) \$name ?\$?(\w*)", script)
    shown = re.findall(r"^ {4}deploy-root (\S+) NAME ?(\w*)$", PAGES["docs/security.md"], re.M)
    assert shown == [(word, what if what != "unit" else "UNIT") for word, what in installed]


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("docs/")])
def test_a_page_has_one_title_and_short_lines(page: str) -> None:
    text = FENCE.sub("", PAGES[page])
    assert len(re.findall(r"^# ", text, re.MULTILINE)) == 1
    long = [line for line in text.splitlines() if len(line) > 125 and not line.startswith("|")]
    assert not long
