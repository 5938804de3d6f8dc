"""Management commands, shell lines, a terminal and logs: what they say, and how they end."""

import fcntl
import hashlib
import os
import pty
import select
import signal
import subprocess
import termios
import time
from collections.abc import Sequence

import pytest

from tests.docker.checkout import FAB, Checkout
from tests.docker.hosts import ROOT, Hosts, wait_for

pytestmark = pytest.mark.docker

PATIENCE = 40.0


def typed(checkout: Checkout, *words: str, answers: Sequence[tuple[str, str]]) -> tuple[int, str]:
    """The exit code of `fab WORDS` at a terminal, and all that was seen there.

    Each answer is typed once the words before it are on the screen.
    """
    ours, theirs = pty.openpty()
    env = {**checkout.env, "TERM": "xterm-256color"}
    with subprocess.Popen(
        [FAB, *words],
        cwd=checkout.top,
        env=env,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    ) as process:
        os.close(theirs)
        seen, until, left = "", time.monotonic() + PATIENCE, list(answers)
        while time.monotonic() < until:
            if select.select([ours], [], [], 0.2)[0]:
                try:
                    seen += os.read(ours, 65536).decode("utf-8", "replace")
                except OSError:  # so a terminal says that its last program is gone
                    break
            if left and left[0][0] in seen:
                os.write(ours, left.pop(0)[1].encode())
        else:
            process.kill()
    os.close(ours)
    assert not left, f"never asked for {left[0]}: {seen}"
    assert not [secret for secret in checkout.secrets if secret in seen]
    return process.returncode, seen


def test_a_command_gets_its_words_as_they_were_typed_and_gives_its_exit_code(
    live: dict[str, str], base: Checkout
) -> None:
    assert live
    told = base.fab("manage", "--", "shell", "-c", "print('two  spaces;', 40 + 2)")
    assert "two  spaces; 42" in told.out
    fails = ("manage", "--", "shell", "-c", "raise SystemExit(7)")
    told = base.fab(*fails, code=7)
    assert "shell failed on db1 (exit code 7)" in told.err
    told = base.fab("--json", "-R", "web", *fails, code=7)
    assert told.result["exit_code"] == 7
    told = base.fab("--json", "-R", "web", "manage", "--", "shell", "-c", "print('here')")
    said = [(one["host"], one["text"]) for one in told.of("output")]
    assert {("web1", "here"), ("web2", "here")} <= set(said)
    told = base.fab("manage", "--", "nonsense", code=1)
    assert "Unknown command: 'nonsense'" in told.out


def test_a_command_is_given_standard_input_byte_by_byte_when_that_is_asked_for(
    live: dict[str, str], base: Checkout
) -> None:
    assert live
    text = 'it\'s $HOME \\n %s "ä"\n' * 2000
    reads = "import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())"
    told = base.fab("manage", "--stdin", "--", "shell", "-c", reads, stdin=text)
    assert hashlib.sha256(text.encode()).hexdigest() in told.out
    told = base.fab("-R", "web", "manage", "--stdin", "--", "shell", stdin="print(6 * 7)\n")
    assert "[web1] 42" in told.out
    assert "[web2] 42" in told.out


def test_a_shell_line_runs_on_each_selected_host_and_on_none_if_none_is_named(
    base: Checkout,
) -> None:
    told = base.fab("-R", "web", "run", "--", "echo $USER in $PWD; [ $(hostname) != web2 ]", code=1)
    assert "[web1] deploy in /home/deploy" in told.out
    assert "[web2] deploy in /home/deploy" in told.out
    assert "failed on web2 (exit code 1)" in told.err
    assert "which hosts" in base.fab("run", "--", "true", code=2).err
    assert "there is no terminal here" in base.fab("-H", "web1", "shell", code=2).err


def test_at_a_terminal_a_command_can_ask_and_a_shell_can_be_used(
    live: dict[str, str], base: Checkout
) -> None:
    assert live
    asks = "import os; name = input('Who? '); print('hello', name, os.environ['TERM'])"
    words = ("manage", "--", "shell", "-c", asks)
    code, seen = typed(base, *words, answers=[("Who? ", "Łucja\n")])
    assert "hello Łucja xterm-256color" in seen
    assert code == 0
    answers = [("$ ", "pwd; (exit 3)\n"), (ROOT, "exit\n")]
    code, seen = typed(base, "-H", "db1", "shell", answers=answers)
    assert code == 0, seen
    # Ctrl-C is for the program there, which may well go on.
    waits = "import time\ntry: print('wait', flush=True); time.sleep(60)\n"
    waits += "except KeyboardInterrupt: print('heard it'); raise SystemExit(5)"
    words = ("manage", "--", "shell", "-c", waits)
    code, seen = typed(base, *words, answers=[("wait", "\x03")])
    assert "heard it" in seen
    assert code == 5


def test_logs_are_shown_and_followed_by_those_who_may_read_them(
    hosts: Hosts, live: dict[str, str], base: Checkout
) -> None:
    assert live
    told = base.fab("logs", code=1)
    assert "Permission denied" in told.out
    assert "usermod --append --groups adm" in told.err
    for name in ("web1", "web2"):
        hosts.on(name, "usermod --append --groups adm deploy")
    try:
        hosts.get("web1", "/first-visit/")
        told = base.fab("logs", "--access", "--lines", "3")
        assert [line for line in told.out.splitlines() if line.startswith("[web1]")]
        assert "/first-visit/" in told.out
        run = base.start("logs", "--access", "--follow")
        run.says("/first-visit/")
        hosts.get("web2", "/second-visit/")
        run.says("/second-visit/")
        run.signal(signal.SIGINT)
        run.ended(130)
        wait_for(lambda: "tail" not in hosts.on("web1", "ps -o comm= -u deploy || true"))
    finally:
        for name in ("web1", "web2"):
            hosts.on(name, "gpasswd --delete deploy adm")
