"""Warnings of a step that goes well: everybody sees them, not only those who open the log."""

import io
import json

from rich.console import Console

from deploy.report import Note, Printed, Said, Table
from deploy.report.jsonevents import JsonEvents
from deploy.report.live import Screen
from deploy.report.plain import Plain

WARNING = Said("here", "static.check", "warning: names carry no digest")
CHATTER = Said("here", "static.check", "1500 files")


def test_a_warning_is_a_line_and_chatter_is_not() -> None:
    out = io.StringIO()
    for event in (CHATTER, WARNING):
        Plain(out)(event)
    assert out.getvalue() == "   here: warning: names carry no digest\n"


def test_scripts_get_it_as_a_note() -> None:
    out = io.StringIO()
    for event in (CHATTER, WARNING):
        JsonEvents(out)(event)
    assert json.loads(out.getvalue()) == {
        "event": "note",
        "text": "here: warning: names carry no digest",
    }


def test_on_a_terminal_it_stays_above_the_live_lines() -> None:
    out = io.StringIO()
    screen = Screen(Console(file=out, force_terminal=True, width=80))
    for event in (CHATTER, WARNING):
        screen(event)
    screen.close()
    assert "here: warning: names carry no digest" in out.getvalue()


def test_brackets_in_what_a_host_says_are_shown_and_never_taken_for_markup() -> None:
    out = io.StringIO()
    screen = Screen(Console(file=out, width=80))
    screen(Note("mends DATABASES [default] and [/srv/www/shop]"))
    screen(Table("", ("found",), (("[bold] at [/etc/apache2]",),)))
    screen.close()
    assert "[default] and [/srv/www/shop]" in out.getvalue()
    assert "[bold] at [/etc/apache2]" in out.getvalue()


def test_an_empty_line_that_a_command_printed_is_a_line() -> None:
    out = io.StringIO()
    for text in ("one\n", "\n", "two\n"):
        Plain(out)(Printed(text))
    assert out.getvalue() == "one\n\ntwo\n"


def test_a_narrow_terminal_folds_an_id_and_cuts_nothing_off() -> None:
    out = io.StringIO()
    screen = Screen(Console(file=out, width=10))
    screen(Table("", ("release",), (("000001-beec404",),)))
    screen.close()
    assert "000001-beec404" in "".join(out.getvalue().split())
