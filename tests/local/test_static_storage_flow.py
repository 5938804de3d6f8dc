"""Whole runs with static files in a bucket: in which order, with what manifest, and what stops."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from deploy.errors import PrepareFailed
from deploy.flow import (
    CHECK_BUCKET,
    CHECK_STATIC,
    DEPLOY,
    DEPLOY_STATIC,
    PRUNE_BUCKET,
    PRUNE_STATIC,
    SYNC,
    Flow,
)
from deploy.main import check_static, deploy, prune_static
from deploy.outcome import Outcome
from deploy.project import Project, Static
from deploy.report import Began, Ended
from deploy.source import resolve
from deploy.steps.activate import activate
from deploy.steps.build import wheels
from deploy.steps.checks import gate
from deploy.steps.code import entry, install, seal
from deploy.steps.db import migrate
from deploy.steps.server import apache, static_server
from deploy.steps.slots import ask_again, load, warm
from tests.local.fleet import HOSTS, Fleet, seal_without_packages, switch_only
from tests.local.s3server import KEYS, LISTS, S3Server
from tests.local.test_static_bucket import FILES

NEEDS_A_SERVER = (
    wheels,
    gate,
    install,
    entry,
    static_server,
    apache,
    load,
    warm,
    migrate,
    ask_again,
)
FAB = Path(sys.executable).with_name("fab")
"""Fabric's own script, which a fabfile of the toolkit takes over."""
FLOW = DEPLOY.without(*NEEDS_A_SERVER)
FLOW = FLOW.replace(seal, seal_without_packages).replace(activate, switch_only)


@dataclass
class Shop(Fleet):
    """A fleet without static hosts, whose site has its static files in a bucket."""

    bucket: str = ""
    invalidate: tuple[str, ...] = ()

    @property
    def project(self) -> Project:
        env = (*KEYS.items(), ("S3", self.bucket), ("AWS_EC2_METADATA_DISABLED", "true"))
        static = Static(mode="storage", env=env, invalidate=self.invalidate)
        return replace(super().project, settings="pages.settings", static=static)

    def write(self, name: str, text: str) -> None:
        file = self.path / "repository" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def deploy(self, flow: Flow = FLOW) -> Outcome:
        """Commit, and deploy in an environment that has the packages of these tests."""
        self.commit()
        repository = self.path / "repository"
        source = resolve(repository, self.project, "", self.means().run_here)
        venv = self.means().workshop("shop").venv(source)
        venv.parent.mkdir(parents=True, exist_ok=True)
        if not venv.exists():
            venv.symlink_to(sys.prefix)
        return deploy(self.asked(), self.means(), flow=flow)

    def sealed(self) -> None:
        """Do for the live release what sealing it with its packages would have done as well."""
        for name in HOSTS:
            release = self.root(name) / "current"
            text = (release / "staticfiles" / ".hashed").read_bytes()
            (release / ".files").write_text(hashlib.sha256(text).hexdigest()[:16] + "\n")

    def manifest(self) -> dict[str, str]:
        """What the pages of the live release name."""
        file = self.root("web1") / "current" / "staticfiles" / "staticfiles.json"
        paths: dict[str, str] = json.loads(file.read_text())["paths"]
        return paths


@pytest.fixture
def shop(tmp_path: Path, s3: S3Server) -> Shop:
    shop = Shop(tmp_path, bucket=s3.url)
    for name in HOSTS:
        for inside in ("releases", "venvs", "slots", "shared", "run", ".deploy"):
            (shop.root(name) / inside).mkdir(parents=True)
    for name, text in (FILES | {"manage.py": "", "requirements.txt": ""}).items():
        shop.write(name, text)
    shop.git("init", "-q")
    return shop


def begun(shop: Shop) -> list[str]:
    return [event.step for event in shop.said if isinstance(event, Began)]


def test_files_are_in_the_bucket_before_the_switch_and_each_release_has_its_manifest(
    shop: Shop, s3: S3Server
) -> None:
    first = shop.deploy().release
    steps = begun(shop)
    order = ["static.collect", "static.sync", "static.check", "journal.begin", "web.activate"]
    assert [steps.index(name) for name in order] == sorted(steps.index(name) for name in order)
    before = shop.manifest()
    shop.write("pages/static/pages/dot.svg", "<svg></svg>")
    second = shop.deploy().release
    after = shop.manifest()
    assert before["pages/dot.svg"] != after["pages/dot.svg"]
    assert {f"site/{name}" for name in (*before.values(), *after.values())} <= set(s3.keys())
    s3.asked.clear()
    assert shop.rollback().release == first != second
    assert shop.manifest() == before
    assert s3.asked == [("GET", "/assets")], "one listing, and nothing sent"


def test_releases_that_hosts_keep_are_checked_and_what_only_others_named_is_taken_away(
    shop: Shop, s3: S3Server
) -> None:
    one = shop.deploy().release
    first = shop.manifest()
    with pytest.raises(PrepareFailed, match=f"files of {one} carry no digest in their names"):
        prune_static(shop.asked(), shop.means(), PRUNE_STATIC, PRUNE_BUCKET)
    shop.sealed()
    shop.write("pages/static/pages/dot.svg", "<svg></svg>")
    shop.deploy()
    shop.sealed()
    second = shop.manifest()
    found = (
        rf"has all 3 files that pages of {one} name\nvisitors do not get https://cdn.example.com"
    )
    with pytest.raises(PrepareFailed, match=found):
        check_static(shop.asked(), shop.means(), CHECK_STATIC, CHECK_BUCKET)
    prune_static(shop.asked(), shop.means(), PRUNE_STATIC, PRUNE_BUCKET)
    assert {f"site/{name}" for name in (*first.values(), *second.values())} <= s3.keys().keys()
    for name in HOSTS:
        shutil.rmtree(shop.root(name) / "releases" / str(one))
    prune_static(shop.asked(), shop.means(), PRUNE_STATIC, PRUNE_BUCKET)
    gone = {f"site/{name}" for name in set(first.values()) - set(second.values())}
    assert len(gone) == 2
    assert not gone & s3.keys().keys()
    assert {f"site/{name}" for name in second.values()} <= s3.keys().keys()


