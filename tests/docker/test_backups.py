"""Backups on one host with PostgreSQL, MariaDB and SQLite: restored, and compared row by row."""

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.docker.checkout import Checkout, make_checkout
from tests.docker.disk import small_disk
from tests.docker.hosts import Hosts
from tests.docker.migrating import ASK_SQLITE, COLOUR, FAILS, PYMYSQL, Database, add
from tests.docker.visitor import sign
from tests.sandbox import files, mariadb
from tests.sandbox.fleet import down, up
from tests.sandbox.members import Machine

pytestmark = pytest.mark.docker

ROOT = "/srv/www/guestbook"
BACKUPS = f"{ROOT}/shared/backups"
PASSWORD = 'known "to these#tests only'  # noqa: S105
"""Of a database that lives for minutes; with all that an option file gives a meaning."""
IN_URL = "known%20%22to%20these%23tests%20only"
INVENTORY = """
include = "{fleet}"

[hosts.solo]
roles = ["web", "db"]

[project]
web.server_name = "localhost"
web.aliases = ["127.0.0.1"]
web.health = "/health/"
"""


@dataclass(frozen=True)
class Site:
    """The site on a database of one kind; `aside` asks the database that a backup is put into."""

    engine: str
    hosts: Hosts
    project: Checkout
    database: Database
    aside: Database
    url: str

    def backups(self) -> list[str]:
        """The names of the backups, newest first."""
        return [one["backup"] for one in self.project.fab("db.list", "--json").of("backup")]

    def save(self, *words: str) -> str:
        """The name of a new backup."""
        [made] = self.project.fab(*words, "db.backup", "--json").of("backup")
        name: str = made["backup"]
        return name


@pytest.fixture(scope="module")
def solo() -> Iterator[Hosts]:
    """One machine with Apache and PostgreSQL."""
    state = Path(__file__).parents[2] / ".sandbox" / "tests-backups"
    try:
        down(state, _quiet, keep_image=True)
        yield Hosts(up(state, _quiet, machines=(Machine("solo", ("web", "db")),)))
    finally:
        down(state, _quiet, keep_image=True)


def _quiet(_line: str) -> None:
    return None


