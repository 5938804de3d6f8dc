"""Collecting static files: what is listed, and what is refused with one line."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import brotli
import pytest

COLLECT = Path(__file__).parents[2] / "deploy" / "onsite" / "collect.py"
PACK = Path(__file__).parents[2] / "deploy" / "local" / "pack.py"
BUILD = Path(__file__).parents[2] / "deploy" / "local" / "build.sh"
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


def test_a_folder_to_which_a_page_adds_a_name_is_no_file_that_is_missing(site: Path) -> None:
    template = "{% load static %}<img src=\"{% static 'pages/' %}{{ name }}\">"
    write(site, {"templates/page.html": template})
    collect(site)


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


@pytest.mark.parametrize("target", ["/etc/passwd", "../../outside.txt", "/gone"])
def test_a_link_that_leads_out_of_the_site_is_refused(site: Path, target: str) -> None:
    inside = site / "inside"
    write(inside, FILES)
    (site / "outside.txt").write_text("private")
    (inside / "assets" / "link.txt").symlink_to(target)
    line = refusal(inside)
    assert f"{inside}/assets/link.txt leads to " in line
    assert "which is not part of the site" in line
    assert not (inside / "staticfiles").exists()


def test_a_folder_that_leads_out_of_the_site_is_refused(site: Path) -> None:
    (site / "assets" / "etc").symlink_to("/usr/share/doc/bash")
    assert "which is not part of the site" in refusal(site)


def test_a_link_inside_the_site_is_collected_as_the_file_that_it_is(site: Path) -> None:
    (site / "assets" / "same.txt").symlink_to("robots.txt")
    assert collect(site).returncode == 0
    assert not (site / "staticfiles" / "same.txt").is_symlink()


ODD = ("a b.css", 'it\'s "q".js', "new\nline.svg", "żółw.css", "-rf.txt", "$(id).js")


def test_names_of_every_kind_are_collected_and_compressed(site: Path) -> None:
    for name in ODD:
        write(site, {f"assets/odd/{name}": "/* text */\n" * 200})
    made = site.parent / f"{site.name}-made"
    argv = ["sh", str(BUILD), "collect_static", str(made), str(site), sys.executable, str(COLLECT)]
    more = ["pages.settings", "staticfiles", "server", sys.executable, "", "--brotli"]
    done = subprocess.run([*argv, *more], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    root = made / "staticfiles"
    hashed = listed(root / ".hashed")
    for name in ODD:
        stem, _, ending = name.replace("\n", "").rpartition(".")  # Django's digest goes there so
        [plain] = [one for one in hashed if one.startswith(f"odd/{stem}.") and one.endswith(ending)]
        for path in (f"odd/{name}", plain, f"{plain}.gz", f"{plain}.br"):
            assert (root / path).is_file()
        assert {f"{plain}.gz", f"{plain}.br"} <= set(hashed)
        assert brotli.decompress((root / f"{plain}.br").read_bytes()) == (root / plain).read_bytes()
    sums = subprocess.run(["sha256sum", "-c", "--quiet", ".sums"], cwd=root, capture_output=True)
    assert (sums.returncode, sums.stdout) == (0, b"")


def packed(folder: Path, before: Path | None = None) -> dict[str, int]:
    """Pack what lies there; the number by which the file system knows each file."""
    subprocess.run([sys.executable, PACK, folder, *([before] if before else [])], check=True)
    sums = subprocess.run(["sha256sum", "-c", "--quiet", ".sums"], cwd=folder, capture_output=True)
    assert (sums.returncode, sums.stdout) == (0, b"")
    return {path.name: path.stat().st_ino for path in folder.iterdir()}


def test_what_was_compressed_before_is_linked_and_what_has_other_content_is_not(
    tmp_path: Path,
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder, text in ((one, "old"), (two, "new")):
        write(folder, {"same.css": "same " * 500, "other.css": f"{text} " * 500, "small.css": ""})
        write(folder, {".hashed": "same.css\0small.css\0"})
    before = packed(one)
    after = packed(two, one)
    assert {name for name in after if after[name] == before[name]} == {"same.css.gz"}
    assert gzip.decompress((two / "other.css.gz").read_bytes()) == b"new " * 500
    assert listed(two / ".hashed") == ["same.css", "same.css.gz", "small.css"]
    assert "small.css.gz" not in after


@pytest.mark.parametrize("harm", ["damaged", "of other content", "gone", "of a folder"])
def test_what_was_compressed_before_is_not_taken_on_trust(tmp_path: Path, harm: str) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        write(folder, {"same.css": "same " * 500})
    packed(one)
    before = one / "same.css.gz"
    if harm == "damaged":
        before.write_bytes(before.read_bytes()[:-9])
    elif harm == "of other content":
        before.write_bytes(gzip.compress(b"of last year"))
    else:
        before.unlink()
        if harm == "of a folder":
            before.mkdir()
    packed(two, one)
    assert gzip.decompress((two / "same.css.gz").read_bytes()) == b"same " * 500


def test_a_compressed_file_that_the_site_brings_gives_way_to_that_of_the_content(
    tmp_path: Path,
) -> None:
    write(tmp_path, {"site.js": "text " * 500, "site.js.gz": "of last year", "alone.gz": "stays"})
    packed(tmp_path)
    assert gzip.decompress((tmp_path / "site.js.gz").read_bytes()) == b"text " * 500
    assert (tmp_path / "alone.gz").read_text() == "stays"


def test_what_cannot_be_collected_leaves_nothing_behind(site: Path) -> None:
    write(site, {"pages/settings.py": SETTINGS.replace('STATIC_ROOT = BASE / "staticfiles"', "")})
    made = site.parent / "cache" / "made"
    argv = ["sh", str(BUILD), "collect_static", str(made), str(site), sys.executable, str(COLLECT)]
    more = ["pages.settings", "staticfiles", "server"]
    done = subprocess.run([*argv, *more], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert done.stderr == "STATIC_ROOT is not set in pages.settings: nowhere to collect to\n"
    assert list(made.parent.iterdir()) == []


def test_a_folder_other_than_the_one_that_is_released_is_refused_before_it_is_kept(
    site: Path,
) -> None:
    made = site.parent / "cache" / "made"
    argv = ["sh", str(BUILD), "collect_static", str(made), str(site), sys.executable, str(COLLECT)]
    more = ["pages.settings", "assets", "server", sys.executable]
    done = subprocess.run([*argv, *more], capture_output=True, text=True, check=False)
    assert done.returncode == 65
    assert done.stderr.startswith("static.root is assets, and STATIC_ROOT of pages.settings is ")
    assert list(made.parent.iterdir()) == []


def test_what_is_stopped_while_it_is_made_leaves_nothing_that_another_run_could_take_for_whole(
    tmp_path: Path,
) -> None:
    slow = tmp_path / "python"
    slow.write_text('#!/bin/sh\nmkdir "$3"; : >"$3/half"; sleep 60\n')
    slow.chmod(0o755)
    made = tmp_path / "cache" / "made"
    argv = ["sh", str(BUILD), "make_builder", str(made), str(slow)]
    with subprocess.Popen(argv, process_group=0) as running:
        until = time.monotonic() + 10
        while not list(made.parent.glob("*/new/half")) and time.monotonic() < until:
            time.sleep(0.05)
        assert list(made.parent.glob("*/new/half"))
        os.killpg(running.pid, signal.SIGTERM)
    assert list(made.parent.iterdir()) == []


def test_what_a_run_that_was_killed_has_left_goes_after_a_day(tmp_path: Path) -> None:
    left, fresh = (tmp_path / f"made.making-{name}" for name in ("aaaaaa", "bbbbbb"))
    for folder in (left, fresh):
        write(folder, {"new/half": ""})
    os.utime(left, (0, 0))
    argv = ["sh", str(BUILD), "make_builder", str(tmp_path / "made"), "true"]
    subprocess.run(argv, check=False)
    assert not left.exists()
    assert fresh.exists()


def test_a_backslash_which_django_takes_for_a_folder_is_one_clear_line(site: Path) -> None:
    write(site, {"assets/back\\slash.txt": ""})
    assert "which is not there" in refusal(site)