def test_no_secret_is_in_a_plan_or_in_what_a_run_says(shop: Shop, s3: S3Server) -> None:
    shop.commit()
    deploy(shop.asked(dry=True), shop.means(), flow=FLOW)
    assert "AWS_SECRET_ACCESS_KEY=..." in shop.notes()
    assert s3.asked == []
    shop.deploy()
    assert not [event for event in shop.said if KEYS["AWS_SECRET_ACCESS_KEY"] in repr(event)]


def test_a_damaged_file_stops_the_release_and_what_is_live_stays(shop: Shop, s3: S3Server) -> None:
    live = shop.deploy().release
    damaged = f"site/{shop.manifest()['pages/dot.svg']}"
    s3.client.put_object(Bucket="assets", Key=damaged, Body=b"<svh/>")
    with pytest.raises(PrepareFailed, match=r"static\.check failed on here: .* other content"):
        shop.deploy()
    assert set(shop.live().values()) == {live}


def test_a_bucket_that_refuses_stops_the_release_and_what_is_live_stays(
    shop: Shop, s3: S3Server
) -> None:
    live = shop.deploy().release
    s3.check_rights()
    shop.write("pages/static/robots.txt", "User-agent: nobody")
    with pytest.raises(PrepareFailed, match=r"static\.sync failed on here: the bucket assets ref"):
        shop.deploy()
    assert set(shop.live().values()) == {live}


def test_static_files_alone_are_sent_without_any_host(shop: Shop, s3: S3Server) -> None:
    outcome = shop.deploy(DEPLOY_STATIC)
    assert outcome.release is None
    assert len(s3.keys()) == 6
    objects = s3.client.list_objects_v2(Bucket="assets")["Contents"]
    size = sum(one["Size"] for one in objects if LISTS not in one["Key"])
    ended = [event for event in shop.said if isinstance(event, Ended)]
    assert [event.sent for event in ended] == [0, 0, size, 0]
    assert begun(shop) == ["code.export", "static.collect", "static.sync", "static.check"]
    assert set(shop.live().values()) == {"-"}


def test_a_plan_names_no_step_as_idle_that_this_machine_does(shop: Shop) -> None:
    shop.deploy(SYNC)
    assert shop.notes().splitlines()[-1].startswith("static.sync: done")


def test_a_cdn_that_was_not_told_stops_the_release_and_is_told_by_the_next_one(
    shop: Shop, tmp_path: Path
) -> None:
    told = tmp_path / "told"
    shop.invalidate = ("sh", "-c", f"[ -e {tmp_path}/up ] && cat >{told}")
    live = shop.deploy().release
    assert not told.exists()
    shop.write("pages/static/robots.txt", "User-agent: nobody")
    with pytest.raises(PrepareFailed, match=r"static\.invalidate failed, and nothing was switched"):
        shop.deploy()
    assert set(shop.live().values()) == {live}
    (tmp_path / "up").touch()
    shop.deploy()
    assert told.read_text() == "/site/robots.txt\n"
    told.unlink()
    shop.deploy()
    assert not told.exists()


def fab(shop: Shop, *words: str) -> subprocess.CompletedProcess[str]:
    """What `fab WORDS` says in the shop's repository, whose stage has no host of role static."""
    top = shop.path / "repository"
    (top / "inventories").mkdir(exist_ok=True)
    hosts = '[hosts.web1]\naddress = "127.0.0.1"\nport = 1\nroles = ["web"]\n'
    (top / "inventories" / "live.toml").write_text(hosts)
    env = "".join(f'{name} = "{value}"\n' for name, value in shop.project.static.env)
    (top / "pyproject.toml").write_text(
        '[tool.deploy]\nname = "shop"\nstage = "live"\nsettings = "pages.settings"\n'
        f'static.mode = "storage"\n[tool.deploy.static.env]\n{env}'
    )
    (top / "fabfile.py").write_text(
        "from deploy.cli import takeover\n\ntakeover()\n\n"
        "from deploy.tasks import namespace\n\nns = namespace()\n"
    )
    shop.commit()
    home = {f"XDG_{kind}_HOME": str(shop.path / kind) for kind in ("CACHE", "STATE")}
    return subprocess.run(
        [FAB, *words],
        cwd=top,
        env={**os.environ, **home},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_role_static_means_the_bucket_where_no_host_has_it(shop: Shop) -> None:
    planned = fab(shop, "--dry", "-R", "static", "deploy-static")
    assert planned.returncode == 0, planned.stderr
    assert "static.sync: send the static files that the bucket lacks" in planned.stdout
    back = fab(shop, "-R", "static", "rollback")
    assert back.returncode == 2
    assert "static files in a bucket have nothing to go back to" in back.stderr
    assert "fab rollback takes the pages back" in back.stderr
    assert (
        'no host of live.toml has the role "static"' in fab(shop, "-R", "static", "status").stderr
    )
    alone = fab(shop, "-R", "static", "--", "touch", "here")
    assert alone.returncode == 2
    assert not (shop.path / "repository" / "here").exists()
