"""What visitors must never get, whatever they ask for."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docker.checkout import Checkout
from tests.docker.hosts import ROOT, SERVING, Hosts, ask

pytestmark = pytest.mark.docker

FILES = (
    "/.env",
    "/env",
    "/manage.py",
    "/release.json",
    "/config/settings/production.py",
    "/.git/config",
    "/requirements.txt",
    "/venv/bin/python",
    "/entry/wsgi.py",
    "/current/manage.py",
    "/shared/env",
    "/static/../manage.py",
    "/static/..%2fmanage.py",
    "/static/%2e%2e/%2e%2e/shared/env",
    "/static/.hashed",
    "/static/.release-files",
    "/static//etc/passwd",
    "/media/../env",
    "/media/..%2fenv",
    "/media/%2e%2e/env",
    "/media/.hidden",
    "/media/.folder/upload",
    "/media/photos/.folder/deep/upload",
    "/media/a%0Ab/.folder/upload",
    "/-/release",
    "/server-status",
)
LISTINGS = ("/static", "/static/", "/static/guestbook/", "/media", "/media/", "/media/photos/")


@pytest.fixture(scope="module", autouse=True)
def _uploads(hosts: Hosts, base: Checkout) -> Iterator[None]:
    """Uploads of a visitor who means no good, on the first web host."""
    assert base
    media = f"{ROOT}/shared/media"
    hosts.on("web1", f"mkdir -p {media}/photos && ln -sfn /etc/passwd {media}/passwd")
    hosts.on("web1", f"ln -sfn ../env {media}/settings")
    for name in ("evil.html", "evil.php", "evil.py", "evil.wsgi", "evil.cgi", ".hidden"):
        hosts.on("web1", f"printf '<script>1</script>' >{media}/{name} && chmod 755 {media}/{name}")
    for folder in (".folder", "photos/.folder/deep", "$(printf 'a\\nb')/.folder"):
        made = f'"{media}/{folder}"'
        hosts.on("web1", f"mkdir -p {made} && touch {made}/upload")
    hosts.on("web1", f"chown -hR www-data:www-data {media}")
    yield
    hosts.on("web1", f"rm -rf {media}/* {media}/.hidden {media}/.folder")


@pytest.mark.parametrize("path", FILES)
def test_nothing_but_what_is_meant_for_visitors_is_given_out(
    hosts: Hosts, live: dict[str, str], secrets: tuple[str, ...], path: str
) -> None:
    assert live
    for name in SERVING:
        answer = ask(f"{hosts.fleet.urls[name]}{path}")
        assert answer.status in (400, 403, 404), f"{name} gives out {path}"
        assert not [secret for secret in secrets if secret in answer.text]
        assert "SECRET_KEY" not in answer.text


@pytest.mark.parametrize("path", LISTINGS)
def test_no_directory_is_listed(hosts: Hosts, live: dict[str, str], path: str) -> None:
    assert live
    for name in SERVING:
        answer = ask(f"{hosts.fleet.urls[name]}{path}")
        assert answer.status in (301, 302, 403, 404)
        assert "evil" not in answer.text
        assert "site.css" not in answer.text or name != "static1"
        assert "Index of" not in answer.text


@pytest.mark.parametrize("name", ["evil.html", "evil.php", "evil.py", "evil.wsgi", "evil.cgi"])
def test_an_upload_is_data_that_browsers_must_not_guess_about(
    hosts: Hosts, live: dict[str, str], name: str
) -> None:
    assert live
    answer = hosts.get("web1", f"/media/{name}")
    assert (answer.status, answer.text) == (200, "<script>1</script>")
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", ["passwd", "settings"])
def test_a_link_among_the_uploads_leads_nowhere(
    hosts: Hosts, live: dict[str, str], name: str
) -> None:
    assert live
    assert hosts.get("web1", f"/media/{name}").status in (403, 404)


@pytest.mark.parametrize("place", [ROOT, str(Path(ROOT).parent)])
def test_a_root_that_a_link_leads_to_is_served_as_any_other(
    hosts: Hosts, live: dict[str, str], place: str
) -> None:
    with hosts.behind_a_link("web1", place):
        assert hosts.released("web1") == live["web1"]
        assert hosts.get("web1", "/media/evil.py").status == 200
        assert hosts.get("web1", "/media/settings").status in (403, 404)


def test_the_private_ports_are_not_open_to_other_machines(
    hosts: Hosts, live: dict[str, str]
) -> None:
    assert live
    for port in (8101, 8102):
        assert not hosts.tried("db1", f"curl -s -m 3 http://web1:{port}/")[0]


def test_a_site_that_is_not_ours_is_not_served(hosts: Hosts, live: dict[str, str]) -> None:
    assert live
    assert hosts.get("web1", "/", Host="evil.example.com").status == 400


def test_no_secret_is_readable_by_others_or_shown_in_a_process_list(
    hosts: Hosts, live: dict[str, str], secrets: tuple[str, ...]
) -> None:
    assert live
    for name in ("web1", "web2", "db1"):
        readable = hosts.on(
            name, f"find {ROOT} -type f -perm /o=r -exec cat {{}} + | strings || true"
        )
        processes = hosts.on(name, "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '")
        for secret in secrets:
            assert secret not in readable
            assert secret not in processes
