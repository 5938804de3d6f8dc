"""nginx and Apache as static servers: the same requests get the same answers."""

import gzip
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import brotli
import pytest

from tests.docker.checkout import Checkout
from tests.docker.hosts import ROOT, Answer, Hosts, wait_for
from tests.docker.told import Told
from tests.sandbox.docker import docker

pytestmark = pytest.mark.docker

APACHE = 'static.server = "apache"\n'
OFFERS = ("", "gzip", "br", "gzip;q=0", "deflate, gzip;q=0.5", "gzip, deflate, br")
KEPT = ("cache-control", "vary", "content-encoding", "access-control-allow-origin")
"""The headers that both servers have to agree upon; each has its own dates and tags."""
ODD = 'odd/it\'s a "b" żółw\nend.css'
ODD_PATH = "/static/odd/it%27s%20a%20%22b%22%20%C5%BC%C3%B3%C5%82w%0Aend.css"
REFUSED = (
    "/",
    "/static",
    "/static/",
    "/static/guestbook",
    "/static/guestbook/",
    "/static/guestbook/gone.css",
    "/static/.hashed",
    "/static/.release",
    "/static/.release-files",
    "/static/odd/.hidden",
    "/static/../../../shared/env",
    "/static/%2e%2e/%2e%2e/.deploy/journal",
    "/static/..%2f..%2f.deploy/journal",
    "/static/passwd",
    "/static/journal",
    "/-/release",
    "/-/release/",
    "/robots.txt",
    "/icons/",
    "/server-status",
    "/.deploy/journal",
    "/release.json",
)


@dataclass(frozen=True)
class Answers:
    """What a static server says to each of the requests that are compared."""

    refused: dict[str, int]
    served: dict[str, Answer]


@pytest.fixture(scope="module")
def site(
    hosts: Hosts,
    first: Told,
    clone: Callable[[Path], Checkout],
    tmp_path_factory: pytest.TempPathFactory,
) -> Checkout:
    """A static release with all that makes trouble is live, and an older file is in the pool."""
    assert first.code == 0
    made = clone(tmp_path_factory.mktemp("servers") / "project")
    static = "guestbook/static"
    made.write(f"{static}/{ODD}", "i{color:#102030}" * 200)
    made.write(f"{static}/guestbook/app.mjs", "export const a = 1;\n" * 200)
    made.write(f"{static}/guestbook/app.js", "let a = 1;\n" * 200)
    made.write(f"{static}/guestbook/data.json", "[1,2,3]\n" * 400)
    made.write(f"{static}/guestbook/small.txt", "small")
    made.edit(f"{static}/guestbook/site.css", "--ink: #2b2622", "--ink: #203040")
    made.commit("Files of every kind")
    made.fab("-R", "static", "deploy-static")
    live = f"{ROOT}/static/current"
    # What no release holds, as nothing of the kind is sent; only the server is in its way here.
    hosts.on("static1", f"ln -sfn /etc/passwd {live}/passwd; touch {live}/odd/.hidden")
    hosts.on("static1", f"ln -sfn {ROOT}/.deploy/journal {live}/journal")
    return made


def paths(hosts: Hosts) -> tuple[str, ...]:
    """What is there to be served: plain names, names with a digest, and one of the pool alone."""
    names = hosts.on("static1", f"cd {ROOT}/static/current && find guestbook -type f").split()
    older = hosts.on("static1", f"cd {ROOT}/static/pool && find guestbook -name 'site.*.css'")
    return (*sorted(f"/static/{name}" for name in {*names, *older.split()}), ODD_PATH)


def answers(hosts: Hosts) -> Answers:
    """All of them, in this moment."""
    served = {}
    for path in paths(hosts):
        for offer in OFFERS:
            headers = {"Accept-Encoding": offer} if offer else {}
            served[f"{path} {offer}"] = hosts.get("static1", path, **headers)
    return Answers({path: hosts.get("static1", path).status for path in REFUSED}, served)


@pytest.fixture(scope="module")
def from_nginx(hosts: Hosts, site: Checkout) -> Answers:
    """What nginx says."""
    assert site
    return answers(hosts)


@pytest.fixture(scope="module")
def from_apache(hosts: Hosts, site: Checkout, from_nginx: Answers) -> Iterator[Answers]:
    """What Apache says, after root has prepared the host for it; nginx is back afterwards."""
    assert from_nginx
    inventory = site.top / "inventories" / "sandbox.toml"
    text = inventory.read_text()
    inventory.write_text(text.replace("[project]\n", f"[project]\n{APACHE}"))
    container = hosts.fleet.container("static1")
    try:
        hosts.on("static1", "mkdir -p /run/lock; nginx -s stop")
        wait_for(lambda: not hosts.tried("static1", "pgrep -x nginx")[0])
        script = site.fab("-H", "static1", "setup", "--script").out
        docker("exec", "--interactive", container, "sh", stdin=script.encode())
        site.fab("static.configure")
        yield answers(hosts)
    finally:
        inventory.write_text(text)
        hosts.on("static1", "apachectl stop; rm -f /etc/apache2/sites-*/guestbook.conf")
        wait_for(lambda: not hosts.tried("static1", "pgrep -x apache2")[0])
        hosts.on("static1", "nginx")
        script = site.fab("-H", "static1", "setup", "--script").out
        docker("exec", "--interactive", container, "sh", stdin=script.encode())
        site.fab("-R", "static", "rollback")


