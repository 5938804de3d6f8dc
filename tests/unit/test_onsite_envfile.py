"""The environment file: what it may hold, and that its values never show."""

import ast
from pathlib import Path

import pytest

from deploy.onsite.envfile import NotReady, mask, parse, read

ONSITE = Path(__file__).parents[2] / "deploy" / "onsite"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("A=plain", "plain"),
        ("A=", ""),
        ("  A=around  ", "around"),
        ("A= after the sign", "after the sign"),
        ("A=two words", "two words"),
        ("A=x=y&z=1", "x=y&z=1"),
        ("export A=shell", "shell"),
        ("A=windows\r", "windows"),
        ("A=pass#word # not a comment", "pass#word # not a comment"),
        ("A=back\\nslash", "back\\nslash"),
        ("A=don't", "don't"),
        ('A=say "hi"', 'say "hi"'),
        ("A='as it stands: \\n $X \"'", 'as it stands: \\n $X "'),
        ("A='kept '  # a comment", "kept "),
        ('A=""', ""),
        ('A=" kept "# a comment', " kept "),
        ('A="a\\nb\\tc"', "a\nb\tc"),
        ('A="\\\\ \\" \\$ \\`"', '\\ " $ `'),
        ('A="\\d"', "\\d"),
        ("A=first\nA=last", "last"),
        ("# a comment\n\n \t\nA=grüße", "grüße"),
        ("A=form\x0cfeed", "form\x0cfeed"),
        ("A=line\u2028separator", "line\u2028separator"),
    ],
)
def test_a_line_gives_its_value(text: str, value: str) -> None:
    assert parse(text) == {"A": value}


@pytest.mark.parametrize(
    "line",
    [
        "hunter2",
        "=hunter2",
        "A =hunter2",
        "2A=hunter2",
        "A-B=hunter2",
        "exports A=hunter2",
        "A='hunter2",
        'A="hunter2',
        'A="hunter2\\"',
        "A='hunter2' hunter2",
        'A="hunter2"hunter2',
        "A='hunter2'hunter2'",
        "A=hunter2\0",
    ],
)
def test_a_malformed_line_is_named_by_its_number_and_never_by_its_value(line: str) -> None:
    with pytest.raises(NotReady, match="env, line 3") as caught:
        parse(f"# one\nB=2\n{line}\n")
    assert "hunter2" not in str(caught.value)


def test_an_empty_file_has_no_variables() -> None:
    assert parse("") == {}


def test_a_file_that_is_not_there_is_told_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(NotReady, match="env cannot be read: No such file"):
        read(tmp_path / "env")


def test_a_line_that_is_not_utf_8_is_named_by_its_number(tmp_path: Path) -> None:
    (tmp_path / "env").write_bytes(b"A=1\nB=\xff\n")
    with pytest.raises(NotReady, match="line 2: not UTF-8"):
        read(tmp_path / "env")


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    (tmp_path / "env").write_bytes(b"\xef\xbb\xbfA=1")
    assert read(tmp_path / "env") == {"A": "1"}


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("invalid literal: 'correct-horse'", "invalid literal: '<KEY>'"),
        ("no host in postgres://u:p%40ssword@db/x", "no host in <URL>"),
        ("password p@ssword refused", "password <URL> refused"),
        ("password p%40ssword refused", "password <URL> refused"),
        ("key correct%2Dhorse, correct-horse", "key correct%2Dhorse, <KEY>"),
        ("login: AGNvcnJlY3QtaG9yc2U=", "login: AG<KEY>U="),
        ("login: Y29ycmVjdC1ob3JzZQ==", "login: <KEY>Q=="),
        ("unterminated: 'two\\nlines'", "unterminated: '<LINES>'"),
        ("DEBUG is true", "DEBUG is true"),
        ("/srv/www/x/settings.py:3 in <module>", "/srv/www/x/settings.py:3 in <module>"),
    ],
)
def test_a_message_shows_the_name_of_a_value_instead_of_the_value(said: str, shown: str) -> None:
    values = {
        "KEY": "correct-horse",
        "URL": "postgres://u:p%40ssword@db/x",
        "LINES": "two\nlines",
        "DEBUG": "true",
        "MEDIA_ROOT": "/srv/www/x",
    }
    assert mask(said, values) == shown


@pytest.mark.parametrize(
    ("url", "said", "shown"),
    [
        (
            "redis://:abcDEF123/xyz@10.0.0.5:6379/0",
            "Port could not be cast to integer value as 'abcDEF123'",
            "Port could not be cast to integer value as '<URL>'",
        ),
        (
            "redis://:ab?DEFGH#ijkl@10.0.0.5:6379/0",
            "no password ab?DEFGH#ijkl, no path DEFGH, no fragment ijkl",
            "no password <URL>, no path <URL>, no fragment <URL>",
        ),
        ("redis://:first@SECond/3@h", "cannot connect to second", "cannot connect to <URL>"),
        ("redis://:one-secret@h1,redis://:two-secret@h2", "h2: two-secret", "h2: <URL>"),
        ("postgres://[u:odd-password@db/x", "no: odd-password", "no: <URL>"),
        ("redis://cache1:6379/0", "cannot connect to cache1:6379", "cannot connect to cache1:6379"),
    ],
)
def test_a_password_that_cuts_an_url_short_shows_in_no_part_of_it(
    url: str, said: str, shown: str
) -> None:
    assert mask(said, {"URL": url}) == shown


@pytest.mark.parametrize("path", sorted(ONSITE.glob("*.py")), ids=lambda path: path.name)
def test_what_runs_on_hosts_is_written_for_python_3_9(path: Path) -> None:
    ast.parse(path.read_text(), feature_version=(3, 9))
