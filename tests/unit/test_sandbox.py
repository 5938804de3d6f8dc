"""What a fleet is called, what it writes down, and what it advises, without Docker."""

import socket
import tomllib
from pathlib import Path

import pytest

from deploy.errors import Refused
from tests.sandbox import engine, files, image
from tests.sandbox.containers import plan
from tests.sandbox.members import MACHINES, Fleet, Machine, Member, free_port, prefix
from tests.sandbox.packages import install

WEB = Member("web1", ("web",), "sandbox-0-web1", ssh_port=20001, http_port=20002)
STATIC = Member("static1", ("static",), "sandbox-0-static1", ssh_port=20003, http_port=20004)
DB = Member("db1", ("db",), "sandbox-0-db1", ssh_port=20005)
SECRET = files.Secrets("django-secret", "database/secret", "mail-secret", "bucket-secret")


def pairs(fleet: Fleet) -> dict[str, str]:
    lines = files.env_file(fleet, "guestbook", SECRET).splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_two_state_directories_give_two_prefixes(tmp_path: Path) -> None:
    assert prefix(tmp_path / "one") != prefix(tmp_path / "two")


def test_a_state_directory_has_one_prefix_however_it_is_written(tmp_path: Path) -> None:
    assert prefix(tmp_path / "one") == prefix(tmp_path / "two" / ".." / "one")


def test_a_port_that_somebody_listens_on_is_not_free() -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        assert free_port(taken=set(range(20_000, 31_999))) == 31_999
        assert free_port(taken=()) != port


def test_ports_lie_below_those_of_outgoing_calls() -> None:
    assert all(20_000 <= free_port(taken=()) < 32_000 for _ in range(20))


def test_only_hosts_that_serve_pages_have_a_url() -> None:
    assert [member.url for member in (WEB, DB)] == ["http://127.0.0.1:20002", ""]


def test_the_inventory_part_reads_back_as_it_was_meant() -> None:
    written = tomllib.loads(files.fleet_toml((WEB, DB)))
    assert written == {
        "ssh": {"user": "deploy", "identity": "id_ed25519", "known_hosts": "known_hosts"},
        "hosts": {
            "web1": {"address": "127.0.0.1", "port": 20001, "url": "http://127.0.0.1:20002"},
            "db1": {"address": "127.0.0.1", "port": 20005},
        },
    }


def test_known_hosts_names_the_port_and_drops_the_comment() -> None:
    text = files.known_hosts({20003: "ssh-ed25519 BBBB root@two", 20001: "ssh-ed25519 AAAA"})
    assert text == "[127.0.0.1]:20001 ssh-ed25519 AAAA\n[127.0.0.1]:20003 ssh-ed25519 BBBB\n"


def test_the_site_is_told_where_its_database_and_its_static_files_are(tmp_path: Path) -> None:
    told = pairs(Fleet(tmp_path, (WEB, STATIC, DB)))
    assert told["DATABASE_URL"] == "postgres://guestbook:database%2Fsecret@db1:5432/guestbook"
    assert told["STATIC_URL"] == "http://127.0.0.1:20004/static/"
    assert told["CSRF_TRUSTED_ORIGINS"] == "http://127.0.0.1:20002"


def test_a_fleet_without_a_static_host_serves_static_files_itself(tmp_path: Path) -> None:
    assert pairs(Fleet(tmp_path, (WEB,)))["STATIC_URL"] == "/static/"


def test_secrets_are_kept_and_only_their_owner_may_read_them(tmp_path: Path) -> None:
    made = files.keep_secrets(tmp_path)
    assert files.keep_secrets(tmp_path) == made
    assert (tmp_path / files.SECRETS).stat().st_mode & 0o777 == 0o600


def test_secrets_do_not_show_in_a_traceback() -> None:
    assert "secret" not in repr(SECRET)


def test_a_host_that_is_there_keeps_its_ports() -> None:
    planned = plan("sandbox-0", MACHINES, {"web1": WEB})
    assert planned[0] == WEB
    assert [member.name for member in planned] == [machine.name for machine in MACHINES]


def test_new_hosts_get_ports_of_their_own() -> None:
    planned = plan("sandbox-0", tuple(Machine(f"web{n}", ("web",)) for n in range(50)), {})
    ports = [port for member in planned for port in (member.ssh_port, member.http_port)]
    assert len(set(ports)) == 100
    assert 0 not in ports


def test_the_image_is_named_after_what_it_is_made_of() -> None:
    name, version = image.tag().split(":")
    assert name == "django-fabric-deploy-sandbox"
    assert len(version) == 12
    assert image.tag() == image.tag()


def advise(
    said: str = "Cannot connect", platform: str = "linux", root: bool = False, host: str = ""
) -> str:
    return engine.advice(said, platform, root, installed=True, docker_host=host)


def test_root_on_linux_is_not_sent_away() -> None:
    assert advise(root=True) == ""


def test_somebody_who_may_not_use_docker_is_told_how_to() -> None:
    said = "permission denied while trying to connect to the Docker daemon socket"
    assert advise(said) == "sudo usermod -aG docker $USER, then log in again"


def test_a_docker_that_does_not_run_is_started_by_its_owner() -> None:
    assert "systemctl start docker" in advise()


def test_elsewhere_than_on_linux_docker_desktop_is_the_answer() -> None:
    assert "Docker Desktop" in advise(platform="darwin", root=True)


def test_a_remote_engine_is_never_replaced_by_a_local_one() -> None:
    assert "tcp://far:2375" in advise(root=True, host="tcp://far:2375")


APT = """#!/bin/sh
echo "$@" >>"{log}"
if [ "$2" = update ] || [ -e "{fresh}" ]; then exit 0; fi
: >"{fresh}"
echo "E: Unable to locate package"
exit 100
"""


def test_root_installs_what_is_missing_with_fresh_lists_if_need_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"
    (tmp_path / "apt-get").write_text(APT.format(log=log, fresh=tmp_path / "fresh"))
    (tmp_path / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    told: list[str] = []
    install(("docker.io",), told.append, why="for hosts", root=True)
    asked = "-q install -y --no-install-recommends docker.io"
    assert log.read_text().splitlines() == [asked, "-q update", asked]
    assert told == ["apt-get install --no-install-recommends docker.io (as root: for hosts)"]


def test_others_are_told_the_line_that_root_has_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "apt-get").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refused) as refused:
        install(("docker.io",), print, why="for hosts", root=False)
    assert refused.value.hint == "sudo apt-get install --no-install-recommends docker.io"


def test_a_system_without_apt_is_told_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Refused, match="mmdebstrap is not installed"):
        install(("mmdebstrap",), print, why="no image", root=True)
