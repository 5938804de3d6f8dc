"""Static files of a release are linked from the one before if they are the same, else collected."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.local.test_onsite_entry import BASE_PYTHON, NEW, OLD, ONSITE, release

HASHED = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
SETTINGS = f"""
import os
from pathlib import Path
SECRET_KEY = os.environ["SECRET_KEY"]
INSTALLED_APPS = ["django.contrib.staticfiles", "pages"]
STATIC_URL = "/static/"
STATIC_ROOT = Path(__file__).parents[1] / "collected"
STORAGES = {{"staticfiles": {{"BACKEND": "{HASHED}"}}}}
"""
FILES = {
    "pages/__init__.py": "",
    "pages/settings.py": SETTINGS,
    "pages/static/pages/site.css": "body { background: url(dot.svg) }",
    "pages/static/pages/dot.svg": "<svg/>",
}
OTHERS = {
    "a file has other content": {"pages/static/pages/dot.svg": "<svg></svg>"},
    "a file is new": {"pages/static/pages/new.svg": "<svg/>"},
    "a setting differs": {"pages/settings.py": SETTINGS.replace("/static/", "/assets/")},
    "names carry no digest": {"pages/settings.py": SETTINGS.replace("Manifest", "")},
    "a directory more": {
        "pages/settings.py": f"{SETTINGS}STATICFILES_DIRS = [Path(__file__).parent / 'more']\n",
        "pages/more/more.css": "",
    },
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "pages"
    (root / "shared").mkdir(parents=True)
    shutil.copytree(ONSITE, root / "entry", ignore=shutil.ignore_patterns("__pycache__"))
    facts = {"name": "pages", "root": str(root), "settings": "pages.settings", "wsgi": ""}
    (root / "entry" / "site.json").write_text(json.dumps(facts))
    (root / "shared" / "env").write_text("SECRET_KEY='correct horse'\n")
    release(root, OLD, {**FILES, "pages/late.py": ""})
    make_whole(root / "venvs" / "key")
    return root


def make_whole(venv: Path) -> None:
    """Let the virtualenv have a Python and packages of its own, found where a host finds them."""
    (venv / "bin").mkdir()
    (venv / "bin" / "python").symlink_to(BASE_PYTHON)
    (venv / "pyvenv.cfg").write_text(f"home = {Path(BASE_PYTHON).parent}\n")
    packages = next(venv.glob("lib/python*")) / "site-packages"
    there = packages.resolve()
    packages.unlink()
    packages.mkdir()
    for package in there.iterdir():
        (packages / package.name).symlink_to(package)


def gather(root: Path, name: str, before: str = "", code: int = 0, path: str = "") -> str:
    argv = [
        f"releases/{name}/venv/bin/python",
        "entry/gather.py",
        str(root),
        name,
        "collected",
        *([before] * bool(before)),
    ]
    environ = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "PYTHONPATH": path}
    done = subprocess.run(argv, cwd=root, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stderr


def pushed(root: Path, files: dict[str, str]) -> Path:
    """The release after OLD: what is the same is linked, as rsync does it."""
    made = root / "releases" / NEW
    shutil.copytree(
        root / "releases" / OLD,
        made,
        symlinks=True,
        copy_function=os.link,
        ignore=shutil.ignore_patterns("collected", ".gathered", "__pycache__"),
    )
    for path, text in {**files, "pages/late.py": "TEXT = 'another view'\n"}.items():
        (made / path).unlink(missing_ok=True)
        (made / path).parent.mkdir(exist_ok=True)
        (made / path).write_text(text)
    return made


def collected(root: Path, name: str) -> dict[str, tuple[bytes, int]]:
    """What was gathered: content and number of each file, by its path."""
    top = root / "releases" / name / "collected"
    files = [path for path in top.rglob("*") if path.is_file()]
    return {str(f.relative_to(top)): (f.read_bytes(), f.stat().st_ino) for f in files}


def test_the_same_files_are_linked(root: Path) -> None:
    gather(root, OLD)
    before = collected(root, OLD)
    assert "staticfiles.json" in before
    pushed(root, {})
    gather(root, NEW, OLD)
    assert collected(root, NEW) == before
    third = root / "releases" / "000003-ccccccc"
    shutil.copytree(
        root / "releases" / OLD,
        third,
        symlinks=True,
        copy_function=os.link,
        ignore=shutil.ignore_patterns("collected", ".gathered"),
    )
    gather(root, third.name, NEW)
    assert collected(root, third.name) == before, "what was linked can be linked again"


@pytest.mark.parametrize("what", OTHERS)
def test_they_are_collected_anew_when(root: Path, what: str) -> None:
    gather(root, OLD)
    pushed(root, OTHERS[what])
    gather(root, NEW, OLD)
    linked = collected(root, NEW)
    shutil.rmtree(root / "releases" / NEW / "collected")
    gather(root, NEW)
    anew = collected(root, NEW)
    assert {name: content for name, (content, _) in linked.items()} == {
        name: content for name, (content, _) in anew.items()
    }
    before = {number for _, number in collected(root, OLD).values()}
    assert not before & {number for _, number in linked.values()}


def test_a_file_that_is_gone_from_the_code_is_gone(root: Path) -> None:
    gather(root, OLD)
    made = pushed(root, {"pages/static/pages/site.css": ""})
    (made / "pages/static/pages/dot.svg").unlink()
    gather(root, NEW, OLD)
    assert "pages/dot.svg" not in collected(root, NEW)


def test_what_somebody_has_damaged_in_the_release_before_is_not_passed_on(root: Path) -> None:
    gather(root, OLD)
    whole = {name: content for name, (content, _) in collected(root, OLD).items()}
    (root / "releases" / OLD / "collected" / "pages" / "site.css").write_text("broken")
    pushed(root, {})
    gather(root, NEW, OLD)
    assert {name: content for name, (content, _) in collected(root, NEW).items()} == whole


def test_a_storage_of_the_project_s_own_is_always_asked_since_its_code_may_have_changed(
    root: Path,
) -> None:
    own = (
        f"from {HASHED.rpartition('.')[0]} import *\nclass Own(ManifestStaticFilesStorage): pass\n"
    )
    files = {
        "pages/store.py": own,
        "pages/settings.py": SETTINGS.replace(HASHED, "pages.store.Own"),
    }
    for path, text in files.items():
        (root / "releases" / OLD / path).write_text(text)
    gather(root, OLD)
    before = {number for _, number in collected(root, OLD).values()}
    pushed(root, {})
    gather(root, NEW, OLD)
    assert not before & {number for _, number in collected(root, NEW).values()}


STORE = """
from django.core.files.storage import FileSystemStorage, InMemoryStorage
from django.contrib.staticfiles.finders import BaseStorageFinder
class Elsewhere(FileSystemStorage):
    pass
