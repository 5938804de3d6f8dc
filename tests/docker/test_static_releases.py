"""Static files as releases of their own: what is sent, what stays reachable, what is refused."""

import random
import signal
from collections.abc import Callable

import brotli
import pytest

from tests.docker.checkout import Checkout
from tests.docker.disk import small_disk
from tests.docker.hosts import ROOT, Hosts, ask
from tests.docker.readers import Readers
from tests.docker.told import Told
from tests.docker.traffic import Traffic
from tests.sandbox.docker import docker

pytestmark = pytest.mark.docker

MANY, CHANGED = 1500, 10
SIZE = 2000
STATIC = "guestbook/static"
CSS = f"{STATIC}/guestbook/site.css"
LISTS = {"staticfiles.json", ".hashed", ".release-files", ".sums"}
"""What tells of all files, and so changes with any of them."""
PLAIN = "django.contrib.staticfiles.storage.StaticFilesStorage"
HASHED = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"


def noise(number: int, edition: int = 0) -> str:
    """The content of a file: not to be compressed, and the same again for the same numbers."""
    drawn = random.Random(f"{number} {edition}")  # noqa: S311 - nothing secret about it
    return f"{drawn.randbytes(SIZE // 2).hex()}\n"


def synced(told: Told) -> tuple[int, int]:
    """How many files a run sent to the static host, and how many bytes that took."""
    [step] = [one for one in told.of("step") if one["step"] == "static.sync"]
    return step["files"], step["sent"]


def test_of_1500_files_only_those_that_changed_are_sent(
    hosts: Hosts, live: dict[str, str], checkout: Checkout
) -> None:
    for number in range(MANY):
        checkout.write(f"{STATIC}/many/{number:04}.bin", noise(number))
    checkout.commit("Many files")
    files, sent = synced(checkout.fab("-R", "static", "deploy-static", "--json"))
    assert files >= 2 * MANY, "each file lies there under its own name and under one with a digest"
    assert sent > 2 * MANY * SIZE
    for number in range(CHANGED):
        checkout.write(f"{STATIC}/many/{number * 100:04}.bin", noise(number, edition=1))
    checkout.commit("A few others")
    told = checkout.fab("-R", "static", "deploy-static", "--json")
    files, sent = synced(told)
    assert files == 2 * CHANGED + len(LISTS)
    # The content, and for each other file its name and a digest of it, by which both ends compare.
    assert sent < 2 * CHANGED * SIZE + 2 * MANY * 100
    new = f"{ROOT}/static/releases/{told.result['release']}"
    alone = hosts.on("static1", f"cd {new} && find . -type f -links 1 -printf '%P\\n'").split()
    assert set(alone) == {
        *LISTS,
        ".files",
        ".release",
        "release.json",
        *(f"many/{number * 100:04}.bin" for number in range(CHANGED)),
    }, "the others are links to what was there; those with a digest are in the pool too"
    files, sent = synced(checkout.fab("-R", "static", "deploy-static", "--json"))
    assert files == 0
    for _ in range(3):
        checkout.fab("-R", "static", "rollback")
    assert hosts.served() == live


def test_every_page_has_its_assets_through_20_static_releases_and_5_rollbacks(
    hosts: Hosts, live: dict[str, str], checkout: Checkout, capsys: pytest.CaptureFixture[str]
) -> None:
    assert live
    readers = Readers(hosts)
    text = (checkout.top / "site" / CSS).read_text()
    releases = []
    with readers.reading(), Traffic(hosts) as traffic:
        for number in range(20):
            checkout.write(CSS, f"/* edition {number} */\n{text}")
            revision = checkout.title(f"Edition {number}")
            traffic.headings[revision[:7]] = f"Edition {number}"
            # Each fourth is a release of everything, so that pages name other files than before.
            words = ("deploy",) if number % 4 == 3 else ("-R", "static", "deploy-static")
            releases.append(checkout.fab(*words, "--json").result["release"])
            if number % 4 == 3:
                checkout.fab("rollback")
    assert readers.failures == []
    assert traffic.failures == []
    assert len(set(releases)) == 20
    with capsys.disabled():
        print(f"\n{readers.pages} pages and {readers.assets} of their assets, none of them failed")
    told = checkout.fab("static.check")
    assert "warning" not in told.out


