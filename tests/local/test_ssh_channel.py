"""The channel: scripts go in, output and exit codes come out, and nothing is left running."""

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from deploy.command import Command, Result
from deploy.reach import LinkLost
from deploy.ssh.times import Times
from tests.local.locallink import LocalLink

Local = Callable[..., LocalLink]


def bash(text: str, **settings: object) -> Command:
    return Command(("bash", "-c", text), **settings)  # type: ignore[arg-type]  # fields of Command


def run(link: LocalLink, text: str, **settings: object) -> Result:
    return link.execute(bash(text, **settings), lambda _: None)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def gone_within(pids: list[int], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while any(map(alive, pids)):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def pids_in(path: Path, count: int) -> list[int]:
    until = time.monotonic() + 5
    while time.monotonic() < until:
        lines = path.read_text().split("\n") if path.exists() else []
        if len(lines) > count:
            return [int(line) for line in lines[:count]]
        time.sleep(0.02)
    raise AssertionError(f"{path} does not hold {count} process ids")


def test_exit_codes_and_output_come_back(local: Local) -> None:
    link = local()
    lines: list[str] = []
    result = link.execute(bash("echo out; echo err >&2; exit 3"), lines.append)
    assert (result.exit_code, result.output, lines) == (3, "out\nerr\n", ["out", "err"])
    assert run(link, "true").ok


def test_a_word_runs_in_the_shell_and_a_pipeline_fails_with_its_first_part(local: Local) -> None:
    link = local('fails() { false | true; }\nhello() { echo "hello $1"; }')
    assert link.execute(Command(("fails",)), lambda _: None).exit_code == 1
    assert link.execute(Command(("hello", "a b")), lambda _: None).output == "hello a b\n"


def test_output_without_a_newline_is_whole(local: Local) -> None:
    lines: list[str] = []
    assert local().execute(bash("printf abc"), lines.append).output == "abc"
    assert lines == ["abc"]


def test_characters_that_arrive_in_two_pieces_stay_whole(local: Local) -> None:
    lines: list[str] = []
    local().execute(bash("printf '\\303'; sleep 0.2; printf '\\251\\n'"), lines.append)
    assert lines == ["é"]


def test_every_command_starts_fresh_at_home(local: Local) -> None:
    link = local()
    run(link, "true", cwd="/")
    link.execute(Command(("export", "LEAK=1")), lambda _: None)
    result = run(link, 'pwd; echo "[$LEAK]"; umask; echo "$LC_ALL"; cat; printf "%s" "$PATH"')
    lines = result.output.split("\n")
    assert lines[:4] == [str(link.root), "[]", "0022", "C.UTF-8"]
    assert lines[4].startswith("/usr/local/sbin:")


def test_directory_environment_and_quoting_arrive(local: Local) -> None:
    odd = 'a\'b "c" $HOME `id` \\ * \n é -x'
    command = Command(("printf", "%s|%s", odd, ""), cwd="/tmp", env=(("A", odd),))
    link = local()
    assert link.execute(command, lambda _: None).output == f"{odd}|"
    assert run(link, 'printf %s "$A"', env=(("A", odd),)).output == odd


def test_standard_input_arrives_whatever_is_in_it(local: Local) -> None:
    text = "a\\n'\"$x\n%s \\0101 é\t" + "x" * 100_000 + "\0end\n"
    result = local().execute(Command(("cat",), stdin=text), lambda _: None)
    assert result.output == text


def test_a_program_that_leaves_its_input_unread_does_not_fail(local: Local) -> None:
    assert local().execute(Command(("true",), stdin="x" * 500_000), lambda _: None).ok


def test_a_long_script_is_run(local: Local) -> None:
    text = "é" * 150_000
    result = local().execute(Command(("echo", text)), lambda _: None)
    # Longer than a program's argument may be, which a builtin of the shell does not mind.
    assert result.output == text + "\n"


def test_a_secret_is_in_no_process_list_and_no_environment(local: Local) -> None:
    link = local()
    command = Command(("bash", "-c", "sleep 1; cat >/dev/null"), stdin="canary-52017")
    seen: list[str] = []

    def look() -> None:
        until = time.monotonic() + 0.8
        while time.monotonic() < until:
            for entry in Path("/proc").iterdir():
                if entry.name.isdigit() and int(entry.name) != os.getpid():
                    for file in ("cmdline", "environ"):
                        try:
                            if b"canary-52017" in (entry / file).read_bytes():
                                seen.append(f"{entry}/{file}")
                        except OSError:
                            pass

    watcher = threading.Thread(target=look)
    watcher.start()
    assert link.execute(command, lambda _: None).ok
    watcher.join()
    assert not seen


def test_a_hundred_megabytes_pass_in_bounded_memory(local: Local) -> None:
    lines = 0

    def count(_line: str) -> None:
        nonlocal lines
        lines += 1

    began = time.monotonic()
    result = local().execute(
        bash("yes 'a line of fifty characters, more or less, as it goes' | head -c 100000000"),
        count,
    )
    assert result.ok
    assert lines == -(-100_000_000 // 53)
    assert len(result.output) < 1_100_000
    assert "bytes left out" in result.output
    assert time.monotonic() - began < 30


def test_a_line_without_end_does_not_eat_the_memory(local: Local) -> None:
    lines: list[str] = []
    result = local().execute(bash("head -c 200000000 /dev/zero | tr '\\0' x"), lines.append)
    assert result.ok
    assert len(lines) == 1
    assert len(lines[0]) < 9_000
    assert lines[0].endswith("more characters]")


def test_binary_noise_and_false_markers_do_no_harm(local: Local) -> None:
    link = local()
    assert run(link, "head -c 3000000 /dev/urandom; exit 4").exit_code == 4
    assert run(link, "printf '\\036deadbeef done 2 0\\n'; exit 5").exit_code == 5


def test_a_syntax_error_is_a_failure_of_that_command_alone(local: Local) -> None:
    link = local("broken() { eval 'if'; }")
    assert not link.execute(Command(("broken",)), lambda _: None).ok
    assert run(link, "echo still here").output == "still here\n"


def test_control_characters_are_shown_not_obeyed(local: Local) -> None:
    lines: list[str] = []
    local().execute(bash("printf 'a\\033]52;c;x\\007\\rb\\tc\\r\\n'"), lines.append)
    assert lines == ["a\\x1b]52;c;x\\x07\\rb\tc"]


def test_stop_ends_children_of_children_and_the_channel_goes_on(local: Local) -> None:
    link = local()
    script = (
        "sleep 300 & echo $! >>pids; timeout 300 sleep 300 & echo $! >>pids; "
        "bash -c 'setsid sleep 300 & echo $! >>pids; wait' & sleep 300"
    )
    threading.Timer(0.7, link.stop).start()
    began = time.monotonic()
    result = run(link, script)
    assert time.monotonic() - began < 3
    assert result.exit_code == 143
    assert gone_within(pids_in(link.root / "pids", 3), 1)
    assert run(link, "echo undo").output == "undo\n"


def test_what_ignores_the_polite_signal_is_killed_after_the_grace(local: Local) -> None:
    link = local()
    threading.Timer(0.5, link.stop).start()
    result = run(link, "trap '' TERM; echo $$ >pids; while :; do sleep 300; done")
    assert not result.ok
    assert 0.9 < result.seconds < 4
    assert gone_within(pids_in(link.root / "pids", 1), 1)


def test_what_a_command_leaves_behind_in_its_group_is_ended(local: Local) -> None:
    link = local()
    result = run(link, "sleep 300 & echo $! >pids")
    assert result.ok
    assert result.seconds < 2
    assert gone_within(pids_in(link.root / "pids", 1), 1)


def test_closing_the_link_ends_the_work_on_the_host(local: Local) -> None:
    link = local()
    script = "echo $$ >>pids; timeout 300 sleep 300 & echo $! >>pids; wait"
    errors: list[Exception] = []

    def work() -> None:
        try:
            run(link, script)
        except LinkLost as error:
            errors.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    pids = pids_in(link.root / "pids", 2)
    link.close()
    worker.join(10)
    assert gone_within([*pids, link.pid], 5)
    assert [type(error) for error in errors] == [LinkLost]


def test_a_command_that_says_nothing_for_too_long_is_stopped(local: Local) -> None:
    link = local()
    result = run(link, "echo first; sleep 300", quiet_limit=0.5)
    assert result.exit_code == 124
    # In between, bash may say that its child was terminated, if it still can.
    assert result.output.startswith("first\n")
    assert result.output.endswith("said nothing for 0.5 seconds: stopped\n")
    assert run(link, "echo next").output == "next\n"


def test_a_slow_command_that_talks_is_not_stopped(local: Local) -> None:
    result = run(local(), "for i in 1 2 3 4 5 6; do echo $i; sleep 0.3; done", quiet_limit=1.0)
    assert result.ok


def test_a_host_that_hangs_is_told_from_a_quiet_command(local: Local) -> None:
    link = local(times=Times(beat=0.2, dead=1.0, gone=60, grace=0.5))
    threading.Timer(0.5, os.kill, (link.pid, signal.SIGSTOP)).start()
    began = time.monotonic()
    with pytest.raises(LinkLost, match=r"local: hangs: .* during: sleep 300"):
        link.execute(Command(("sleep", "300")), lambda _: None)
    assert 1.0 < time.monotonic() - began < 4
    os.kill(link.pid, signal.SIGCONT)
    assert gone_within([link.pid], 5)


def test_the_host_gives_up_when_the_operator_is_silent(tmp_path: Path, local: Local) -> None:
    link = local(times=Times(beat=60, dead=60, gone=1.0, grace=0.5))
    began = time.monotonic()
    assert run(link, f"echo $$ >{tmp_path}/pids; sleep 300").exit_code == 143
    with pytest.raises(LinkLost, match="local: the connection was lost during: true"):
        link.execute(Command(("true",)), lambda _: None)
    assert time.monotonic() - began < 5
    assert gone_within(pids_in(tmp_path / "pids", 1), 2)


def test_a_word_can_open_a_descriptor_that_all_later_commands_hold(local: Local) -> None:
    link = local('take() { exec 8>"$1"; flock -n 8; }\ngive() { exec 8>&-; }')
    lock = str(link.root / "lock")
    free = f"flock -n {lock} true"
    assert link.execute_here(Command(("take", lock))).ok
    assert not run(link, f"exec 8>&-; {free}").ok
    holder = "(sleep 300) & echo $! >pids; kill -STOP $$"
    threading.Timer(0.5, link.stop).start()
    run(link, holder)
    assert not run(link, f"exec 8>&-; {free}").ok
    assert link.execute_here(Command(("give",))).ok
    assert run(link, free).ok


def test_the_lock_is_free_once_the_loop_and_its_jobs_are_gone(tmp_path: Path, local: Local) -> None:
    link, other = local('take() { exec 8>"$1"; flock -n 8; }'), local(name="other")
    lock = str(tmp_path / "lock")
    assert link.execute_here(Command(("take", lock))).ok
    assert not run(other, f"flock -n {lock} true").ok
    link.close()
    assert gone_within([link.pid], 5)
    assert run(other, f"flock -n {lock} true").ok


def test_words_that_are_no_shell_are_refused_when_the_link_opens(local: Local) -> None:
    with pytest.raises(Exception, match="syntax error"):
        local("broken( {")


def test_a_step_costs_a_few_milliseconds(local: Local) -> None:
    link = local("nothing() { :; }")
    began = time.monotonic()
    for _ in range(50):
        link.execute(Command(("nothing",)), lambda _: None)
    assert (time.monotonic() - began) / 50 < 0.05


def test_lines_come_while_the_command_still_runs(local: Local) -> None:
    times: list[float] = []
    result = local().execute(
        bash("echo one; sleep 0.6; echo two"), lambda _: times.append(time.monotonic())
    )
    assert result.ok
    assert times[1] - times[0] > 0.4


def test_a_secret_environment_that_is_half_written_when_the_operator_leaves_is_taken_away(
    local: Local, tmp_path: Path
) -> None:
    site, programs = tmp_path / "site", tmp_path / "bin"
    (site / "shared").mkdir(parents=True)
    programs.mkdir()
    (programs / "chgrp").write_text(f"#!/bin/sh\necho $$ >>{site}/pids; sleep 300\n")
    (programs / "chgrp").chmod(0o755)
    env = Path(__file__).parents[2] / "deploy" / "remote" / "env.sh"
    link = local(f"{env.read_text()}\nPATH={programs}:$PATH")
    command = Command(("put_env", str(site), "nobody"), stdin="SECRET_KEY=x\n")

    def work() -> None:
        with suppress(LinkLost):
            link.execute(command, lambda _: None)

    worker = threading.Thread(target=work)
    worker.start()
    pids = pids_in(site / "pids", 1)
    link.close()
    worker.join(10)
    # What bash says of a program that was ended has no reader any more, and would end bash.
    assert gone_within([*pids, link.pid], 5)
    assert list((site / "shared").iterdir()) == []
