"""The page that stands in place of the site."""

from pathlib import Path

import pytest

from deploy.errors import Refused
from deploy.maintenance import LARGEST, read_page
from deploy.project import Project
from deploy.webserver import apache_site, maintenance_page

PROJECT = Project(name="shop", root="/srv/www/shop", settings="shop.settings")


def test_what_visitors_read_is_text_even_if_it_looks_like_markup() -> None:
    page = maintenance_page(PROJECT, "<script>1</script> & more", '"14:30"')
    assert "&lt;script&gt;1&lt;/script&gt; &amp; more" in page
    assert "expected back &quot;14:30&quot;." in page
    assert "<script>" not in page


def test_without_reason_and_end_the_page_says_neither() -> None:
    page = maintenance_page(PROJECT, "", "")
    assert "shop is being worked on." in page
    assert page.count("<p>") == 1


def test_the_vhost_lets_only_the_host_itself_with_the_mark_behind_the_page() -> None:
    text = apache_site(PROJECT)
    assert "RewriteCond /srv/www/shop/maintenance/503.html -f" in text
    assert r"RewriteCond %{REMOTE_ADDR}%{HTTP:X-Deploy-Asks} !^127\.0\.0\.1yes$" in text


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe", b"x" * (LARGEST + 1)])
def test_a_page_that_cannot_be_shown_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    page = tmp_path / "away.html"
    page.write_bytes(content)
    with pytest.raises(Refused, match=r"away\.html|cannot be read"):
        read_page(str(page))


def test_a_page_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="No such file"):
        read_page(str(tmp_path / "none.html"))
