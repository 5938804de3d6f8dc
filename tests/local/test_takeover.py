"""Fabric's own `fab` script, as pip and uv install it, becomes the toolkit's program."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

FAB = str(Path(sys.executable).parent / "fab")
FABD = (sys.executable, "-c", "from deploy.cli import main; main()")
FABFILE = '''
from deploy.cli import takeover

takeover()

from fabric import task
from invoke import Collection, task as plain

from deploy.errors import RolledBack
from deploy.outcome import Outcome
from deploy.tasks.decorator import fleet_task


@plain
def build(c):
    print("building")


@fleet_task(help={"ref": "What to release."})
def deploy(c, ref="HEAD", count=1):
    """Release it."""
    print("deploying", ref, *[host.name for host in c.select()], "at once:", c.stage.parallel)
    return Outcome("000007-abc", {"hosts": len(c.select())})


@fleet_task(pre=[build])
def deploy_static(c):
    print("dry" if c.asked.dry else "static", *[host.name for host in c.select("static")])


@fleet_task()
def broken(c):
    raise RolledBack("web2 did not answer", "fab status")


@fleet_task()
def defect(c):
    {}["missing"]


@fleet_task()
def slow(c):
    import time
    print("begun", flush=True)
    time.sleep(60)


@fleet_task(stage=False)
def init(c):
    print("init in", c.asked.top.name)


@task
def here(c):
    c.run("echo said; exit 3")


@task
def name_of(c, who):
    print("hello", who)


@fleet_task()
def push(c):
    print("pushing", c.asked.sets)


ns = Collection(build, deploy, deploy_static, broken, defect, slow, init, here, name_of)
ns.add_collection(Collection("code", push))
'''
INVENTORY = """
[hosts.web1]
roles = ["web"]
[hosts.web2]
roles = ["web"]
[hosts.static1]
roles = ["static"]
"""
PYPROJECT = """
[tool.deploy]
name = "shop"
settings = "config.settings"
stage = "live"
"""

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "inventories").mkdir()
    (tmp_path / "inventories" / "live.toml").write_text(INVENTORY)
    (tmp_path / "inventories" / "staging.toml").write_text('[hosts.s1]\nroles = ["web"]\n')
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    (tmp_path / "fabfile.py").write_text(FABFILE)
    return tmp_path


@pytest.fixture
def fab(project: Path) -> Run:
    """Runs stock fab in the project; a keyword other than `cwd` and `program` is a variable."""

    def run(
        *args: str, cwd: Path = project, program: tuple[str, ...] = (FAB,), **variables: str
    ) -> subprocess.CompletedProcess[str]:
        plain = {name: of for name, of in os.environ.items() if not name.startswith("DEPLOY_")}
        return subprocess.run(
            [*program, *args],
            cwd=cwd,
            env=plain | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_an_error_that_nobody_reads_any_more_ends_with_its_own_exit_code(
    project: Path, more: tuple[str, ...]
) -> None:
    reads, writes = os.pipe()
    os.close(reads)  # as when Ctrl-C has ended `fab broken 2>&1 | tee log`, tee included
    done = subprocess.run([FAB, *more, "broken"], cwd=project, stdout=writes, stderr=writes)
    os.close(writes)
    assert done.returncode == 5


def test_the_script_under_test_is_fabrics_own() -> None:
    assert "from fabric.main import program" in Path(FAB).read_text()


@pytest.mark.parametrize(
    "line",
    [
        "-R web deploy",
        "-Rweb deploy",
        "--roles=web deploy",
        "--roles web deploy",
        "deploy -R web",
        "deploy --roles=web",
        "-R web,web deploy",
        "-R web -R web deploy",
        "-R web,static -x static1 deploy",
        "-x static1 deploy",
        "deploy -x static1",
        "-H web1,web2 deploy",
        "-R web -H web1,web2,static1 deploy",
        "-R web deploy --ref HEAD",
        "-c fabfile -R web deploy",
        "-I live -R web deploy",
    ],
)
def test_roles_and_hosts_mean_the_same_wherever_they_stand(fab: Run, line: str) -> None:
    done = fab(*line.split())
    assert done.stdout == "deploying HEAD web1 web2 at once: 32\n", done.stderr
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("program", [(FAB,), (sys.executable, "-m", "fabric"), FABD])
def test_it_is_the_same_whichever_program_is_started(fab: Run, program: tuple[str, ...]) -> None:
    done = fab("-R", "static", "deploy", program=program)
    assert done.stdout == "deploying HEAD static1 at once: 32\n", done.stderr


def test_it_works_from_a_folder_below(fab: Run, project: Path) -> None:
    below = project / "a" / "b"
    below.mkdir(parents=True)
    assert fab("-R", "static", "deploy", cwd=below).stdout.startswith("deploying HEAD static1")


def test_another_fabfile_can_be_named(fab: Run, project: Path) -> None:
    (project / "fabfile.py").rename(project / "other.py")
    assert fab("-c", "other", "-R", "static", "deploy").returncode == 0


def test_options_before_and_after_the_task_add_up(fab: Run) -> None:
    done = fab("-R", "web", "deploy", "-R", "static", "-z", "3")
    assert done.stdout == "deploying HEAD web1 web2 static1 at once: 3\n"


def test_serial_means_one_host_at_once(fab: Run) -> None:
    assert fab("deploy", "--serial", "-x", "web1,web2").stdout.endswith("at once: 1\n")


def test_dry_keeps_its_long_name_alone(fab: Run) -> None:
    assert fab("--dry", "deploy-static").stdout == "building\ndry static1\n"
    assert "-R, --dry" not in fab("--help", program=FABD).stdout


@pytest.mark.parametrize("task", ["lock", "recover", "env.push", "maintenance.on"])
def test_what_cannot_be_shown_without_being_done_is_refused_dry(
    fab: Run, project: Path, task: str
) -> None:
    (project / "fabfile.py").write_text(
        "from deploy.cli import takeover\ntakeover()\n"
        "from deploy.tasks import namespace\nns = namespace()\n"
    )
    done = fab("--dry", task, program=FABD)
    assert done.returncode == 2
    assert f"{task} cannot be shown without being done: nothing was done" in done.stderr


@pytest.mark.parametrize("words", [("deploy", "--revision", ""), ("rollback", "--to", "")])
def test_what_is_named_by_an_empty_variable_is_refused(
    fab: Run, project: Path, words: tuple[str, ...]
) -> None:
    (project / "fabfile.py").write_text("from deploy.tasks import namespace\nns = namespace()\n")
    done = fab(*words, program=FABD)
    assert done.returncode == 2
    assert f"{words[1]} was given nothing" in done.stderr


def test_an_empty_stage_does_not_mean_the_usual_one(fab: Run) -> None:
    done = fab("-I", "", "deploy")
    assert done.returncode == 2
    assert "-I was given nothing" in done.stderr


def test_settings_can_be_given_for_one_run(fab: Run) -> None:
    done = fab("--set", "web.threads=8", "code.push", "--set", "keep=3")
    assert done.stdout == "pushing (('web.threads', '8'), ('keep', '3'))\n"


def test_the_stage_is_the_projects_the_environments_or_the_operators(fab: Run) -> None:
    assert "web1" in fab("deploy").stdout
    assert "s1" in fab("deploy", DEPLOY_STAGE="staging").stdout
    assert "web1" in fab("deploy", "-I", "live", DEPLOY_STAGE="staging").stdout


def test_listing_and_help_are_fabrics(fab: Run) -> None:
    listed = fab("--list")
    assert {"deploy", "deploy-static", "code.push"} <= set(listed.stdout.split())
    for line in (("--help", "deploy"), ("deploy", "--help")):
        assert "Release it." in fab(*line).stdout
    assert "--ref=STRING" in fab("--help", "deploy").stdout
    assert fab("--version").stdout.startswith("Fabric 3")
    assert "django-fabric-deploy" in fab("--version", program=FABD).stdout


def test_tasks_of_a_command_line_run_one_after_the_other(fab: Run) -> None:
    done = fab("code.push", "deploy-static", "init")
    assert [line.split()[0] for line in done.stdout.splitlines()] == [
        "pushing",
        "building",
        "static",
        "init",
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("-R wbe deploy", 'there is no role "wbe"; did you mean "web"?'),
        ("-R lb deploy", 'no host of live.toml has the role "lb"'),
        ("-R|  |deploy", "-R was given nothing"),
        ("-R||deploy", "-R was given nothing"),
        ("-R web,,|deploy||", "there is no task"),
        ("-H wbe1 deploy", 'there is no host "wbe1" in live.toml; did you mean "web1"?'),
        ("-x wbe1 deploy", 'there is no host "wbe1" in live.toml; did you mean "web1"?'),
        ("-R web -x static1 deploy", "-x static1 leaves nobody out; selected are: web1, web2"),
        ("-R web -x web1,web2 deploy", "-R web -x web1,web2 selects none of the hosts"),
        ("-R deploy", 'no task: "deploy" after -R is a role'),
        ("-R web", "no task: say what to do on these hosts"),
        ("-H web1 -x web1", "no task"),
        ("-R", "--roles needs a value"),
        ("deploy -R", "--roles needs a value"),
        ("-I lvie deploy", 'there is no stage "lvie"'),
        ("depoly", 'there is no task "depoly"; did you mean "deploy"?'),
        ("-z x deploy", '-z wants a number of hosts from 1 to 1000, not "x"'),
        ("-z 0 deploy", '-z wants a number of hosts from 1 to 1000, not "0"'),
        ("--set web.threds=1 deploy", 'did you mean "web.threads"?'),
        ("--set nonsense deploy", "--set wants KEY=VALUE"),
        ("deploy --count x", "an option of a task does not fit"),
        ("name-of", "name-of needs a value for 'who'"),
        ("-c nothing deploy", "Can't find any collection named 'nothing'!"),
        ("-R web -- ", "no task"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(fab: Run, line: str, said: str) -> None:
    done = fab(*(line.split("|") if "|" in line else line.split()))
    assert said in done.stderr
    assert done.stdout == ""
    if "collection" not in said:  # stock fab finds no fabfile that could take over
        assert done.returncode == 2
        assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_an_unknown_role_is_refused_before_anything_runs(fab: Run) -> None:
    done = fab("-R", "wbe", "build", "deploy-static", "init")
    assert (done.returncode, done.stdout) == (2, "")


def test_a_task_without_a_stage_needs_no_inventory(fab: Run, project: Path) -> None:
    (project / "inventories" / "live.toml").unlink()
    assert fab("init").stdout == f"init in {project.name}\n"
    assert fab("deploy").returncode == 2


def test_an_error_tells_what_and_what_next(fab: Run) -> None:
    done = fab("broken", "init")
    assert done.stderr == "error: web2 did not answer\nnext: fab status\n"
    assert (done.returncode, done.stdout) == (5, "")


def test_a_defect_is_called_one(fab: Run) -> None:
    done = fab("defect")
    assert done.stderr.startswith("error: a defect: unexpected KeyError: 'missing'\nTraceback")
    assert done.returncode == 1


def test_json_ends_with_a_line_for_each_task(fab: Run) -> None:
    done = fab("--json", "deploy", "deploy-static")
    first, second = (json.loads(line) for line in done.stdout.splitlines() if line[0] == "{")
    assert first.pop("seconds") >= 0
    assert first == {
        "event": "result",
        "task": "deploy",
        "ok": True,
        "release": "000007-abc",
        "hosts": 3,
        "exit_code": 0,
    }
    assert (second["task"], second["release"]) == ("deploy-static", None)


@pytest.mark.parametrize(
    ("line", "task", "code", "error"),
    [
        ("broken --json", "broken", 5, "web2 did not answer"),
        ("--json defect", "defect", 1, "a defect: unexpected KeyError: 'missing'"),
        ("--json -R wbe deploy", None, 2, 'there is no role "wbe"; did you mean "web"?'),
        ("--json -I lvie deploy", None, 2, "there is no stage"),
        ("--json depoly", None, 2, 'there is no task "depoly"; did you mean "deploy"?'),
        ("depoly --json", None, 2, 'there is no task "depoly"; did you mean "deploy"?'),
        ("--json here", "here", 3, "`echo said; exit 3` ended with exit code 3"),
    ],
)
def test_json_tells_errors_too(
    fab: Run, line: str, task: str | None, code: int, error: str
) -> None:
    done = fab(*line.split())
    told = json.loads(done.stdout.splitlines()[-1])
    assert (told["event"], told["ok"], told["task"]) == ("result", False, task)
    assert error in told["error"]
    assert told["exit_code"] == done.returncode == code


def test_ctrl_c_ends_in_one_line(project: Path) -> None:
    with subprocess.Popen(
        [FAB, "slow"], cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "begun\n"
        began = time.monotonic()
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=10)
    assert (running.returncode, said) == (130, "error: stopped by Ctrl-C or a signal\n")
    assert time.monotonic() - began < 5


def test_whoever_stops_reading_causes_no_traceback(fab: Run) -> None:
    done = fab("-o", "pipefail", "-c", f"{FAB} --list | true", program=("bash",))
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_importing_a_fabfile_takes_nothing_over(fab: Run) -> None:
    done = fab("-c", "import fabfile; print(fabfile.deploy.name)", program=(sys.executable,))
    assert done.stdout == "deploy\n"


def test_a_task_of_the_fleet_refuses_another_program(fab: Run) -> None:
    inv = str(Path(sys.executable).parent / "inv")
    assert (
        "has to be started by the toolkit's fab"
        in fab("-c", "fabfile", "deploy", program=(inv,)).stderr
    )


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("fab -R", ["web", "static"]),
        ("fab -R we", ["web", "static"]),
        ("fab -R web,s", ["web,static"]),
        ("fab --roles = s", ["web", "static"]),
        ("fab deploy -R s", ["web", "static"]),
        ("fab -H web1,w", ["web1,web2", "web1,static1"]),
        ("fab -x", ["web1", "web2", "static1"]),
        ("fab -I st", ["live", "staging"]),
        ("fab -I staging -H s", ["s1"]),
        ("fab -R web deploy --r", ["--count", "--ref"]),
    ],
)
def test_roles_hosts_and_stages_are_completed(fab: Run, typed: str, offered: list[str]) -> None:
    assert fab("--complete", "--", *typed.split()).stdout.split() == offered


def test_after_a_complete_role_a_task_may_follow(fab: Run) -> None:
    offered = fab("--complete", "--", "fab", "-R", "web").stdout.split()
    assert {"deploy", "code.push"} <= set(offered)


def test_completion_is_silent_where_there_is_nothing_to_offer(fab: Run, project: Path) -> None:
    (project / "inventories" / "live.toml").write_text("x =")
    done = fab("--complete", "--", "fab", "-R")
    assert (done.stderr, done.returncode) == ("", 0)


def test_starting_loads_nothing_that_only_a_run_needs(fab: Run) -> None:
    code = "import deploy.cli, sys; print([m for m in ('rich', 'jinja2') if m in sys.modules])"
    assert fab("-c", code, program=(sys.executable,)).stdout == "[]\n"
