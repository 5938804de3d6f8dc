"""-R, -H and -x for the ordinary Fabric tasks of somebody's own fabfile, over real SSH."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import paramiko
import pytest

from tests.local.sshserver import Listener

FAB = str(Path(sys.executable).parent / "fab")
FABFILE = '''
from deploy.cli import takeover

takeover()

import threading

from fabric import task
from invoke import task as plain


@plain
def build(c):
    print("building")


@task(pre=[build])
def hello(c, to="world"):
    """Greets."""
    print("printed", to)
    c.run("printf 'one\\\\ntwo'; sleep 0.2; echo -three; echo wrong >&2")


@task
def meet(c):
    # Passes only if both hosts are at it at once.
    c.run("touch $MEET/$NAME; until [ $(ls $MEET | wc -l) = 2 ]; do sleep 0.05; done", timeout=10)


@task
def alone(c):
    c.run("mkdir $MEET/busy && sleep 0.3 && rmdir $MEET/busy")


@task
def picky(c):
    c.run("echo working; sleep 0.2; test $NAME != web2 || exit 7")


@task
def quiet(c):
    c.run("echo why it failed; exit 3", hide=True)


@task
def hushed(c):
    print(c.run("echo captured", hide=True).stdout.strip().upper())


@task
def bug(c):
    {}["missing"]


@task(autoprint=True)
def name(c):
    return c.run("echo $NAME", hide=True).stdout.strip()


@task
def waits(c):
    c.run("echo begun; sleep 30")


@task
def own(c):
    c.config.run.env = {"MARK": c.run("echo $NAME", hide=True).stdout.strip()}
    for _ in range(5):
        assert c.run("echo $MARK", hide=True).stdout == c.run("echo $NAME", hide=True).stdout
'''
PYPROJECT = '[tool.deploy]\nname = "shop"\nsettings = "config.settings"\nstage = "live"\n'

Fab = Callable[..., subprocess.CompletedProcess[str]]


class Shell(paramiko.ServerInterface):  # type: ignore[misc]  # Paramiko ships no types
    """A host: lets everybody in and runs what it is told with bash."""

    def __init__(self, env: dict[str, str]) -> None:
        self._env = env

    def check_auth_publickey(self, _username: str, _key: paramiko.PKey) -> int:
        return int(paramiko.AUTH_SUCCESSFUL)

    def get_allowed_auths(self, _username: str) -> str:
        return "publickey"

    def check_channel_request(self, _kind: str, _chanid: int) -> int:
        return int(paramiko.OPEN_SUCCEEDED)

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        threading.Thread(target=self._run, args=(channel, command), daemon=True).start()
        return True

    def _run(self, channel: paramiko.Channel, command: bytes) -> None:
        time.sleep(0.02)  # Paramiko says yes after this thread has begun; a no must not overtake it
        done = subprocess.Popen(
            ["bash", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._env,
        )

        def pump(stream: int, send: Callable[[bytes], None]) -> None:
            while data := os.read(stream, 65536):
                send(data)

        assert done.stdout is not None
        assert done.stderr is not None
        pairs = ((done.stdout, channel.sendall), (done.stderr, channel.sendall_stderr))
        pumps = [threading.Thread(target=pump, args=(one.fileno(), to)) for one, to in pairs]
        for thread in pumps:
            thread.start()
        for thread in pumps:
            thread.join()
        channel.send_exit_status(done.wait())
        channel.close()


@pytest.fixture
def serve() -> Iterator[Callable[[str, Path, paramiko.PKey], int]]:
    """Starts a host of this name on a port of this machine."""
    listeners: list[Listener] = []

    def start(name: str, meet: Path, key: paramiko.PKey) -> int:
        env = {"PATH": os.environ["PATH"], "NAME": name, "MEET": str(meet)}

        def greet(connection: socket.socket) -> None:
            transport = paramiko.Transport(connection)
            transport.add_server_key(key)
            transport.start_server(event=threading.Event(), server=Shell(env))

        listeners.append(Listener(greet))
        return listeners[-1].port

    yield start
    for one in listeners:
        one.close()


@pytest.fixture
def fab(tmp_path: Path, serve: Callable[[str, Path, paramiko.PKey], int]) -> Fab:
    """Runs stock fab in a project whose inventory has web1, web2, db1 and the dead static1."""
    key = paramiko.ECDSAKey.generate()
    key.write_private_key_file(str(tmp_path / "key"))
    (tmp_path / "meet").mkdir()
    lines, known = ['[ssh]\nuser = "me"\nidentity = "../key"\nknown_hosts = "../known"\n'], []
    for name, role in (("web1", "web"), ("web2", "web"), ("db1", "db")):
        port = serve(name, tmp_path / "meet", key)
        lines.append(f'[hosts.{name}]\naddress = "127.0.0.1"\nport = {port}\nroles = ["{role}"]\n')
        known.append(f"[127.0.0.1]:{port} {key.get_name()} {key.get_base64()}\n")
    lines.append('[hosts.static1]\naddress = "127.0.0.1"\nport = 1\nroles = ["static"]\n')
    (tmp_path / "known").write_text("".join(known))
    (tmp_path / "inventories").mkdir()
    (tmp_path / "inventories" / "live.toml").write_text("".join(lines))
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    (tmp_path / "fabfile.py").write_text(FABFILE)

    def run(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [FAB, *args],
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


def of(host: str, text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(f"[{host}] ")]


def test_a_task_runs_on_each_host_of_a_role_in_whole_lines_that_say_whose_they_are(
    fab: Fab,
) -> None:
    done = fab("-R", "web", "hello", "--to", "you")
    assert done.returncode == 0, done.stderr
    for host in ("web1", "web2"):
        said = [f"[{host}] {line}" for line in ("printed you", "one", "two-three")]
        assert of(host, done.stdout) == said
        assert of(host, done.stderr) == [f"[{host}] wrong"]
    assert len(done.stdout.splitlines()) == 7  # and "building", once


def test_hosts_and_exclusions_select_as_for_the_tasks_of_the_toolkit(fab: Fab) -> None:
    assert fab("-H", "db1", "name").stdout == "[db1] db1\n"
    assert fab("-R", "web,db", "-x", "web1", "--serial", "name").stdout == (
        "[web2] web2\n[db1] db1\n"
    )
    assert fab("-x", "web1,web2,static1", "name").stdout == "[db1] db1\n"


def test_hosts_are_worked_on_at_once(fab: Fab) -> None:
    assert fab("-R", "web", "meet").returncode == 0


@pytest.mark.parametrize("option", [("--serial",), ("-z", "1")])
def test_not_more_hosts_at_once_than_asked_for(fab: Fab, option: tuple[str, ...]) -> None:
    done = fab("-R", "web,db", *option, "alone")
    assert done.returncode == 0, done.stderr


def test_a_failing_host_stops_the_next_task_and_not_the_other_hosts(fab: Fab) -> None:
    done = fab("-R", "web,db", "picky", "name")
    assert sorted(done.stdout.splitlines()) == [f"[{n}] working" for n in ("db1", "web1", "web2")]
    assert done.stderr.startswith("error: picky failed on web2: ")
    assert "ended with exit code 7" in done.stderr
    assert done.returncode == 1


def test_every_failing_host_is_named_with_its_hidden_output(fab: Fab) -> None:
    done = fab("-R", "web", "quiet")
    assert done.stdout == ""
    assert done.stderr.startswith("error: quiet failed on 2 of 2 hosts\n  web1: ")
    assert done.stderr.count("\n    why it failed") == 2


def test_hidden_output_stays_hidden(fab: Fab) -> None:
    assert fab("-H", "web1", "hushed").stdout == "[web1] CAPTURED\n"


def test_a_bug_shows_where_it_is(fab: Fab) -> None:
    done = fab("-H", "web1", "bug")
    assert '[web1]     {}["missing"]' in done.stderr
    assert done.stderr.endswith("error: bug failed on web1: KeyError: 'missing'\n")
    assert done.returncode == 1


def test_a_host_that_cannot_be_reached_is_named(fab: Fab) -> None:
    done = fab("-R", "static,db", "name")
    assert done.stdout == "[db1] db1\n"
    assert done.stderr.startswith("error: name failed on static1: ")
    assert "Traceback" not in done.stderr


def test_bad_hosts_can_be_left_out(fab: Fab) -> None:
    done = fab("--skip-bad-hosts", "-R", "static,db", "name")
    assert (done.returncode, done.stdout) == (0, "[db1] db1\n")
    assert done.stderr.startswith("left out: static1: ")
    assert fab("--skip-bad-hosts", "-R", "static", "name").returncode == 1


def test_an_unknown_host_key_is_never_accepted(fab: Fab, tmp_path: Path) -> None:
    (tmp_path / "known").write_text("")
    done = fab("-R", "web", "name")
    assert done.returncode == 1
    assert done.stdout == ""


def test_every_host_has_settings_of_its_own(fab: Fab) -> None:
    done = fab("-R", "web,db", "own")
    assert done.returncode == 0, done.stderr


def test_a_command_after_two_dashes_runs_on_the_role(fab: Fab) -> None:
    done = fab("-R", "web", "--serial", "--", "echo", "$NAME")
    assert done.stdout == "[web1] web1\n[web2] web2\n"


def test_a_pre_task_runs_once_and_only_if_the_role_is_known(fab: Fab) -> None:
    assert fab("-R", "web", "hello").stdout.count("building") == 1
    assert fab("-R", "wbe", "hello").stdout == ""


def test_without_hosts_a_task_is_fabrics_as_ever(fab: Fab) -> None:
    assert fab("build").stdout == "building\n"


def test_dry_shows_the_command_of_each_host(fab: Fab) -> None:
    done = fab("--dry", "-R", "web", "picky")
    assert "[web1] " in done.stdout
    assert "echo working; sleep" in done.stdout
    assert of("web2", done.stdout) != []


def test_json_has_an_object_for_each_line(fab: Fab) -> None:
    done = fab("--json", "-H", "db1", "name")
    first, last = done.stdout.splitlines()
    assert first == '{"event": "output", "host": "db1", "text": "db1"}'
    assert '"task": "name", "ok": true' in last


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_hosts_at_once(fab: Fab, tmp_path: Path, number: int) -> None:
    assert fab("-H", "web1", "name").returncode == 0
    with subprocess.Popen(
        [FAB, "-R", "web", "waits"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        begun = {running.stdout.readline(), running.stdout.readline()}
        assert begun == {"[web1] begun\n", "[web2] begun\n"}
        began = time.monotonic()
        running.send_signal(number)
        said = running.communicate(timeout=20)[1]
    assert (running.returncode, said) == (130, "error: stopped by Ctrl-C or a signal\n")
    assert time.monotonic() - began < 5
