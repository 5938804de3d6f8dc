"""An upload as the command line of rsync, and a command as the script of the channel."""

from pathlib import Path

from deploy.command import Command, Upload
from deploy.ssh.rsync import arguments, listed, without_numbers
from deploy.ssh.script import named, script


def test_the_command_line_compares_content_and_keeps_no_owner_and_no_time() -> None:
    argv = arguments(Upload(Path("/src"), "/dst"), "shell", "host:/dst/")
    assert argv[0] == "rsync"
    assert {"--checksum", "--delete", "--no-owner", "--no-times", "--safe-links"} <= set(argv)
    assert argv[-3:] == ["--", "/src/", "host:/dst/"]


def test_neighbours_exclusions_and_paths_become_options() -> None:
    upload = Upload(
        Path("/src"),
        "/dst",
        like=("/a", "/b"),
        only=("x", "-y\n"),
        exclude=("/lib", "a*b\\c", "d\\e"),
    )
    argv = arguments(upload, "shell", "host:/dst/")
    assert [word for word in argv if word.startswith("--link-dest")] == [
        "--link-dest=/a",
        "--link-dest=/b",
    ]
    assert [word for word in argv if word.startswith("--exclude")] == [
        "--exclude=/lib",
        "--exclude=/a\\*b\\\\c",
        "--exclude=/d\\e",
    ]
    assert "--from0" in argv
    assert listed(upload) == b"x\0-y\n\0"


def test_standard_input_is_in_the_script_and_not_in_what_is_shown() -> None:
    command = Command(("psql", "-f", "-"), stdin="it's a\\b\0")
    assert script(command) == "psql -f - < <(printf %b 'it\\0047s a\\\\b\\0000')"
    assert named(command) == "psql -f -"
    assert script(Command(("ls",))) == "ls"


def test_long_commands_are_named_in_a_few_words() -> None:
    assert len(named(Command(("echo", "x" * 500)))) == 100


NUMBERS = """
Number of files: 22 (reg: 20, dir: 2)
Number of created files: 0
Number of deleted files: 0
Number of regular files transferred: 10
Total file size: 4,096 bytes
Total transferred file size: 4096 bytes
Literal data: 4096 bytes
Matched data: 0 bytes
File list size: 0
File list generation time: 0.001 seconds
File list transfer time: 0.000 seconds
Total bytes sent: 107
Total bytes received: 38

sent 107 bytes  received 38 bytes  290.00 bytes/sec
total size is 4096  speedup is 28.24
"""


def test_why_an_upload_failed_is_told_whether_rsync_says_so_before_or_after_its_numbers() -> None:
    why = "rsync: mkstemp failed: No space left on device (28)\n"
    end = "rsync error: some files could not be transferred (code 23)\n"
    assert without_numbers(f"{why}{NUMBERS}{end}") == why + end
    assert without_numbers(f"{NUMBERS}{why}{end}") == why + end
    assert without_numbers(NUMBERS) == ""
