"""The WSGI script, in a process of its own with a stand-in for mod_wsgi, on a site of a few lines.

That process runs the Python below our virtualenv: Django is found only if the script activates
the release's own.
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ONSITE = Path(__file__).parents[2] / "deploy" / "onsite"
BASE_PYTHON = str(Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info[1]}")
OLD, NEW = "000001-aaaaaaa", "000002-bbbbbbb"
PUBLIC = {"mod_wsgi.listener_port": "80", "SERVER_PORT": "80"}
PRIVATE = {"mod_wsgi.listener_port": "8101", "SERVER_PORT": "80"}

SITE = {
    "pages/settings.py": (
        "import os\n"
        "SECRET_KEY = os.environ['SECRET_KEY']\n"
        "ALLOWED_HOSTS = ['*']\n"
        "ROOT_URLCONF = 'pages.urls'\n"
    ),
    "pages/wsgi.py": (
        "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n"
    ),
    "pages/urls.py": (
        "import os\n"
        "from django.http import HttpResponse\n"
        "from django.urls import path\n"
        "def page(request):\n"
        "    from pages import late\n"
        "    return HttpResponse(f'{late.TEXT} {os.environ[\"GREETING\"]} {os.getcwd()}')\n"
        "urlpatterns = [path('page', page)]\n"
    ),
}

DRIVER = """
import json, runpy, sys
entry, requests = sys.argv[1:]
application = runpy.run_path(entry, run_name="_mod_wsgi_1")["application"]
for request in json.loads(requests):
    if "move" in request:
        import os
        os.unlink(request["move"]); os.symlink(request["to"], request["move"])
        continue
    said = {}
    def start_response(status, headers, exc_info=None):
        said.update(status=status, headers=dict(headers))
    import io
    environ = {"REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "SERVER_NAME": "x", "HTTP_HOST": "x",
               "wsgi.input": io.BytesIO(), "wsgi.errors": sys.stderr, "wsgi.url_scheme": "http",
               "SERVER_PROTOCOL": "HTTP/1.1", **request}
    body = b"".join(application(environ, start_response)).decode()
    print(json.dumps({**said, "body": body}))
"""


@dataclass(frozen=True)
class Answer:
    """One response of the process."""

    status: str
    headers: dict[str, str]
    body: str


@dataclass(frozen=True)
class Ended:
    """What a process of the site did."""

    answers: tuple[Answer, ...]
    log: str
    said: dict[str, str]


def release(root: Path, name: str, files: dict[str, str]) -> Path:
    """A release with these files, and a virtualenv that leads to the packages of the tests."""
    made = root / "releases" / name
    for path, text in {**SITE, "pages/late.py": f"TEXT = '{name}'\n", **files}.items():
        (made / path).parent.mkdir(parents=True, exist_ok=True)
        (made / path).write_text(text)
    library = root / "venvs" / "key" / "lib" / f"python3.{sys.version_info[1]}"
    if not library.exists():
        library.mkdir(parents=True)
        (library / "site-packages").symlink_to(sysconfig.get_path("purelib"))
    (made / "venv").symlink_to("../../venvs/key")
    (made / "release.json").write_text("{}")
    return made


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A site on a host, with one release in slot blue."""
    root = tmp_path / "pages"
    for name in ("slots", "run", "shared"):
        (root / name).mkdir(parents=True)
    shutil.copytree(ONSITE, root / "entry", ignore=shutil.ignore_patterns("__pycache__"))
    facts = {"name": "pages", "root": str(root), "settings": "pages.settings", "wsgi": ""}
    (root / "entry" / "site.json").write_text(json.dumps({**facts, "private_ports": [8101, 8102]}))
    (root / "shared" / "env").write_text("SECRET_KEY='correct horse'\nGREETING=\"good day\"\n")
    (tmp_path / "apache").mkdir()
    (tmp_path / "apache" / "mod_wsgi.py").write_text(
        "import os\nprocess_group = os.environ['GROUP']\n"
    )
    release(root, OLD, {})
    (root / "slots" / "blue").symlink_to(f"../releases/{OLD}")
    return root


