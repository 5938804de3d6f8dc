"""Quoting: it happens in one place, so it is tested in one."""

import subprocess
from pathlib import Path

import pytest

from deploy.command import QUIET_LIMIT, Action, Command, Upload, in_few_messages

HOSTILE = ["", " ", "$(id)", "`id`", "; rm -rf ~", "a'b", 'a"b', "a\nb", "-rf", "*", "~", "é", "\\"]


@pytest.mark.parametrize("word", HOSTILE)
def test_a_shell_reads_back_every_word_as_it_was(word: str, tmp_path: Path) -> None:
    folder = tmp_path / "a b"
    folder.mkdir()
    command = Command(
        (
            "python3",
            "-c",
            "import os,sys; print([sys.argv[1:], os.environ['V'], os.getcwd()])",
            word,
        ),
        cwd=str(folder),
        env=(("V", word),),
    )
    said = subprocess.run(
        ["/bin/sh", "-c", command.shell()], capture_output=True, text=True, check=True
    )
    assert said.stdout == f"{[[word], word, str(folder)]}\n"


def test_a_nul_byte_is_refused_because_no_program_could_get_it() -> None:
    with pytest.raises(ValueError, match="NUL"):
        Command(("echo", "a\0b"))


def test_what_goes_to_standard_input_is_neither_shown_nor_printed() -> None:
    command = Command(("cat",), stdin="hunter2")
    assert "hunter2" not in command.shell()
    assert "hunter2" not in repr(command)


def test_an_upload_says_in_a_plan_what_is_linked_and_what_is_sent() -> None:
    upload = Upload(Path("/from/here"), "/to/there", like=("/old one",))
    assert upload.shell() == "rsync --checksum --link-dest='/old one' /from/here/ /to/there/"


def test_values_of_the_environment_are_passed_on_and_not_shown() -> None:
    command = Command(("send",), cwd="/a b", env=(("AWS_SECRET_ACCESS_KEY", "hunter2"),))
    assert command.shown() == "cd '/a b' && AWS_SECRET_ACCESS_KEY=... send"
    assert "hunter2" in command.shell()


def lines(*actions: Action) -> list[str]:
    return [action.shell() for action in in_few_messages(actions)]


def test_commands_that_follow_each_other_are_one_message_which_ends_at_the_first_that_fails(
    tmp_path: Path,
) -> None:
    folder = str(tmp_path)
    here = Command(("pwd",), cwd="/")
    made = [Command(("touch", "it's one")), here, Command(("touch", "two")), Command(("false",))]
    [message] = in_few_messages((*made, Command(("touch", "three"))))
    assert isinstance(message, Command)
    assert message.quiet_limit == sum(one.quiet_limit for one in made) + QUIET_LIMIT
    done = subprocess.run(["bash", "-c", message.shell()], cwd=folder, capture_output=True)
    assert (done.returncode, done.stdout) == (1, b"/\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["it's one", "two"]


def test_a_transfer_and_what_reads_standard_input_are_messages_of_their_own() -> None:
    plain, asks = Command(("mark",)), Command(("cat",), stdin="hunter2")
    upload = Upload(Path("/from"), "/to")
    parts = [plain.shell(), upload.shell(), "eval 'mark && mark'", "cat", "mark"]
    assert lines(plain, upload, plain, plain, asks, plain) == parts


def test_a_look_is_not_joined_to_what_changes_something_for_it_needs_no_lock() -> None:
    look = Command(("look",), changes=False)
    assert lines(Command(("mark",)), look, look) == ["mark", "eval 'look && look'"]
