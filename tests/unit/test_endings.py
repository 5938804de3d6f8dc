"""How a command line ends, for people and for scripts."""

import json

import pytest
from invoke.exceptions import Failure, ParseError, UnexpectedExit
from invoke.runners import Result

from deploy.errors import DeployError, Interrupted, Locked, PrepareFailed, Refused
from deploy.outcome import Outcome
from deploy.report.ending import ending
from deploy.report.jsonlines import error_line, result_line


def test_an_error_of_the_toolkit_keeps_its_words_and_its_code() -> None:
    error = Locked("anna deploys", "fab status")
    assert (ending(error).error, ending(error).exit_code, ending(error).trace) == (error, 4, "")


@pytest.mark.parametrize(
    ("error", "what", "code"),
    [
        (KeyboardInterrupt(), "stopped by Ctrl-C or a signal", Interrupted.exit_code),
        (ParseError("odd"), "odd", Refused.exit_code),
        (UnexpectedExit(Result(command="ls", exited=9)), "`ls` ended with exit code 9", 9),
        (Failure(Result(command="ls")), "`ls` failed", 1),
        (
            ParseError("Flag <Argument: pool_size (z)> needed value and was not given one!"),
            "--pool-size needs a value",
            2,
        ),
        (
            ParseError("'go' did not receive required positional arguments: 'to'"),
            "go needs a value for 'to'",
            2,
        ),
    ],
)
def test_what_others_raise_is_put_in_words(error: BaseException, what: str, code: int) -> None:
    end = ending(error)
    assert (end.error.what, end.exit_code, end.trace) == (what, code, "")


def test_what_nobody_foresaw_is_a_defect_with_a_traceback() -> None:
    try:
        raise KeyError("x\ny")
    except KeyError as error:
        end = ending(error)
    assert end.error.what == "a defect: unexpected KeyError: 'x\\ny'"
    assert (end.exit_code, type(end.error)) == (1, DeployError)
    assert end.trace.startswith("Traceback")


def test_a_result_is_one_object_on_one_line() -> None:
    line = result_line("deploy", 1.23456, Outcome("000001-abc", {"note": "é\n", "task": "other"}))
    assert "\n" not in line
    assert json.loads(line) == {
        "event": "result",
        "task": "deploy",
        "ok": True,
        "release": "000001-abc",
        "seconds": 1.235,
        "exit_code": 0,
        "note": "é\n",
    }


def test_an_error_is_one_object_on_one_line() -> None:
    line = error_line(None, 0, Refused("no\nway", "try"), 2)
    assert "\n" not in line
    assert json.loads(line) == {
        "event": "result",
        "task": None,
        "ok": False,
        "error": "no\nway",
        "hint": "try",
        "seconds": 0,
        "exit_code": 2,
    }


def test_an_error_has_what_its_task_promises_to_scripts_and_none_of_it_hides_the_rest() -> None:
    failed = PrepareFailed("not fit", "mend it", more={"warnings": 2, "ok": True})
    said = json.loads(error_line("check", 0, failed, 3))
    assert (said["warnings"], said["ok"], said["exit_code"]) == (2, False, 3)