def serve(root: Path, *requests: dict[str, str], group: str | None = "pages-blue") -> Ended:
    """Load the script as a process of the daemon group `group`; None is another server."""
    environ = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    if group is not None:
        environ |= {"GROUP": group, "PYTHONPATH": str(root.parent / "apache")}
    argv = [BASE_PYTHON, "-c", DRIVER, str(root / "entry" / "wsgi.py"), json.dumps(requests)]
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, cwd="/", check=False)
    assert done.returncode == 0, done.stderr
    answers = tuple(Answer(**json.loads(line)) for line in done.stdout.splitlines())
    files = {path.name: path.read_text() for path in (root / "run").glob("*")}
    return Ended(answers, done.stderr, files)


def get(path: str, at: dict[str, str] | None = None) -> dict[str, str]:
    """A request for `path`, to the public vhost unless told otherwise."""
    return {"PATH_INFO": path, **(PUBLIC if at is None else at)}


def only(ended: Ended, slot: str = "blue") -> str:
    """What the one process of the slot wrote."""
    (text,) = (text for name, text in ended.said.items() if name.startswith(f"{slot}-"))
    return text


def test_a_process_serves_the_release_of_its_slot_and_says_so(root: Path) -> None:
    ended = serve(root, get("/page"))
    assert only(ended) == f"loaded {OLD}\n"
    assert ended.answers[0].body == f"{OLD} good day {root}/releases/{OLD}"


def meanwhile(root: Path, act: Callable[[], object]) -> Ended:
    """Load the script of slot blue, and act when it has had the time to do the wrong thing."""
    with ThreadPoolExecutor() as pool:
        serving = pool.submit(serve, root, get("/page"))
        time.sleep(1)
        assert not serving.done(), "it did not wait"
        act()
        return serving.result(timeout=20)


def test_a_process_that_starts_before_its_release_is_complete_loads_all_of_it(root: Path) -> None:
    made = root / "releases" / OLD
    (made / "release.json").unlink()
    (made / "pages" / "urls.py").rename(made / "urls.part")

    def seal() -> None:
        (made / "urls.part").rename(made / "pages" / "urls.py")
        (made / "release.json").write_text("{}")

    assert only(meanwhile(root, seal)) == f"loaded {OLD}\n"


@pytest.mark.parametrize("how", ["given to another release", "release taken away"])
def test_a_process_does_not_wait_for_what_never_comes_as_mod_wsgi_could_not_end_it(
    root: Path, how: str
) -> None:
    (root / "releases" / OLD / "release.json").unlink()

    def act() -> None:
        if how == "release taken away":
            shutil.rmtree(root / "releases" / OLD)
        else:
            release(root, NEW, {})
            (root / "slots" / "new").symlink_to(f"../releases/{NEW}")
            (root / "slots" / "new").rename(root / "slots" / "blue")

    ended = meanwhile(root, act)
    assert only(ended) == "empty\n"
    assert ended.answers[0].status == "503 Service Unavailable"


def test_what_is_live_is_served_though_it_is_not_marked_as_complete(root: Path) -> None:
    (root / "current").symlink_to(f"releases/{OLD}")
    (root / "releases" / OLD / "release.json").unlink()
    assert only(serve(root, get("/page"))) == f"loaded {OLD}\n"


def test_every_response_names_its_release_errors_of_the_site_too(root: Path) -> None:
    for answer in serve(root, get("/page"), get("/nowhere")).answers:
        assert answer.headers["X-Release"] == OLD


def test_the_private_port_tells_release_slot_and_locale_without_django(root: Path) -> None:
    (answer,) = serve(root, get("/-/release", PRIVATE)).answers
    about: dict[str, Any] = json.loads(answer.body)
    assert (about.pop("pid") > 0, about.pop("python")) == (True, sys.version.split()[0])
    assert (about.pop("locale"), about.pop("encoding")) == ("C.UTF-8", "utf-8")
    assert about == {"release": OLD, "slot": "blue"}


