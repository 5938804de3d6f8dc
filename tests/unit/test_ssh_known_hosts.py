"""known_hosts is read as OpenSSH reads it, and a bad line spoils no other."""

import base64
import hashlib
import hmac
from pathlib import Path

import paramiko
import pytest

from deploy.ssh.known_hosts import KnownHosts, load, matches

ONE, TWO = paramiko.ECDSAKey.generate(), paramiko.ECDSAKey.generate()


def line(names: str, key: paramiko.PKey = ONE) -> str:
    return f"{names} {key.get_name()} {key.get_base64()}"


def known(tmp_path: Path, *lines: str) -> KnownHosts:
    file = tmp_path / "known_hosts"
    file.write_text("\n".join(lines))
    return load([file])


def hashed(name: str) -> str:
    salt = b"0123456789abcdefghij"
    digest = hmac.new(salt, name.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


@pytest.mark.parametrize(
    ("patterns", "name", "found"),
    [
        (["web1"], "web1", True),
        (["web1"], "WEB1", True),
        (["web1"], "web11", False),
        (["web1,web2"], "web2", False),
        (["web1", "web2"], "web2", True),
        (["*.example.com"], "a.example.com", True),
        (["*.example.com", "!b.example.com"], "b.example.com", False),
        (["web?"], "web1", True),
        (["web.1"], "webx1", False),
        (["[web1]:2222"], "[web1]:2222", True),
        (["[*]:2222"], "[web1]:2222", True),
        ([hashed("web1")], "web1", True),
        ([hashed("web1")], "web2", False),
        (["|1|not base64|x"], "web1", False),
    ],
)
def test_names_match_as_in_openssh(patterns: list[str], name: str, found: bool) -> None:
    assert matches(patterns, name) is found


def test_several_keys_of_one_kind_are_all_trusted(tmp_path: Path) -> None:
    hosts = known(tmp_path, line("web1"), line("web1", TWO))
    assert {entry.blob for entry in hosts.trusted("web1", 22)} == {ONE.asbytes(), TWO.asbytes()}


def test_another_port_has_its_own_line_and_else_the_bare_name(tmp_path: Path) -> None:
    hosts = known(tmp_path, line("web1"), line("[web1]:2222", TWO))
    assert [entry.blob for entry in hosts.trusted("web1", 2222)] == [TWO.asbytes()]
    assert [entry.blob for entry in hosts.trusted("web1", 2223)] == [ONE.asbytes()]
    assert not hosts.trusted("web2", 22)


def test_lines_that_cannot_be_read_are_passed_over(tmp_path: Path) -> None:
    hosts = known(
        tmp_path,
        "",
        "# comment",
        "web1",
        "web1 ssh-rsa",
        "web1 ssh-rsa not/base64!",
        f"web1 ssh-rsa {ONE.get_base64()}",
        f"@cert-authority * {ONE.get_name()} {ONE.get_base64()}",
        "\x00\xff binary",
        line("web1", TWO) + " a comment",
    )
    assert [entry.blob for entry in hosts.trusted("web1", 22)] == [TWO.asbytes()]


def test_a_revoked_key_is_known_as_such_for_the_names_of_its_line(tmp_path: Path) -> None:
    hosts = known(tmp_path, "@revoked " + line("*.example.com"), line("web1"))
    assert hosts.is_revoked("a.example.com", 22, ONE)
    assert hosts.is_revoked("a.example.com", 2222, ONE)
    assert not hosts.is_revoked("web1", 22, ONE)
    assert not hosts.is_revoked("a.example.com", 22, TWO)


def test_a_missing_file_knows_nobody(tmp_path: Path) -> None:
    assert not load([tmp_path / "none"]).trusted("web1", 22)


def test_fingerprints_are_openssh_s(tmp_path: Path) -> None:
    (entry,) = known(tmp_path, line("web1")).trusted("web1", 22)
    assert entry.fingerprint == ONE.fingerprint