def alike(one: Answer, other: Answer) -> bool:
    """Whether a browser could not tell the two apart."""
    kinds = {
        answer.headers.get("content-type", "").replace("application/javascript", "text/javascript")
        for answer in (one, other)
    }
    same = all(one.headers.get(name) == other.headers.get(name) for name in KEPT)
    return same and len(kinds) == 1 and (one.status, one.body) == (other.status, other.body)


def test_both_answer_alike_to_everything_that_is_there(
    from_nginx: Answers, from_apache: Answers
) -> None:
    assert set(from_nginx.served) == set(from_apache.served)
    different = {
        request: (dict(one.headers), dict(from_apache.served[request].headers))
        for request, one in from_nginx.served.items()
        if not alike(one, from_apache.served[request])
    }
    assert different == {}
    assert {answer.status for answer in from_nginx.served.values()} == {200}


def test_both_refuse_the_same(from_nginx: Answers, from_apache: Answers) -> None:
    for path in REFUSED:
        codes = {from_nginx.refused[path], from_apache.refused[path]}
        assert codes <= {400, 403, 404}, f"{path}: {codes}"


@pytest.mark.parametrize("place", [ROOT, str(Path(ROOT).parent)])
def test_apache_serves_a_root_that_a_link_leads_to_and_follows_no_link_below_it(
    hosts: Hosts, from_apache: Answers, place: str
) -> None:
    with hosts.behind_a_link("static1", place):
        sheet = hosts.get("static1", "/static/guestbook/site.css")
        assert alike(sheet, from_apache.served["/static/guestbook/site.css "])
        assert hosts.get("static1", "/static/passwd").status in (403, 404)


def test_apache_sends_what_was_compressed_as_what_it_is(from_apache: Answers) -> None:
    sheet = "/static/guestbook/site.css"
    plain, packed = (from_apache.served[f"{sheet} {offer}"] for offer in ("", "gzip"))
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    for answer in (plain, packed):
        assert answer.headers["content-type"] == "text/css"
        assert answer.headers["vary"] == "Accept-Encoding"
    assert from_apache.served["/static/guestbook/app.mjs gzip"].headers["content-type"] == (
        "text/javascript"
    )
    assert "vary" not in from_apache.served["/static/guestbook/small.txt gzip"].headers


def test_apache_takes_no_other_method_and_knows_what_did_not_change(
    hosts: Hosts, from_apache: Answers
) -> None:
    sheet = "http://127.0.0.1/static/guestbook/site.css"
    code = "curl -s -o /dev/null -w '%{http_code} '"
    assert hosts.on("static1", f"{code} -X POST -d a=b {sheet}; {code} -X DELETE {sheet}") == (
        "405 405 "
    )
    tag = from_apache.served["/static/guestbook/site.css "].headers["etag"]
    assert hosts.on("static1", f"{code} -H 'If-None-Match: {tag}' {sheet}") == "304 "


def test_a_release_goes_on_under_apache_and_so_does_its_rollback(
    hosts: Hosts, site: Checkout, from_apache: Answers
) -> None:
    assert from_apache
    before = hosts.released("static1")
    assert "static.configure: nothing had to change" in site.fab("static.configure").out
    release = site.fab("-R", "static", "deploy-static", "--json").result["release"]
    assert hosts.released("static1") == release != before
    site.fab("-R", "static", "rollback")
    assert hosts.released("static1") == before


def test_a_configuration_that_apache_refuses_is_not_used(
    hosts: Hosts, site: Checkout, from_apache: Answers
) -> None:
    assert from_apache
    conf = "/etc/apache2/sites-available/guestbook.conf"
    before = hosts.on("static1", f"apachectl configtest 2>&1; md5sum {conf}")
    assert "Syntax OK" in before
    broken = "/etc/apache2/conf-enabled/broken.conf"
    hosts.on("static1", f"echo 'NoSuchDirective' >{broken}")
    try:
        told = site.fab("--set", "static.server_name=other", "static.configure", code=3)
    finally:
        hosts.on("static1", f"rm {broken}")
    assert "NoSuchDirective" in told.err
    assert hosts.on("static1", f"apachectl configtest 2>&1; md5sum {conf}") == before
    assert hosts.get("static1", "/static/guestbook/site.css").status == 200


def test_apache_sends_brotli_to_those_who_take_it(
    hosts: Hosts, site: Checkout, from_apache: Answers
) -> None:
    assert from_apache
    sheet = "/static/guestbook/site.css"
    site.fab("--set", "static.brotli=true", "-R", "static", "deploy-static")
    try:
        asked = {offer: {"Accept-Encoding": offer} for offer in OFFERS[1:]}
        said = {offer: hosts.get("static1", sheet, **headers) for offer, headers in asked.items()}
        plain = hosts.get("static1", sheet)
    finally:
        site.fab("-R", "static", "rollback")
        site.fab("static.configure")
    codings = [answer.headers.get("content-encoding") for answer in said.values()]
    assert codings == ["gzip", "br", None, "gzip", "br"]
    assert brotli.decompress(said["br"].body) == plain.body
    for answer in (plain, *said.values()):
        assert answer.headers["content-type"] == "text/css"
        assert answer.headers["vary"] == "Accept-Encoding"