def test_a_load_balancer_is_told_that_the_process_is_ready_on_any_port(root: Path) -> None:
    answers = serve(root, get("/-/ready"), get("/-/ready", PRIVATE)).answers
    assert [answer.status for answer in answers] == ["200 OK"] * 2


def test_other_pages_on_the_private_port_are_the_site_s(root: Path) -> None:
    assert serve(root, get("/page", PRIVATE)).answers[0].body.startswith(OLD)


def test_a_visitor_who_claims_the_private_port_does_not_get_the_release_page(root: Path) -> None:
    claimed = {"mod_wsgi.listener_port": "80", "SERVER_PORT": "8101"}
    answers = serve(root, get("/-/release"), get("/-/release", claimed)).answers
    assert [answer.status for answer in answers] == ["404 Not Found"] * 2


def test_a_process_keeps_its_release_when_the_slot_moves_on(root: Path) -> None:
    release(root, NEW, {})
    moved = {"move": str(root / "slots" / "blue"), "to": f"../releases/{NEW}"}
    (answer,) = serve(root, moved, get("/page")).answers
    assert answer.body.startswith(OLD)


@pytest.mark.parametrize("group", [None, "", "pages"])
def test_outside_of_a_slot_current_is_served(root: Path, group: str | None) -> None:
    release(root, NEW, {})
    (root / "current").symlink_to(f"releases/{NEW}")
    ended = serve(root, get("/page"), group=group)
    assert ended.answers[0].body.startswith(NEW)
    assert only(ended, "current") == f"loaded {NEW}\n"


def test_a_slot_without_a_release_answers_503(root: Path) -> None:
    ended = serve(root, get("/page"), group="pages-green")
    assert ended.answers[0].status == "503 Service Unavailable"
    assert only(ended, "green") == "empty\n"


@pytest.mark.parametrize(
    ("path", "text", "reason"),
    [
        ("pages/settings.py", "import nowhere\n", "No module named 'nowhere'"),
        ("pages/urls.py", "urlpatterns = [\n", "SyntaxError"),
        ("pages/urls.py", "urlpatterns = []\n", "no patterns"),
        ("pages/urls.py", "urlpatterns = ['x']\n", "urls.E004"),
        ("pages/wsgi.py", "", "has no attribute 'application'"),
        ("pages/wsgi.py", "raise SystemExit(3)\n", "SystemExit: 3"),
    ],
)
def test_a_release_that_does_not_load_answers_500_and_the_reason_is_kept(
    root: Path, path: str, text: str, reason: str
) -> None:
    release(root, NEW, {path: text})
    moved = root / "slots" / "green"
    moved.symlink_to(f"../releases/{NEW}")
    ended = serve(root, get("/page"), group="pages-green")
    assert ended.answers[0].status == "500 Internal Server Error"
    assert reason not in ended.answers[0].body
    first, *rest = only(ended, "green").splitlines()
    assert first == f"failed {NEW}"
    assert reason in "\n".join(rest)
    assert reason in ended.log


def test_the_reason_names_file_and_line_but_shows_no_value_of_the_environment(root: Path) -> None:
    (root / "slots" / "green").symlink_to(f"../releases/{NEW}")
    release(root, NEW, {"pages/settings.py": "import os\nX = int(os.environ['SECRET_KEY'])\n"})
    ended = serve(root, group="pages-green")
    assert f"{root}/releases/{NEW}/pages/settings.py:2 in <module>" in only(ended, "green")
    assert "ValueError: invalid literal for int() with base 10: '<SECRET_KEY>'" in ended.log
    assert "correct horse" not in ended.log + only(ended, "green")


def test_a_long_reason_keeps_its_end(root: Path) -> None:
    (root / "slots" / "green").symlink_to(f"../releases/{NEW}")
    release(root, NEW, {"pages/settings.py": "raise ValueError('x' * 9000 + 'the end')\n"})
    said = only(serve(root, group="pages-green"), "green")
    assert said.startswith(f"failed {NEW}\n")
    assert said.endswith("the end\n")
    assert len(said) == 4096


