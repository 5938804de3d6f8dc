"""The journals of all hosts, told as one list."""

from deploy.findings import Findings
from deploy.journal import parse
from deploy.ledger import merged

FIRST = "begin 20260101-120000-aaaaaa deploy ann@desk db1 web1,db1 web=->000001-aaaaaaa"
SECOND = (
    "begin 20260102-080000-bbbbbb rollback bob@tram db1 web1,db1 web=000002-bbbbbbb>000001-aaaaaaa"
)


def said(**journals: tuple[str, ...]) -> list[dict[str, object]]:
    """What the hosts with these journals are told to have seen."""
    return merged({name: Findings(runs=parse(name, lines)) for name, lines in journals.items()})


def test_a_run_is_told_once_the_newest_first_with_both_releases() -> None:
    ended = (FIRST, "commit 20260101-120000-aaaaaa", SECOND, "commit 20260102-080000-bbbbbb")
    newest, oldest = said(web1=ended, db1=ended)
    assert newest["who"] == "bob@tram"
    assert newest["at"] == "2026-01-02T08:00:00+00:00"
    assert newest["web"] == {"from": "000002-bbbbbbb", "to": "000001-aaaaaaa"}
    assert newest["static"] is None
    assert (oldest["verb"], oldest["web"]) == ("deploy", {"from": None, "to": "000001-aaaaaaa"})
    assert (newest["outcome"], oldest["outcome"]) == ("live", "live")


def test_a_run_that_one_host_does_not_know_the_end_of_is_open() -> None:
    (run,) = said(web1=(FIRST, "commit 20260101-120000-aaaaaa"), db1=(FIRST,))
    assert run["outcome"] == "open"


def test_a_run_that_was_taken_back_everywhere_is_undone() -> None:
    (run,) = said(web1=(FIRST, "abort 20260101-120000-aaaaaa"))
    assert run["outcome"] == "undone"
    assert run["hosts"] == ["web1", "db1"]


def test_an_id_without_a_time_has_none() -> None:
    (run,) = said(web1=(FIRST.replace("20260101-120000-aaaaaa", "by-hand"), "abort by-hand"))
    assert run["at"] is None
