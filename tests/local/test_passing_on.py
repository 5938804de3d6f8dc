"""What a command that the operator had run prints, where standard output is a file."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from io import TextIOWrapper
from pathlib import Path

import pytest

from deploy.asked import Asked
from deploy.manage import run
from deploy.project import Project
from deploy.stage import Stage
from deploy.tasks.means import means
from tests.local.conftest import Machine

ODD = (
    b"{" + b"x" * 100_000 + b"}\n"
    b"\n"
    b"\n"
    b"zero\xe2\x80\x8bwidth, \xef\xbb\xbfmark, \x1b[31mred\r\n"
    b"no UTF-8: \xff\xc3\n"
    b"\xc3\xa9 without an end"
)

Print = Callable[..., bytes]


@pytest.fixture
def printed(
    machine: Callable[[str], Machine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Print:
    """What `fab run` writes into a file when the hosts print these bytes."""
    hosts = []
    for name in ("web1", "web2"):
        made = machine(name)
        hosts.append(replace(made.host, roles=("web",)))
    stage = Stage("test", tmp_path, "", False, 8, Project(name="shop"), tuple(hosts))

    def into_a_file(data: bytes, *names: str, as_json: bool = False) -> bytes:
        (tmp_path / "data").write_bytes(data)
        rest = (f"cat {tmp_path / 'data'}",)
        asked = Asked(top=tmp_path, loaded=stage, hosts=names, rest=rest, json=as_json)
        file = tmp_path / "printed"
        # A locale that does not know half of the characters must not change them either.
        locale = "utf-8" if as_json else "latin-1"
        with TextIOWrapper(file.open("wb"), encoding=locale) as out, monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", out)
            with means(asked, "run", logged=False, live=False) as world:
                run(asked, world)
        return file.read_bytes()

    return into_a_file


def test_a_file_gets_every_byte_of_it_since_it_may_be_a_dump(printed: Print) -> None:
    assert printed(ODD, "web1") == ODD


def test_several_hosts_have_each_line_whole_and_marked_even_empty_ones(printed: Print) -> None:
    lines = [line + b"\n" for line in ODD.split(b"\n")]
    got = printed(ODD, "web1", "web2").splitlines(keepends=True)
    for name in (b"web1", b"web2"):
        mark = b"[" + name + b"] "
        assert [one.removeprefix(mark) for one in got if one.startswith(mark)] == lines
    assert len(got) == 2 * len(lines)


def test_scripts_get_each_line_whole_in_json(printed: Print) -> None:
    said = [json.loads(one) for one in printed(ODD, "web1", as_json=True).splitlines()]
    texts = [one["text"].encode("utf-8", "surrogateescape") for one in said]
    assert texts == ODD.split(b"\n")
