"""The site's Apache file: what is in it, what is refused for it, and how a change is shown."""

from dataclasses import replace

import jinja2
import pytest

from deploy import rendering
from deploy.configuring import by_text, difference
from deploy.errors import Refused
from deploy.project import Apache, Project, Static, Web
from deploy.site import finished
from deploy.webserver import apache_site

SHOP = Project(
    name="shop",
    root="/srv/www/shop",
    settings="shop.settings",
    web=Web(server_name="shop.example.com"),
)
TLS = Apache(certificate="/etc/ssl/shop.pem", certificate_key="/etc/ssl/shop.key")
REDIRECT = "https://%{SERVER_NAME}"


def vhosts(apache: Apache) -> list[str]:
    """The parts of the file from one vhost to the next."""
    return apache_site(replace(SHOP, apache=apache)).split("<VirtualHost ")[1:]


def test_with_a_certificate_http_leads_to_https_and_only_there() -> None:
    plain, secure, *private = vhosts(TLS)
    assert plain.startswith("*:80>")
    assert REDIRECT in plain
    assert "SSLEngine" not in plain
    assert secure.startswith("*:443>")
    assert "SSLCertificateFile /etc/ssl/shop.pem" in secure
    assert REDIRECT not in secure + "".join(private)
    assert REDIRECT not in "".join(vhosts(Apache()))


def test_both_vhosts_choose_the_slot_by_the_live_release() -> None:
    for one in vhosts(TLS)[:2]:
        assert "RewriteCond /srv/www/shop/current/.slot-green -f" in one


def test_embedded_mode_has_no_group_for_visitors_and_daemon_mode_no_python_in_apache() -> None:
    embedded = apache_site(replace(SHOP, apache=Apache(mode="embedded")))
    assert "WSGIRestrictEmbedded Off" in embedded
    assert "SLOT" not in embedded
    assert embedded.count("processes=1 ") == 2
    assert "WSGIRestrictEmbedded On" in apache_site(SHOP)


def test_pythons_own_places_are_those_of_the_processes_in_either_mode() -> None:
    apache = Apache(python_home="/opt/python", python_path=("/opt/a", "/opt/b"))
    daemon = apache_site(replace(SHOP, apache=apache))
    assert daemon.count("python-home=/opt/python \\\n    python-path=/opt/a:/opt/b \\\n") == 2
    embedded = apache_site(replace(SHOP, apache=replace(apache, mode="embedded")))
    assert "WSGIPythonHome /opt/python\nWSGIPythonPath /opt/a:/opt/b\n" in embedded


def test_logs_are_where_they_are_said_to_be() -> None:
    red_hat = apache_site(replace(SHOP, apache=Apache(layout="redhat")))
    assert "/var/log/httpd/shop-error.log" in red_hat
    assert "apache2" not in red_hat
    named = replace(SHOP, web=replace(SHOP.web, error_log="/logs/e", access_log="/logs/a"))
    text = apache_site(named)
    assert "ErrorLog /logs/e" in text
    assert "CustomLog /logs/a combined" in text


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("certificate", "/etc/ssl/shop.pem", "both certificate and certificate_key"),
        ("python_home", "/srv/www/shop/current/venv", "changes under processes that run"),
        ("python_path", ("/opt/a", "/srv/www/shop/slots/blue"), "changes under processes"),
    ],
)
def test_what_cannot_work_is_refused_before_a_host_is_reached(
    key: str, value: object, says: str
) -> None:
    values = {"name": "shop", "settings": "shop.settings", f"apache.{key}": value}
    with pytest.raises(Refused, match=says):
        finished(values)


def test_a_difference_is_shown_once_for_all_hosts_that_have_it() -> None:
    changed = difference("a\nb\n", "a\nc\n")
    assert changed.splitlines()[-2:] == ["-b", "+c"]
    assert difference("a\n", "a\n") == ""
    assert "nothing is installed" in difference("", "a\n")
    shown = by_text({"web1": changed, "web2": changed, "web3": ""})
    assert shown == {changed: ["web1", "web2"], "": ["web3"]}


def test_a_template_is_compiled_once_since_a_plan_renders_it_for_every_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compiled: list[str] = []
    compile_ = jinja2.Environment.compile

    def counted(self: jinja2.Environment, source: str, name: str, *words: object) -> object:
        compiled.append(name)
        return compile_(self, source, name, *words)  # type: ignore[call-overload]  # as it was called

    monkeypatch.setattr(jinja2.Environment, "compile", counted)
    rendering._library.cache_clear()
    first = apache_site(SHOP)
    assert apache_site(SHOP) == first
    assert compiled == ["apache.conf.j2"]


@pytest.mark.parametrize("mode", ["server", "storage"])
def test_files_of_releases_from_before_another_static_mode_are_still_served(mode: str) -> None:
    text = apache_site(replace(SHOP, static=Static(mode=mode)))
    assert "Alias /static/" not in text
    assert (
        "    RewriteCond /srv/www/shop/current/staticfiles/$1 -f\n"
        "    RewriteRule ^/static/(.+)$ /srv/www/shop/current/staticfiles/$1 [L]\n"
    ) in text
    assert "RewriteCond /srv/www/shop/slots/blue/staticfiles/$1 -f" in text
