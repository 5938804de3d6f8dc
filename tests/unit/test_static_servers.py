"""The vhosts of static servers, as text."""

import re

from deploy.local.pack import ENDINGS
from deploy.project import Project, Static
from deploy.webserver import COMPRESSED, HASHED, static_site


def site(server: str, *, brotli: bool = False, port: int = 80) -> str:
    static = Static(mode="server", server=server, brotli=brotli, port=port, url="/s.1/")
    return static_site(Project(name="shop", root="/srv/www/shop", static=static))


def test_apache_knows_the_type_of_everything_that_is_compressed() -> None:
    assert set(ENDINGS) == set(COMPRESSED)


def test_what_holds_a_digest_is_told_by_its_name() -> None:
    assert re.search(HASHED, "/static/site.0123456789ab.css")
    assert not re.search(HASHED, "/static/site.css")
    assert not re.search(HASHED, "/static/0123456789ab.css/site")


def test_brotli_is_served_only_if_it_is_asked_for() -> None:
    for server, words in (("nginx", "brotli_static on"), ("apache", ".br [T=")):
        assert words not in site(server)
        assert words in site(server, brotli=True)


def test_the_path_is_taken_as_it_is_written() -> None:
    for server in ("nginx", "apache"):
        assert r"^/s\.1/(." in site(server)


def test_apache_listens_on_a_port_that_its_own_file_does_not_open() -> None:
    assert "Listen" not in site("apache")
    assert "Listen 8080\n<VirtualHost *:8080>" in site("apache", port=8080)
