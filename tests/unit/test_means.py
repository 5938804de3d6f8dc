"""How a task reaches the operator: whatever their terminal, disk and account are like."""

import io
import sys
from pathlib import Path

import pytest

from deploy.asked import Asked
from deploy.report import Note
from deploy.report.log import Log
from deploy.tasks import means as world


def test_a_subject_that_the_terminal_cannot_show_is_shown_in_other_letters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(shown, encoding="latin-1"))
    with world.means(Asked(top=Path("/nowhere")), "status", logged=False, live=False) as means:
        means.emit(Note("von hier → dort"))
    assert shown.getvalue() == b"von hier \\u2192 dort\n"


def test_an_account_that_has_only_a_number_is_called_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr("getpass.getuser", nameless)
    assert world.who().startswith("uid-")


def test_a_task_goes_on_where_no_log_can_be_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "fab-deploy").write_text("in the way")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with world.means(Asked(top=tmp_path), "rollback", live=False) as means:
        means.emit(Note("goes on"))
    assert "goes on" in capsys.readouterr().out


def test_what_a_host_says_after_the_end_of_the_log_is_no_fault(tmp_path: Path) -> None:
    log = Log(tmp_path / "log")
    log.close()
    log(Note("late"))