@pytest.fixture(scope="module")
def project(solo: Hosts, env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """The sample site's project, for that machine."""
    kept = files.keep_secrets(solo.fleet.state)
    secrets = (kept.django, kept.database, PASSWORD, IN_URL)
    top = tmp_path_factory.mktemp("backups") / "project"
    return make_checkout(top, solo.fleet.state / files.FLEET, env, secrets, INVENTORY)


@pytest.fixture(params=["postgresql", "sqlite", "mysql"], scope="module")
def site(request: pytest.FixtureRequest, solo: Hosts, project: Checkout) -> Site:
    """The site on a database of that kind, released, with two visitors' entries."""
    scratch = "scratch"
    if request.param == "postgresql":
        client = "runuser -u postgres -- psql -q -At -d {} -c 'SET ROLE guestbook' -c"
        solo.on("solo", "runuser -u postgres -- createdb --owner=guestbook scratch")
    elif request.param == "sqlite":
        client = f'runuser -u deploy -- python3 -c "{ASK_SQLITE}" {ROOT}/shared/data/{{}}'
        solo.on("solo", f"install -d -o deploy -g www-data -m 2770 {ROOT}/shared/data")
        file = f"{ROOT}/shared/data/guestbook"
        solo.on("solo", f"install -o deploy -g www-data -m 0660 /dev/null {file}")
        _use(solo, f"sqlite:///{file}")
    else:
        mariadb.serve(solo.fleet.container("solo"), "guestbook", PASSWORD)
        solo.on("solo", "mariadb -e \"GRANT ALL ON scratch.* TO 'guestbook'@'127.0.0.1'\"")
        _use(solo, f"mysql://guestbook:{IN_URL}@127.0.0.1:3306/guestbook")
        project.edit("requirements.txt", "sqlparse", "PyMySQL==1.2.4\nsqlparse")
        project.write("config/__init__.py", PYMYSQL)
        project.commit("MariaDB")
        client = "mariadb --batch --skip-column-names {} -e"
    project.fab("deploy")
    made = Database(solo, "solo", client.format("guestbook"), ROOT)
    aside = Database(solo, "solo", client.format(scratch), ROOT)
    url = solo.fleet.urls["solo"]
    while len(made.rows()) < 2:
        sign(url, "photo.png")
    return Site(request.param, solo, project, made, aside, url)


@pytest.fixture(autouse=True)
def same_revision(site: Site) -> Iterator[None]:
    """Whatever a story commits, the next one begins with what is released."""
    commit = site.project.git("rev-parse", "HEAD").strip()
    yield
    site.project.git("reset", "--quiet", "--hard", commit)


def _use(solo: Hosts, url: str) -> None:
    line = f"DATABASE_URL={url}"
    solo.on("solo", f"sed -i 's#^DATABASE_URL=.*#{line}#' {ROOT}/shared/env")
    solo.on("solo", f"rm -f {ROOT}/.deploy/migrated")  # it is another database


def test_a_backup_comes_back_row_by_row_beside_the_data_and_in_its_place(site: Site) -> None:
    before = site.database.rows()
    name = site.save()
    sign(site.url, "photo.png")
    site.database.sql("CREATE TABLE later (id integer)")
    assert site.database.there("later")
    after = site.database.rows()
    assert len(after) == len(before) + 1

    told = site.project.fab("db.restore", name, "--into", "scratch")
    assert f"{name} is in scratch now" in told.out
    assert site.aside.rows() == before
    assert site.database.rows() == after
    refused = site.project.fab("db.restore", name, "--into", "scratch", code=6)
    assert "is as it was" in refused.err

    refused = site.project.fab("db.restore", name, code=2)
    assert "--yes" in refused.err
    assert site.database.rows() == after
    site.project.fab("--yes", "db.restore", name)
    assert site.database.rows() == before
    assert not site.database.there("later")
    assert site.hosts.get("solo").status == 200

    saved = site.backups()[0]
    assert saved > name, "what was there was not saved first"
    site.project.fab("--yes", "db.restore", saved)
    assert site.database.rows() == after
    site.database.sql("DROP TABLE later")
    modes = f"stat -c '%a %U' {BACKUPS} {BACKUPS}/{name} {BACKUPS}/{name}/*"
    assert site.hosts.on("solo", modes).split("\n")[:4] == [
        *("700 deploy", "700 deploy"),
        *("600 deploy", "600 deploy"),
    ]


def test_a_deploy_that_fails_after_its_backup_names_it_and_it_undoes_half_a_migration(
    site: Site,
) -> None:
    before, commit = site.database.rows(), site.project.git("rev-parse", "HEAD").strip()
    add(site.project, "0003_half", f"{COLOUR}, {FAILS}")
    site.project.commit("Half of it")
    words = ("--set", "db.backup=before-migrate", "deploy", "--json")
    told = site.project.fab(*words, code=6)
    [made] = told.of("backup")
    assert f"fab db.restore {made['backup']}" in told.result["error"]
    assert site.database.has("colour") == (site.engine == "mysql")
    site.project.fab("--yes", "db.restore", made["backup"])
    assert not site.database.has("colour")
    assert site.database.rows() == before

    site.project.git("reset", "--quiet", "--hard", commit)
    site.project.title(f"Nothing is pending for {site.engine}")
    assert not site.project.fab(*words).of("backup")


@pytest.mark.parametrize("site", ["postgresql"], indirect=True)
def test_ctrl_c_and_a_full_disk_leave_no_backup_and_the_site_as_it_was(site: Site) -> None:
    before, listed = site.database.rows(), site.backups()
    with site.hosts.trap("solo", "pg_dump", "*", "echo half; sleep 60") as trap:
        run = site.project.start("db.backup")
        trap.sprung()
        run.signal(signal.SIGINT)
        run.ended(130)
    endless = "head -c 200000000 /dev/zero"
    with small_disk(site.hosts, "solo", BACKUPS, room=70000):
        with site.hosts.trap("solo", "pg_dump", "*", endless):
            told = site.project.fab("db.backup", code=3)
        assert "does not fit" in told.err
        assert f"{len(listed)}" == site.hosts.on("solo", f"ls -A {BACKUPS} | wc -l").strip()
    with small_disk(site.hosts, "solo", BACKUPS, room=2000):
        told = site.project.fab("db.backup", code=3)
    assert "the backup may need" in told.err
    assert "live as before" in told.err
    assert site.backups() == listed
    assert site.hosts.on("solo", f"ls -A {BACKUPS} | grep -c part || true").strip() == "0"
    assert site.database.rows() == before
    assert site.hosts.get("solo").status == 200
    site.hosts.at_rest(("solo",))
