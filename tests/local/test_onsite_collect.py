"""Collecting static files: what is listed, and what is refused with one line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

COLLECT = Path(__file__).parents[2] / "deploy" / "onsite" / "collect.py"
SETTINGS = """
from pathlib import Path
SECRET_KEY = "any"
BASE = Path(__file__).parent.parent
INSTALLED_APPS = ["django.contrib.staticfiles", "pages"]
STATIC_URL = "/static/"
STATIC_ROOT = BASE / "staticfiles"
STATICFILES_DIRS = [BASE / "assets"]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True,
              "DIRS": [BASE / "templates"]}]
STORAGES = {"staticfiles": {"BACKEND":
    "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"}}
"""
FILES = {
    "pages/__init__.py": "",
    "pages/settings.py": SETTINGS,
    "pages/static/pages/dot.svg": "<svg/>",
    "pages/static/pages/site.css": "b{background:url(dot.svg)}",
    "assets/robots.txt": "",
    "templates/page.html": "{% load static %}{% static 'pages/site.css' %}",
}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """An exported release."""
    write(tmp_path, FILES)
    return tmp_path


def write(site: Path, files: dict[str, str]) -> None:
    """Put these files into the release."""
    for name, text in files.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text)


def collect(site: Path, settings: str = "pages.settings") -> subprocess.CompletedProcess[str]:
    """Run collect.py as the toolkit does."""
    argv = [sys.executable, str(COLLECT), settings]
    environ = {"PATH": os.environ["PATH"]}
    return subprocess.run(argv, cwd=site, env=environ, capture_output=True, text=True, check=False)


def refusal(site: Path, settings: str = "pages.settings") -> str:
    """The one line with which collecting is refused."""
    done = collect(site, settings)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done.stderr
    return done.stderr


def listed(path: Path) -> list[str]:
    """The names in a list that collect.py wrote, each ended by a NUL."""
    *names, rest = path.read_text().split("\0")
    assert rest == ""
    return names


def test_all_files_are_listed_and_those_with_a_hash_apart(site: Path) -> None:
    done = collect(site)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {"root": "staticfiles", "files": 7, "hashed": 3}
    root = site / "staticfiles"
    hashed = listed(root / ".hashed")
    assert [name.split(".")[0] for name in hashed] == ["pages/dot", "pages/site", "robots"]
    plain = ["pages/dot.svg", "pages/site.css", "robots.txt", "staticfiles.json"]
    assert listed(root / ".release-files") == sorted([*hashed, *plain])
    assert Path(hashed[0]).name in (root / hashed[1]).read_text()


def test_collecting_again_gives_the_same(site: Path) -> None:
    assert collect(site).stdout == collect(site).stdout


def test_without_hashed_names_none_are_listed(site: Path) -> None:
    text = SETTINGS.replace(".ManifestStatic", ".Static")
    write(site, {"pages/settings.py": text})
    assert json.loads(collect(site).stdout)["hashed"] == 0
    assert listed(site / "staticfiles" / ".hashed") == []


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('STATIC_ROOT = BASE / "staticfiles"', "", "STATIC_ROOT is not set in pages.settings"),
        ('BASE / "staticfiles"', '"/srv/static"', "STATIC_ROOT of pages.settings is /srv/static"),
        ('BASE / "staticfiles"', "BASE", "must lie inside the project"),
        ('"django.contrib.staticfiles", ', "", "staticfiles is not in INSTALLED_APPS"),
        ('"any"', "__import__('os').environ['KEY']", "KeyError: 'KEY'"),
        ('"pages"]', '"pages", "gone"]', "ModuleNotFoundError: No module named 'gone'"),
        ('BASE / "assets"]', "BASE / 'staticfiles']", "(staticfiles.E002)"),
    ],
)
def test_settings_that_cannot_be_collected_with_are_refused(
    site: Path, old: str, new: str, reason: str
) -> None:
    write(site, {"pages/settings.py": SETTINGS.replace(old, new)})
    assert reason in refusal(site)


def test_a_settings_module_that_is_not_there_is_refused(site: Path) -> None:
    assert "pages.other cannot be loaded: ModuleNotFoundError" in refusal(site, "pages.other")


def test_a_style_sheet_that_names_a_missing_file_is_named(site: Path) -> None:
    write(site, {"pages/static/pages/bad.css": "b{background:url(gone.png)}"})
    line = refusal(site)
    assert "'pages/bad.css'" in line
    assert "'pages/gone.png'" in line


def test_a_template_that_names_a_missing_file_is_named(site: Path) -> None:
    write(site, {"pages/templates/other.html": '{% load static %}{% static "gone.js" %}'})
    assert "pages/templates/other.html names gone.js, which no app or directory has" in refusal(
        site
    )


def test_what_a_template_does_not_run_may_name_anything(site: Path) -> None:
    hidden = (
        "{# {% static 'a' %} #}{% comment 'why' %}{% static 'b' %}{% endcomment %}"
        "{% verbatim %}{% static 'c' %}{% endverbatim %}{% static variable %}"
    )
    write(site, {"templates/hidden.html": hidden})
    assert collect(site).returncode == 0


def test_nothing_to_collect_is_refused(site: Path) -> None:
    text = SETTINGS.replace('[BASE / "assets"]', "[]").replace('"pages"]', "]")
    write(site, {"pages/settings.py": text, "templates/page.html": ""})
    assert refusal(site) == "nothing was collected: no app or directory has static files\n"


def test_a_file_in_the_place_of_a_different_one_is_a_warning(site: Path) -> None:
    write(site, {"assets/pages/dot.svg": "<svg></svg>"})
    done = collect(site)
    assert done.returncode == 0
    assert done.stderr == (
        f"warning: pages/dot.svg is there twice and differs: {site}/assets/pages/dot.svg is used,"
        f" {site}/pages/static/pages/dot.svg is not\n"
    )


def test_the_same_file_in_two_places_is_not_worth_a_word(site: Path) -> None:
    write(site, {"assets/pages/dot.svg": "<svg/>"})
    assert collect(site).stderr == ""
