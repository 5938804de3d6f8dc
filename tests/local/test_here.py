"""Programs on this machine."""

import os
import threading
import time
from pathlib import Path

from deploy.command import Command, Result
from deploy.here import Here, run_here
from tests.local.test_ssh_channel import gone_within, pids_in


def bash(text: str, quiet_limit: float = 30.0, stdin: str = "", cwd: str = "") -> Command:
    return Command(("bash", "-c", text), quiet_limit=quiet_limit, stdin=stdin, cwd=cwd)


def run(command: Command) -> Result:
    return run_here(command, lambda _: None)


def test_output_and_exit_code_come_back(tmp_path: Path) -> None:
    lines: list[str] = []
    result = run_here(bash("echo out; echo err >&2; printf end; exit 3"), lines.append)
    assert (result.exit_code, result.output, lines) == (
        3,
        "out\nerr\nend",
        ["out", "err", "end"],
    )
    assert run(bash("pwd; echo $LC_ALL", cwd=str(tmp_path))).output == f"{tmp_path}\nC.UTF-8\n"


def test_what_a_program_has_sent_elsewhere_is_counted_if_its_last_words_say_so() -> None:
    assert run(bash("echo 10 bytes sent; echo 2 files and 4711 bytes sent")).sent == 4711
    assert run(bash("echo 10 bytes sent; echo done")).sent == 0


def test_a_program_that_is_not_there_is_a_result() -> None:
    result = run(Command(("no-such-program",)))
    assert (result.exit_code, result.output) == (127, "no-such-program is not there\n")


def test_a_file_that_is_no_program_is_a_result(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert run(Command((str(tmp_path / "file"),))).exit_code == 126


def test_a_directory_that_is_not_there_is_a_result(tmp_path: Path) -> None:
    result = run(bash("true", cwd=str(tmp_path / "none")))
    assert (result.exit_code, result.output) == (127, f"{tmp_path / 'none'} is not there\n")


def test_standard_input_is_text_or_empty() -> None:
    assert run(bash("cat", stdin="é" * 200_000)).output == "é" * 200_000
    assert run(bash("cat")).output == ""
    assert run(bash("exec true", stdin="x" * 1_000_000)).ok


def test_a_signal_is_an_exit_code_as_in_a_shell() -> None:
    assert run(bash("kill -9 $$")).exit_code == 137


def test_a_program_that_says_nothing_is_stopped() -> None:
    result = run(bash("echo a; sleep 300", quiet_limit=0.4))
    assert result.exit_code == 124
    assert result.output == "a\nsaid nothing for 0.4 seconds: stopped\n"


def test_a_program_that_closes_its_output_is_waited_for() -> None:
    result = run(bash("exec >/dev/null 2>&1; sleep 0.5; exit 7"))
    assert result.exit_code == 7
    assert result.seconds >= 0.5


def test_stop_ends_children_too_and_kills_what_ignores_it(tmp_path: Path) -> None:
    here = Here(grace=0.5)
    threading.Timer(0.4, here.stop).start()
    began = time.monotonic()
    script = (
        f"trap '' TERM; sleep 300 & echo $! >{tmp_path}/pids; echo $$ >>{tmp_path}/pids; wait; wait"
    )
    result = here.execute(bash(script), lambda _: None)
    assert not result.ok
    assert time.monotonic() - began < 4
    assert gone_within(pids_in(tmp_path / "pids", 2), 1)
    assert here.execute(bash("true"), lambda _: None).ok


def test_what_is_left_behind_is_ended(tmp_path: Path) -> None:
    result = run(bash(f"sleep 300 & echo $! >{tmp_path}/pids"))
    assert result.ok
    assert result.seconds < 2
    assert gone_within(pids_in(tmp_path / "pids", 1), 1)


def test_a_hundred_megabytes_pass() -> None:
    result = run(bash("head -c 100000000 /dev/zero | tr '\\0' 'x'"))
    assert result.ok
    assert len(result.output) < 1_100_000


def test_ctrl_c_of_the_operator_does_not_hit_the_program() -> None:
    result = run(bash("ps -o pgid= -p $$"))
    assert int(result.output) != os.getpgid(0)