@pytest.mark.parametrize(
    ("program", "when"),
    [
        ("rsync", "*--server*"),
        ("cp", "*--parents*"),
        ("cut", "-c1-16"),  # of what digests the names, in the lock; a look digests, too
        ("sync", "*release.json*"),
        ("ln", "*releases/*"),
        ("curl", "*/-/release*"),
    ],
)
def test_a_run_that_is_killed_leaves_the_old_files_served(
    hosts: Hosts, live: dict[str, str], checkout: Checkout, program: str, when: str
) -> None:
    sheet = hosts.stylesheet()
    checkout.edit(CSS, "--ink: #2b2622", "--ink: #700000")
    checkout.commit(f"Killed at {program}")
    # rsync is told of the end by its input alone, which a program that sleeps would not read.
    instead = "exec cat >/dev/null" if program == "rsync" else "exec sleep 300"
    with hosts.trap("static1", program, when, instead) as trap:
        run = checkout.start("-R", "static", "deploy-static")
        trap.sprung()
        run.signal(signal.SIGKILL)
        run.process.wait()
    assert "static1 has the lock of a run that is gone" in checkout.fab("deploy", code=4).err
    checkout.fab("recover")
    hosts.at_rest()
    assert hosts.served() == live
    assert ask(sheet).status == 200
    plain = ask(f"{hosts.fleet.urls['static1']}/static/guestbook/site.css")
    assert "--ink: #2b2622" in plain.text
    release = checkout.fab("-R", "static", "deploy-static", "--json").result["release"]
    assert hosts.released("static1") == release
    checkout.fab("-R", "static", "rollback")
    assert hosts.served() == live


def test_a_disk_that_is_full_half_way_leaves_the_old_files_served(
    hosts: Hosts, live: dict[str, str], checkout: Checkout
) -> None:
    for number in range(40):
        checkout.write(f"{STATIC}/big/{number}.bin", noise(number) * 50)
    checkout.commit("Big files")
    with small_disk(hosts, "static1", f"{ROOT}/static", room=2000):
        told = checkout.fab("-R", "static", "deploy-static", code=3)
        assert hosts.served() == live
    assert "static.sync failed on static1" in told.err
    assert "No space left on device" in told.err
    assert "live as before" in told.err
    assert hosts.served() == live
    hosts.at_rest()


def test_pages_are_not_released_before_the_files_that_they_name(
    hosts: Hosts, live: dict[str, str], checkout: Checkout
) -> None:
    checkout.edit(CSS, "--ink: #2b2622", "--ink: #005500")
    checkout.commit("Pages first")
    told = checkout.fab("-R", "web", "deploy", code=3)
    assert "static1 does not have the static files of this release" in told.err
    assert "fab -R static deploy-static" in told.err
    assert hosts.served() == live
    release = checkout.fab("-R", "static", "deploy-static", "--json").result["release"]
    checkout.fab("-R", "web", "deploy")
    assert hosts.released("static1") == release
    assert "--ink: #005500" in ask(hosts.stylesheet()).text


def test_without_digests_in_names_pages_are_released_with_a_warning(
    hosts: Hosts, live: dict[str, str], checkout: Checkout
) -> None:
    checkout.edit("config/settings/production.py", HASHED, PLAIN)
    checkout.commit("Plain names")
    told = checkout.fab("-R", "web", "deploy")
    assert "warning: names of static files carry no digest" in told.out
    assert hosts.released("static1") == live["static1"]
    notes = [note["text"] for note in checkout.fab("static.check", "--json").of("note")]
    assert any("warning: no web host says what its pages name" in note for note in notes), notes
    checkout.fab("-R", "web", "rollback")
    assert hosts.served() == live


def test_a_release_whose_static_files_are_gone_is_not_gone_back_to(
    hosts: Hosts, live: dict[str, str], checkout: Checkout
) -> None:
    checkout.edit(CSS, "--ink: #2b2622", "--ink: #000055")
    checkout.commit("Another ink")
    checkout.fab("deploy")
    served, releases = hosts.served(), f"{ROOT}/static/releases"
    gone = f"$(ls -d [0-9]* | grep -v {served['static1']})"
    hosts.on("static1", f"cd {releases} && mkdir ../aside && mv {gone} ../aside/")
    before = hosts.listing()
    try:
        for words in (("-R", "web", "rollback"), ("rollback", "--to", live["web1"])):
            told = checkout.fab(*words, code=2)
            assert f"static1 no longer has the static files of {live['web1']}" in told.err
            assert "fab -R static deploy-static --revision" in told.err
            assert (hosts.served(), hosts.listing()) == (served, before)
    finally:
        hosts.on("static1", f"mv {ROOT}/static/aside/* {releases}/ && rmdir {ROOT}/static/aside")
    checkout.fab("rollback")
    assert hosts.served() == live