def test_a_malformed_environment_file_is_a_failure_to_load(root: Path) -> None:
    (root / "shared" / "env").write_text("SECRET_KEY\n")
    ended = serve(root, get("/page"))
    assert "shared/env, line 1: not of the form KEY=value" in only(ended)
    assert ended.answers[0].status == "500 Internal Server Error"


def test_a_virtualenv_of_another_python_is_named(root: Path) -> None:
    library = next((root / "venvs" / "key" / "lib").iterdir())
    library.rename(library.with_name("python3.1"))
    assert "found: python3.1" in only(serve(root))


def test_a_site_may_have_modules_named_like_ours(root: Path) -> None:
    (root / "slots" / "green").symlink_to(f"../releases/{NEW}")
    own = "import envfile, status\nTEXT = envfile.TEXT + status.TEXT\n"
    files = {"envfile.py": "TEXT = 'its '\n", "status.py": "TEXT = 'own'\n", "pages/late.py": own}
    release(root, NEW, files)
    assert serve(root, get("/page"), group="pages-green").answers[0].body.startswith("its own")


def test_files_of_dead_processes_of_the_slot_are_removed_and_no_others(root: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    taken_over = os.getpid()  # alive, but no process of the site
    for name in (f"blue-{gone.pid}", f"blue-{taken_over}", f"green-{gone.pid}"):
        (root / "run" / name).write_text("loaded 000000-0000000\n")
    ended = serve(root)
    assert {f"blue-{gone.pid}", f"blue-{taken_over}"}.isdisjoint(ended.said)
    assert f"green-{gone.pid}" in ended.said
    assert only(ended) == f"loaded {OLD}\n"


def test_anybody_may_read_what_a_process_says(root: Path) -> None:
    serve(root)
    (said,) = (root / "run").iterdir()
    assert said.stat().st_mode & 0o777 == 0o644


def test_a_process_that_cannot_say_how_it_is_serves_all_the_same(root: Path) -> None:
    (root / "run").rmdir()
    ended = serve(root, get("/page"))
    assert ended.answers[0].status == "200 OK"
    assert "run cannot be written" in ended.log


def run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a management command as an operator would."""
    argv = [BASE_PYTHON, str(root / "entry" / "run.py"), str(root), *arguments]
    return subprocess.run(argv, capture_output=True, text=True, cwd="/", check=False)


def test_a_management_command_has_the_environment_of_the_site(root: Path) -> None:
    code = "import os; print(os.environ['GREETING'], os.getcwd())"
    assert run(root, OLD, "shell", "-v0", "-c", code).stdout == (
        f"good day {root}/releases/{OLD}\n"
    )


def test_a_management_command_s_exit_code_is_handed_on(root: Path) -> None:
    assert run(root, OLD, "nonsense").returncode == 1


def test_a_module_runs_in_the_release_with_its_environment_and_its_own_words(root: Path) -> None:
    module = root / "releases" / OLD / "works.py"
    module.write_text("import os, sys; print(__name__, sys.argv[1:], os.environ['GREETING'])")
    done = run(root, OLD, "-m", "works", "--queue", "mail")
    assert done.stdout == "__main__ ['--queue', 'mail'] good day\n", done.stderr


def test_a_release_keeps_its_settings_when_one_that_never_went_live_had_others(root: Path) -> None:
    site = root / "entry" / "site.json"
    own = json.loads(site.read_text())
    made = {"id": OLD, "site": {"settings": own["settings"], "wsgi": own.get("wsgi", "")}}
    (root / "releases" / OLD / "release.json").write_text(json.dumps(made))
    site.write_text(json.dumps({**own, "settings": "renamed.production"}))
    assert serve(root, get("/page")).answers[0].status == "200 OK"
    assert run(root, OLD, "check").returncode == 0


@pytest.mark.parametrize("name", [NEW, "current", "../../etc", ".", ""])
def test_a_management_command_of_no_release_is_not_started(root: Path, name: str) -> None:
    done = run(root, name, "check")
    assert done.returncode == 2
    assert done.stderr == f"there is no release {name!r} in {root}/releases\n"
