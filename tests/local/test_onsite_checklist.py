"""The program that tells facts for the checklist, in a process of its own, on a real small site."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.test_checks import SANE

ONSITE = Path(__file__).parents[2] / "deploy" / "onsite"
RELEASE = "000001-aaaaaaa"
SETTINGS = """
import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = os.environ["SECRET_KEY"]
ALLOWED_HOSTS = ["shop.example.com"]
INSTALLED_APPS = [
    "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.staticfiles"
]
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware"]
ROOT_URLCONF = "shop.urls"
TEMPLATES = [
    {"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [BASE_DIR / "pages"]}
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"}}
STATIC_ROOT = BASE_DIR / "staticfiles"
STATIC_URL = "/static/"
EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
"""
KEY = "a-key-of-which-nobody-may-ever-read-a-single-character-anywhere"

Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A site's root with one release, as a deploy makes it."""
    root = tmp_path / "shop"
    release = root / "releases" / RELEASE
    (release / "shop").mkdir(parents=True)
    (release / "pages").mkdir()
    (release / "shop" / "settings.py").write_text(SETTINGS)
    (release / "shop" / "urls.py").write_text("urlpatterns = []\n")
    (release / "pages" / "404.html").write_text("Not here.")
    (release / "pages" / "500.html").write_text("{% load no_such_library %}")
    (release / "requirements.txt").write_text("Django\nno-such-package\n")
    (release / "venv").symlink_to(sys.prefix)
    (root / "shared").mkdir()
    (root / "shared" / "env").write_text(f"SECRET_KEY={KEY}\n")
    shutil.copytree(ONSITE, root / "entry")
    about = {"name": "shop", "settings": "shop.settings", "private_ports": []}
    (root / "entry" / "site.json").write_text(json.dumps(about))
    return root


@pytest.fixture
def ask(root: Path) -> Ask:
    """What the program tells of the release, led there `by` a path; nothing of it holds the key."""

    def asked(salt: str = "grains", *, extra: str = "", by: Path = root) -> dict[str, Any]:
        settings = root / "releases" / RELEASE / "shop" / "settings.py"
        settings.write_text(SETTINGS + extra)
        program = (sys.executable, str(root / "entry" / "checklist.py"))
        words = ("--requirements", "requirements.txt", "--user", "root", "--group", "root")
        done = subprocess.run(
            [*program, *words, str(by), RELEASE],
            input=f"{salt}\n",
            capture_output=True,
            text=True,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert KEY not in done.stdout + done.stderr
        facts: dict[str, Any] = json.loads(done.stdout.removeprefix("checklist: "))
        return facts

    return asked


def test_it_tells_every_fact_that_the_rules_judge_by(ask: Ask) -> None:
    facts = ask()
    assert facts["untold"] == {}
    # Apache is not everywhere where this test runs.
    assert set(SANE) - {"apache"} == set(facts) - {"apache"}
    for name in ("https", "secret_key", "media", "disk", "email", "writable"):
        assert set(SANE[name]) == set(facts[name]), name
    for name in ("caches", "loaders"):
        assert set(SANE[name][0]) == set(facts[name][0]), name
    assert set(SANE["databases"][0]) <= {*facts["databases"][0], "connections"}


def test_it_tells_what_is_wrong_with_the_site(ask: Ask) -> None:
    facts = ask()
    assert facts["fault"] == ""
    assert facts["requirements"] == ["no-such-package is not installed"]
    assert facts["error_pages"] == {
        "400": "missing",
        "403": "missing",
        "500": "does not render: TemplateSyntaxError",
    }
    assert facts["databases"][0]["in_release"]
    assert facts["log_mails"]
    assert facts["log_handlers"] == []
    assert facts["secret_key"]["length"] == len(KEY)


def test_it_does_not_make_a_database_that_is_not_there(ask: Ask, root: Path) -> None:
    ask()
    assert not (root / "releases" / RELEASE / "db.sqlite3").exists()


def test_digests_of_equal_keys_are_equal_within_a_run_and_worthless_after_it(ask: Ask) -> None:
    digests = [ask(salt)["secret_key"]["digest"] for salt in ("one", "one", "two")]
    assert digests[0] == digests[1] != digests[2]


def test_a_secret_in_the_code_is_found_with_its_file(ask: Ask) -> None:
    facts = ask(extra='DATABASES["default"]["PASSWORD"] = "written-down-here"\n')
    assert facts["secrets_in_code"] == {"the PASSWORD of DATABASES['default']": "shop/settings.py"}


def test_settings_that_raise_still_leave_what_the_host_can_tell(ask: Ask) -> None:
    facts = ask(extra='PORT = int("hunter2")\n')
    lines = SETTINGS.count("\n") + 1
    assert facts["fault"] == f"ValueError at shop/settings.py:{lines}"
    assert "hunter2" not in json.dumps(facts)
    assert facts["disk"]["free"] > 0
    assert "debug" not in facts


def test_files_that_the_site_s_user_could_write_are_named(ask: Ask) -> None:
    facts = ask()
    assert facts["writable"]["count"] > 3
    assert any(name.startswith(("entry", "releases")) for name in facts["writable"]["some"])


def test_a_server_that_never_answers_is_given_up(ask: Ask) -> None:
    extra = (
        "import socket\n"
        "listener = socket.socket()\n"
        'listener.bind(("127.0.0.1", 0))\n'
        "listener.listen()\n"
        'EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"\n'
        'EMAIL_HOST, EMAIL_PORT = "127.0.0.1", listener.getsockname()[1]\n'
    )
    fault = ask(extra=extra)["email"]["fault"]
    assert "timed out" in fault or "no answer within" in fault


def test_an_address_that_cannot_be_read_is_told_without_the_half_password_that_its_error_has(
    ask: Ask,
) -> None:
    extra = (
        "from django.core.cache.backends.base import BaseCache\n"
        "class Odd(BaseCache):\n"
        "    def __init__(self, location, params):\n"
        "        super().__init__(params)\n"
        "        self.port = int(location.rpartition(':')[2])\n"
        'CACHES = {"default": {"BACKEND": "shop.settings.Odd", "LOCATION": "redis://:half"}}\n'
    )
    assert ask(extra=extra)["caches"][0]["fault"] == "ValueError"


BACKEND = """
from django.core.exceptions import ImproperlyConfigured
from django.db.backends.sqlite3 import base

class DatabaseWrapper(base.DatabaseWrapper):
    vendor = "pooled"

    def get_new_connection(self, params):
        raise {error}
"""


def test_a_database_that_fails_in_its_own_way_is_a_fault_and_hides_none_of_the_others(
    ask: Ask, root: Path
) -> None:
    site = root / "releases" / RELEASE / "shop"
    raised = {"pooled": "ImproperlyConfigured('no pool with that')", "odd": "TypeError('hunter2')"}
    for name, error in raised.items():
        (site / name).mkdir()
        (site / name / "base.py").write_text(BACKEND.format(error=error))
    extra = "".join(
        f'DATABASES["{name}"] = {{"ENGINE": "shop.{name}", "NAME": "n"}}\n' for name in raised
    )
    facts = ask(extra=extra)
    assert "databases" not in facts["untold"]
    fault = {one["alias"]: one["fault"] for one in facts["databases"]}
    assert fault == {
        "default": "",
        "pooled": "cannot reach pooled database n on this host: "
        "ImproperlyConfigured: no pool with that",
        "odd": "cannot use DATABASES['odd']: TypeError",
    }


def test_uploads_that_go_elsewhere_are_told_from_those_that_go_into_a_folder(ask: Ask) -> None:
    assert ask()["media"]["default"]
    extra = (
        "from django.core.files.storage import Storage\n"
        "class Bucket(Storage):\n"
        "    pass\n"
        'STORAGES = {"default": {"BACKEND": "shop.settings.Bucket"}, "staticfiles":'
        ' {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}\n'
        'MEDIA_ROOT = BASE_DIR / "media"\n'
    )
    media = ask(extra=extra)["media"]
    assert (media["default"], media["used"], media["in_release"]) == (False, False, True)


@pytest.mark.parametrize(
    ("set_to", "place"),
    [
        ('BASE_DIR / "staticfiles"', "staticfiles"),
        ('f"{BASE_DIR}/public/../staticfiles/"', "staticfiles"),
        ('"LINK/current/staticfiles"', "staticfiles"),
        ('"LINK/releases/000001-aaaaaaa/public/static"', "public/static"),
        ('BASE_DIR.parent.parent / "staticfiles"', ""),
        ('"staticfiles"', ""),
    ],
)
def test_where_static_files_are_is_seen_from_the_release_however_links_lead_there(
    ask: Ask, root: Path, set_to: str, place: str
) -> None:
    link = root.with_name("link")
    link.symlink_to(root)
    (root / "current").symlink_to(root / "releases" / RELEASE)
    extra = f"STATIC_ROOT = {set_to.replace('LINK', str(link))}\n"
    assert ask(extra=extra, by=link)["static_place"] == place
    assert ask(extra=extra)["static_place"] == place


OWN_CACHES = """
from pathlib import Path
from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache

class Disk(BaseCache):
    def __init__(self, location, params):
        super().__init__(params)
        Path(location).mkdir()

class Pages(FileBasedCache):
    pass

class Near(LocMemCache):
    pass

CACHES = {
    "default": {"BACKEND": "shop.settings.Near"},
    "disk": {"BACKEND": "shop.settings.Disk", "LOCATION": BASE_DIR / "disk"},
    "pages": {"BACKEND": "shop.settings.Pages", "LOCATION": BASE_DIR / "pages-kept"},
    "far": {"BACKEND": "shop.settings.Near", "LOCATION": "name:1"},
    "gone": {"BACKEND": "no_such_package.Cache", "LOCATION": "10.0.0.1:11211"},
}
"""


def test_a_cache_is_opened_only_on_a_server_lest_its_files_belong_to_the_wrong_user(
    ask: Ask, root: Path
) -> None:
    facts = ask(extra=OWN_CACHES)
    caches = {one["alias"]: one for one in facts["caches"]}
    assert {name: one["kind"] for name, one in caches.items()} == {
        "default": "memory",
        "disk": "other",
        "pages": "files",
        "far": "memory",
        "gone": "",
    }
    release = root / "releases" / RELEASE
    assert facts["untold"] == {}
    assert not [name for name in ("disk", "pages-kept") if (release / name).exists()]
    faults = {name: one["fault"] for name, one in caches.items() if one["fault"]}
    assert faults == {"gone": "ModuleNotFoundError: No module named 'no_such_package'"}