def test_a_damaged_file_is_found_and_the_next_release_mends_it(
    hosts: Hosts, live: dict[str, str], base: Checkout
) -> None:
    name = hosts.stylesheet().rpartition("/static/")[2]
    assert "files of" in base.fab("static.check").text + base.fab("static.check").log
    hosts.on("static1", f"echo damaged >{ROOT}/static/current/{name}")
    told = base.fab("static.check", code=3)
    assert "faults in static release" in told.err
    assert f"{name}: FAILED" in told.err
    assert "fab -R static deploy-static --revision" in told.err
    base.fab("-R", "static", "deploy-static")
    base.fab("static.check")
    assert "damaged" not in ask(hosts.stylesheet()).text
    hosts.on("static1", f"rm {ROOT}/static/current/{name} {ROOT}/static/pool/{name}")
    assert f"{name}: is not served" in base.fab("static.check", code=3).err
    base.fab("-R", "static", "deploy-static")
    base.fab("static.check")
    closed = f"find {ROOT}/static/current/ {ROOT}/static/pool -name '*.css' -exec chmod"
    hosts.on("static1", f"{closed} 600 {{}} +")
    told = base.fab("static.check", code=3)
    assert "visitors do not get /static/" in told.err, "whole on the disk, and closed to nginx"
    hosts.on("static1", f"{closed} 644 {{}} +")
    told = base.fab("static.check")
    assert "20 of these files were asked for over HTTP" in told.text + told.log
    assert hosts.served() != live


def test_pruning_by_itself_keeps_what_pages_need(
    hosts: Hosts, live: dict[str, str], checkout: Checkout, mend: Callable[[], None]
) -> None:
    for number in range(3):
        checkout.write(CSS, f"/* {number} */")
        checkout.commit(f"Style {number}")
        checkout.fab("-R", "static", "deploy-static")
    sheet = hosts.stylesheet()
    hosts.on("static1", f"echo left over >{ROOT}/static/pool/left.0123456789ab.css")
    docker("kill", hosts.fleet.container("web2"))
    try:
        told = checkout.fab("--set", "keep=1", "static.prune", code=2)
    finally:
        mend()
    assert "web2 cannot be reached" in told.err
    before = set(hosts.on("static1", f"ls {ROOT}/static/releases").split())
    checkout.fab("--set", "keep=1", "static.prune")
    after = set(hosts.on("static1", f"ls {ROOT}/static/releases").split())
    assert after < before
    assert ask(sheet).status == 200
    assert not hosts.tried("static1", f"test -e {ROOT}/static/pool/left.0123456789ab.css")[0]
    checkout.fab("static.check")
    assert hosts.released("static1") in after
    assert hosts.released("web1") == live["web1"]


def test_nginx_without_its_brotli_module_is_told_of_and_nothing_changes(
    hosts: Hosts, live: dict[str, str], base: Checkout
) -> None:
    told = base.fab("--set", "static.brotli=true", "-R", "static", "deploy-static", code=3)
    assert "libnginx-mod-http-brotli-static" in told.err
    assert "nothing was switched" in told.err
    assert hosts.served() == live
    assert "static.configure: nothing had to change" in base.fab("static.configure").out


def test_nginx_with_its_brotli_module_sends_what_browsers_take(
    hosts: Hosts, live: dict[str, str], base: Checkout
) -> None:
    module, quiet = "libnginx-mod-http-brotli-static", ">/dev/null 2>&1"
    hosts.on("static1", f"apt-get update {quiet} && apt-get install -y {module} {quiet}")
    sheet = "/static/guestbook/site.css"
    try:
        base.fab("--set", "static.brotli=true", "-R", "static", "deploy-static")
        plain = hosts.get("static1", sheet)
        said = {
            offer: hosts.get("static1", sheet, **{"Accept-Encoding": offer})
            for offer in ("gzip", "br", "gzip, deflate, br", "br;q=0")
        }
        base.fab("-R", "static", "rollback")
    finally:
        base.fab("static.configure")
        hosts.on("static1", f"apt-get purge -y --autoremove {module} {quiet} && nginx -s reload")
    codings = [answer.headers.get("content-encoding") for answer in said.values()]
    assert codings == ["gzip", "br", "br", None]
    assert brotli.decompress(said["br"].body) == plain.body
    assert {answer.headers["content-type"] for answer in said.values()} == {"text/css"}
    assert hosts.served() == live


def test_uploads_outlive_every_release_and_are_not_touched(
    hosts: Hosts, live: dict[str, str], checkout: Checkout
) -> None:
    media = f"{ROOT}/shared/media"
    hosts.on(
        "web1", f"echo '<?php 1 ?>' >{media}/run.php && chown www-data:www-data {media}/run.php"
    )
    look = f"cd {media} && find . -printf '%P %i %T@ %u %m %s\\n' | sort"
    before = hosts.on("web1", look)
    try:
        for number in range(3):
            checkout.title(f"Uploads stay {number}")
            checkout.fab("--set", "keep=1", "deploy")
        checkout.fab("rollback")
        assert hosts.on("web1", look) == before
        answer = hosts.get("web1", "/media/run.php")
        assert (answer.status, answer.text) == (200, "<?php 1 ?>\n")
        assert answer.headers["x-content-type-options"] == "nosniff"
    finally:
        hosts.on("web1", f"rm -f {media}/run.php")
    assert live["web1"] not in hosts.on("web1", f"ls {ROOT}/releases").split()