class Finder(BaseStorageFinder):
    storage = Elsewhere(location="pages/more")
"""
IN_MEMORY = SETTINGS.replace(HASHED, "django.core.files.storage.InMemoryStorage")
FINDERS = """STATICFILES_FINDERS = [
    "pages.store.Finder", "django.contrib.staticfiles.finders.AppDirectoriesFinder"]
"""


@pytest.mark.parametrize("settings", [IN_MEMORY, SETTINGS + FINDERS])
def test_what_is_not_django_s_own_or_goes_elsewhere_is_collected_each_time(
    root: Path, settings: str
) -> None:
    code = root / "releases" / OLD / "pages"
    (code / "more").mkdir()
    (code / "more" / "more.css").touch()
    (code / "store.py").write_text(STORE)
    (code / "settings.py").write_text(settings)
    gather(root, OLD)
    pushed(root, {})
    gather(root, NEW, OLD)
    assert not (root / "releases" / NEW / ".gathered").exists()


def test_what_may_not_be_linked_is_collected(root: Path) -> None:
    gather(root, OLD)
    made = pushed(root, {})
    (made / "pages" / "sitecustomize.py").write_text(
        "import os\n"
        "def refuse(*_, **__): raise PermissionError(1, 'not permitted')\n"
        "os.link = refuse\n"
    )
    gather(root, NEW, OLD, path=str(made / "pages"))
    before, after = collected(root, OLD), collected(root, NEW)
    assert {name: content for name, (content, _) in after.items()} == {
        name: content for name, (content, _) in before.items()
    }
    assert not {number for _, number in before.values()} & {n for _, n in after.values()}


def test_a_release_before_that_never_gathered_anything_is_no_obstacle(root: Path) -> None:
    gather(root, OLD, "000000-0000000")
    assert "pages/dot.svg" in collected(root, OLD)


def test_settings_that_fail_are_told_without_their_secrets(root: Path) -> None:
    broken = f"{SETTINGS}raise ValueError(SECRET_KEY)\n"
    (root / "releases" / OLD / "pages" / "settings.py").write_text(broken)
    said = gather(root, OLD, code=2)
    assert "ValueError: <SECRET_KEY>" in said
    assert sys.executable not in said
