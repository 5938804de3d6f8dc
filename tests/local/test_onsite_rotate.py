"""Another SECRET_KEY on a host, and whether the settings load, on a site of a few lines."""

import subprocess
from pathlib import Path

import pytest

from tests.local.test_onsite_entry import (
    BASE_PYTHON,
    OLD,
    SITE,
    release,
    root,  # noqa: F401 - a fixture is found by its name
)

READS = (
    SITE["pages/settings.py"]
    + "SECRET_KEY_FALLBACKS = os.environ.get('SECRET_KEY_FALLBACKS', '').split(',')\n"
)
FIRST, SECOND = "a-first-key#with$signs", "a-second-key"
LAYOUTS = {
    "base and production": {
        "pages/settings/__init__.py": "",
        "pages/settings/base.py": "ROOT_URLCONF = 'pages.urls'\nALLOWED_HOSTS = ['*']\n",
        "pages/settings/production.py": (
            "import os\nfrom pages.settings.base import *\nSECRET_KEY = os.environ['SECRET_KEY']\n"
        ),
    },
    "one file that branches": {
        "pages/settings.py": (
            "import os\n"
            "DEBUG = os.environ.get('STAGE') != 'production'\n"
            "SECRET_KEY = 'only here' if DEBUG else os.environ['SECRET_KEY']\n"
            "ROOT_URLCONF = 'pages.urls'\n"
        ),
    },
    "a single file": {"pages/settings.py": SITE["pages/settings.py"]},
}
MODULES = dict(
    zip(LAYOUTS, ("pages.settings.production", "pages.settings", "pages.settings"), strict=True)
)


def program(
    root: Path,  # noqa: F811
    name: str,
    *arguments: str,
    stdin: str = "",
) -> subprocess.CompletedProcess[str]:
    """What a program of ours does in the old release, as the deploy user starts it."""
    argv = [BASE_PYTHON, str(root / "entry" / name), str(root), OLD, *arguments]
    return subprocess.run(argv, input=stdin, capture_output=True, text=True, cwd="/", check=False)


@pytest.fixture
def keyed(root: Path) -> Path:  # noqa: F811
    """The site with a key and settings that read fallbacks."""
    (root / "releases" / OLD / "pages" / "settings.py").write_text(READS)
    env(root).write_text(f"# the site\nSECRET_KEY={FIRST}\nGREETING='good day'\n")
    return root


def env(root: Path) -> Path:  # noqa: F811
    return root / "shared" / "env"


def turn(root: Path, what: str, new: str = SECOND) -> str:  # noqa: F811
    """The file after that, and its end."""
    done = program(root, "rotate.py", what, stdin=f"{new}\n")
    assert done.returncode == 0, done.stderr
    text = env(root).read_text()
    assert text.startswith("# the site\n")
    assert "GREETING='good day'\n" in text
    return text


def lines(*keys: str) -> str:
    """How the file ends with these keys."""
    return f"SECRET_KEY='{keys[0]}'\n" + (
        f"SECRET_KEY_FALLBACKS='{','.join(keys[1:])}'\n" if keys[1:] else ""
    )


def test_a_key_is_announced_used_and_the_old_one_forgotten(keyed: Path) -> None:
    for _ in range(2):
        assert turn(keyed, "announce").endswith(lines(FIRST, SECOND))
    for _ in range(2):
        assert turn(keyed, "use").endswith(lines(SECOND, FIRST))
    assert env(keyed).stat().st_mode & 0o777 == 0o640
    assert turn(keyed, "forget").endswith(lines(SECOND))
    assert "FALLBACKS" not in env(keyed).read_text()


def test_what_was_done_is_taken_back_and_what_was_not_is_left_alone(keyed: Path) -> None:
    before = turn(keyed, "announce")
    turn(keyed, "use")
    for _ in range(2):
        assert turn(keyed, "unuse") == before
    assert turn(keyed, "withdraw").endswith(lines(FIRST))
    assert turn(keyed, "unuse").endswith(lines(FIRST))


def test_settings_that_do_not_take_fallbacks_are_told_what_to_write(keyed: Path) -> None:
    (keyed / "releases" / OLD / "pages" / "settings.py").write_text(SITE["pages/settings.py"])
    before = env(keyed).read_text()
    done = program(keyed, "rotate.py", "announce", stdin=SECOND)
    assert done.returncode == 2
    assert 'os.environ.get("SECRET_KEY_FALLBACKS", "")' in done.stderr
    assert FIRST not in done.stderr
    assert SECOND not in done.stderr
    assert env(keyed).read_text() == before


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("GREETING=x\n", "there is no SECRET_KEY"),
        ("SECRET_KEY='one,two'\n", "a comma, a quote or a space"),
    ],
)
def test_a_key_that_cannot_be_a_fallback_is_left_alone(keyed: Path, text: str, says: str) -> None:
    env(keyed).write_text(text)
    done = program(keyed, "rotate.py", "announce", stdin=SECOND)
    assert (done.returncode, says in done.stderr) == (2, True)
    assert env(keyed).read_text() == text


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout_of_settings_loads_with_its_environment_and_names_what_it_lacks(
    root: Path,  # noqa: F811
    layout: str,
) -> None:
    made = root / "releases" / OLD
    for path in made.glob("pages/settings*"):
        path.unlink()
    for name, text in LAYOUTS[layout].items():
        (made / name).parent.mkdir(exist_ok=True)
        (made / name).write_text(text)
    facts = root / "entry" / "site.json"
    facts.write_text(facts.read_text().replace("pages.settings", MODULES[layout]))
    env(root).write_text("SECRET_KEY=long-enough\nSTAGE=production\n")
    assert program(root, "loads.py").returncode == 0
    checked = program(root, "run.py", "check")
    assert checked.returncode == 0, checked.stderr
    env(root).write_text("STAGE=production\n")
    done = program(root, "loads.py")
    assert done.returncode == 1
    assert done.stdout == f"{MODULES[layout]} needs SECRET_KEY, which is not in shared/env\n"


def test_settings_that_raise_are_told_in_one_line_without_a_value(root: Path) -> None:  # noqa: F811
    env(root).write_text("SECRET_KEY=hunter2-hunter2\n")
    text = "import os\nraise ValueError(f'two\\nlines, {os.environ[\"SECRET_KEY\"]}')\n"
    release(root, "000003-ccccccc", {"pages/settings.py": text})
    argv = [BASE_PYTHON, str(root / "entry" / "loads.py"), str(root), "000003-ccccccc"]
    done = subprocess.run(argv, capture_output=True, text=True, cwd="/", check=False)
    assert done.returncode == 1
    said = "pages.settings does not load: ValueError: two lines, <SECRET_KEY>\n"
    assert done.stdout == said
    assert done.stderr == ""
