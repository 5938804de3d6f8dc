"""Uploads by rsync over the connection that is open."""

import hashlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.command import Command, Result, Upload
from deploy.errors import PrepareFailed, Refused
from deploy.reach import LinkLost, each
from deploy.ssh.link import Link
from deploy.ssh.times import Times
from tests.local.conftest import QUICK, Machine
from tests.local.locallink import LocalLink
from tests.local.sshserver import Proxy
from tests.local.test_ssh_channel import gone_within, pids_in
from tests.local.test_ssh_login import trusting

Machines = Callable[[str], Machine]
Reach = Callable[..., Link]

ODD = ("a b", 'it\'s "q"', "new\nline", "-rf", "é☃", "*?[x]", "back\\slash", "$(id)", "x:y", "#c")


def silently(_line: str) -> None:
    pass


def send(link: Link, upload: Upload) -> Result:
    return link.execute(upload, silently)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A tree with everything that makes trouble."""
    root = tmp_path / "source"
    for name in ODD:
        directory = root / f"dir {name}"
        directory.mkdir(parents=True)
        (directory / name).write_text(f"content of {name}")
    (root / "file").write_bytes(os.urandom(200_000))
    (root / os.fsdecode(b"latin\xe9")).write_text("not UTF-8")
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o700)
    (root / "private").write_text("x")
    (root / "private").chmod(0o600)
    (root / "suid").write_text("x")
    (root / "suid").chmod(0o6777)
    (root / "link").symlink_to("file")
    (root / "dir a b" / "up").symlink_to("../file")
    return root


def contents(root: Path) -> dict[str, str]:
    found = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        elif path.is_file():
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def mode(path: Path) -> str:
    return oct(path.stat().st_mode & 0o7777)


def processes(word: str) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if word.encode() in line and b"rsync" in line:
                found.append(line.replace(b"\0", b" ").decode(errors="replace"))
    return found


def test_the_target_becomes_the_source(machine: Machines, reach: Reach, source: Path) -> None:
    web = machine("web1")
    target = web.home / "odd ' target"
    result = send(reach(web.host), Upload(source, str(target)))
    assert (result.exit_code, result.output) == (0, "")
    assert contents(target) == contents(source)
    assert result.sent > 200_000
    assert web.server.habits.logins == 1


def test_modes_are_those_of_a_site(machine: Machines, reach: Reach, source: Path) -> None:
    web = machine("web1")
    source.chmod(0o2777)
    send(reach(web.host), Upload(source, str(web.home / "t")))
    names = {name: mode(web.home / "t" / name) for name in ("run.sh", "private", "suid", ".")}
    assert names == {"run.sh": "0o755", "private": "0o644", "suid": "0o755", ".": "0o755"}


def test_nothing_is_sent_again_and_what_is_gone_is_removed(
    machine: Machines, reach: Reach, source: Path
) -> None:
    web = machine("web1")
    link = reach(web.host)
    target = web.home / "t"
    (web.home / "beside").write_text("stays")
    send(link, Upload(source, str(target)))
    (target / "extra").write_text("goes")
    (target / "run.sh").write_text("#!/bin/ed\n")  # the same size, so that only content tells
    again = send(link, Upload(source, str(target)))
    assert again.ok
    assert again.sent < 5_000
    assert contents(target) == contents(source)
    assert (web.home / "beside").exists()


def test_what_a_neighbour_has_is_linked_not_sent(
    machine: Machines, reach: Reach, source: Path
) -> None:
    web = machine("web1")
    link = reach(web.host)
    one, two = web.home / "1", web.home / "2"
    send(link, Upload(source, str(one)))
    os.utime(source / "file", (0, 0))
    (source / "private").write_text("y")
    result = send(link, Upload(source, str(two), like=(str(one),)))
    assert result.ok
    assert result.sent < 5_000
    assert (one / "file").stat().st_ino == (two / "file").stat().st_ino
    assert (one / "private").read_text() == "x"
    assert (two / "private").read_text() == "y"


def test_only_some_paths_are_sent(machine: Machines, reach: Reach, source: Path) -> None:
    web = machine("web1")
    target = web.home / "t"
    target.mkdir()
    (target / "there").write_text("stays")
    only = ("run.sh", "dir new\nline", "dir -rf/-rf")
    assert send(reach(web.host), Upload(source, str(target), only=only)).ok
    assert set(contents(target)) == {"there", "run.sh", "dir new\nline/new\nline", "dir -rf/-rf"}


def test_some_paths_are_left_out_wherever_else_the_name_occurs(
    machine: Machines, reach: Reach, source: Path
) -> None:
    web = machine("web1")
    (source / "deep").mkdir()
    (source / "deep" / "file").write_text("sent")
    (source / "dir xx").mkdir()
    (source / "dir xx" / "sent").write_text("sent")
    exclude = ("file", "link", "dir *?[x]", "dir a b/up", "dir back\\slash")
    assert send(reach(web.host), Upload(source, str(web.home / "t"), exclude=exclude)).ok
    left_out = {"file", "link", "dir *?[x]/*?[x]", "dir a b/up", "dir back\\slash/back\\slash"}
    assert set(contents(source)) - set(contents(web.home / "t")) == left_out


def test_a_path_that_is_not_inside_the_source_is_refused(
    machine: Machines, reach: Reach, source: Path
) -> None:
    link = reach(machine("web1").host)
    for only in ("../x", "/etc/passwd", ""):
        with pytest.raises(PrepareFailed, match="not a path inside"):
            send(link, Upload(source, "/tmp/never", only=(only,)))
    with pytest.raises(PrepareFailed, match="there is no directory"):
        send(link, Upload(source / "file", "/tmp/never"))


def test_links_that_lead_out_are_refused_before_anything_is_sent(
    machine: Machines, reach: Reach, source: Path
) -> None:
    web = machine("web1")
    (source / "passwd").symlink_to("/etc/passwd")
    (source / "dir a b" / "far").symlink_to("../../secret")
    (source / "tricky").symlink_to("dir a b/../../secret")
    with pytest.raises(PrepareFailed) as caught:
        send(reach(web.host), Upload(source, str(web.home / "t")))
    for line in ("passwd -> /etc/passwd", "dir a b/far -> ../../secret", "tricky -> dir a b/"):
        assert line in caught.value.what
    assert not (web.home / "t").exists()
    out = ("passwd", "tricky", "dir a b/far")
    assert send(reach(web.host), Upload(source, str(web.home / "t"), exclude=out)).ok


def test_a_login_shell_that_talks_does_no_harm(
    machine: Machines, reach: Reach, source: Path
) -> None:
    web = machine("web1")
    web.server.habits.noise = b"Welcome!\r\n\x1e"
    assert send(reach(web.host), Upload(source, str(web.home / "t"))).ok
    assert contents(web.home / "t") == contents(source)


def test_devices_and_pipes_are_not_sent(machine: Machines, reach: Reach, source: Path) -> None:
    web = machine("web1")
    os.mkfifo(source / "pipe")
    result = send(reach(web.host), Upload(source, str(web.home / "t")))
    assert result.ok
    assert not (web.home / "t" / "pipe").exists()


def test_a_host_without_rsync_says_what_to_install(
    machine: Machines, reach: Reach, source: Path, tmp_path: Path
) -> None:
    web = machine("web1")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "bash").symlink_to("/bin/bash")
    web.server.habits.path = str(tmp_path / "bin")
    result = send(reach(web.host), Upload(source, str(web.home / "t")))
    assert result.exit_code == 127
    assert "rsync is not installed on web1: apt-get install rsync" in result.output


def test_a_machine_of_ours_without_rsync_is_refused(
    machine: Machines, reach: Reach, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = reach(machine("web1").host)
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(Refused, match="rsync is not installed on this machine"):
        send(link, Upload(source, "/tmp/never"))


def test_a_target_that_cannot_be_written_fails_with_rsyncs_words(
    machine: Machines, reach: Reach, source: Path
) -> None:
    result = send(reach(machine("web1").host), Upload(source, "/proc/nowhere/t"))
    assert not result.ok
    assert "/proc/nowhere/t" in result.output


def test_a_cut_line_is_a_lost_link_and_nothing_is_left(
    machine: Machines, reach: Reach, tmp_path: Path, proxy: Callable[..., Proxy]
) -> None:
    web = machine("web1")
    line = proxy(web.server.port)
    link = reach(trusting(web, line, 5.0))
    big = tmp_path / "big"
    big.mkdir()
    (big / "file").write_bytes(os.urandom(50_000_000))

    def cut() -> None:
        begun(web.home / "t")
        line.close()

    threading.Thread(target=cut, daemon=True).start()
    with pytest.raises(LinkLost, match="web1: the connection was lost during: rsync to"):
        send(link, Upload(big, str(web.home / "t")))
    no_rsync_left(web)
    assert not (web.home / "t" / "file").exists()


def begun(folder: Path) -> None:
    """Wait until rsync has begun to write there."""
    until = time.monotonic() + 10
    while not any(folder.glob(".file.*")) and time.monotonic() < until:
        time.sleep(0.002)


def test_a_silent_line_is_noticed_and_nothing_is_left_here(
    machine: Machines, reach: Reach, tmp_path: Path, proxy: Callable[..., Proxy]
) -> None:
    web = machine("web1")
    line = proxy(web.server.port, 3_000_000)
    times = Times(beat=0.2, dead=1.0, gone=60, grace=0.5)
    link = reach(trusting(web, line, 5.0), "", times)
    big = tmp_path / "big"
    big.mkdir()
    (big / "file").write_bytes(os.urandom(20_000_000))
    began = time.monotonic()
    with pytest.raises(LinkLost, match="web1: hangs"):
        send(link, Upload(big, str(web.home / "t")))
    assert time.monotonic() - began < 10
    line.close()
    no_rsync_left(web)


def test_a_remote_rsync_that_does_nothing_is_stopped(
    machine: Machines, reach: Reach, source: Path, tmp_path: Path
) -> None:
    web = machine("web1")
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin" / "rsync"
    fake.write_text(f"#!/bin/bash\necho $$ >{web.home}/pid\nexec cat >/dev/null\n")
    fake.chmod(0o755)
    web.server.habits.path = f"{tmp_path / 'bin'}:/usr/bin:/bin"
    link = reach(web.host)
    result = send(link, Upload(source, str(web.home / "t"), quiet_limit=0.5))
    assert result.exit_code == 124
    assert "said nothing for 0.5 seconds: stopped" in result.output
    assert gone_within(pids_in(web.home / "pid", 1), 3)
    assert link.execute(Command(("true",)), silently).ok


def test_stop_ends_both_sides_and_the_link_stays_usable(
    machine: Machines, reach: Reach, tmp_path: Path
) -> None:
    web = machine("web1")
    link = reach(web.host)
    big = tmp_path / "big"
    big.mkdir()
    (big / "file").write_bytes(os.urandom(100_000_000))
    threading.Timer(0.4, link.stop).start()
    result = send(link, Upload(big, str(web.home / "t")))
    assert not result.ok
    no_rsync_left(web)
    assert link.execute(Command(("echo", "undo")), silently).output == "undo\n"


def test_eight_hosts_are_sent_to_at_once(machine: Machines, reach: Reach, source: Path) -> None:
    webs = [machine(f"web{n}") for n in range(8)]
    links = [reach(web.host) for web in webs]
    each(
        [
            lambda link=link, web=web: send(link, Upload(source, str(web.home / "t")))  # type: ignore[misc]  # bound now
            for link, web in zip(links, webs, strict=True)
        ]
    )
    for web in webs:
        assert contents(web.home / "t") == contents(source)


def test_a_directory_that_stands_for_a_host_is_sent_to_alike(
    local: Callable[..., LocalLink], source: Path
) -> None:
    link = local()
    assert link.execute(Upload(source, str(link.root / "t"), exclude=("file",)), silently).ok
    assert set(contents(source)) - set(contents(link.root / "t")) == {"file"}


def no_rsync_left(web: Machine) -> None:
    until = time.monotonic() + 5
    while left := processes(str(web.home)) + processes("/wire"):
        assert time.monotonic() < until, left
        time.sleep(0.05)


def test_the_intervals_of_the_tests_are_not_those_of_production() -> None:
    assert Times() != QUICK
    assert Times().dead >= 3 * Times().beat
    assert Times().gone > Times().dead


def test_a_long_upload_says_how_far_it_is(machine: Machines, reach: Reach, tmp_path: Path) -> None:
    web = machine("web1")
    fake = tmp_path / "bin" / "rsync"
    fake.parent.mkdir()
    fake.write_text('#!/bin/bash\nsleep 1.2\nexec /usr/bin/rsync "$@"\n')
    fake.chmod(0o755)
    web.server.habits.path = f"{fake.parent}:/usr/bin:/bin"
    big = tmp_path / "big"
    big.mkdir()
    (big / "file").write_bytes(os.urandom(3_000_000))
    lines: list[str] = []
    result = reach(web.host).execute(Upload(big, str(web.home / "t")), lines.append)
    assert result.ok
    assert result.output == ""
    assert lines
    assert all(line.endswith(" MB sent") for line in lines)
