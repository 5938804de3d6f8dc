"""What the benchmark computes from measurements, and how it puts that into pages."""

import json
from pathlib import Path

import pytest

from bench import show
from bench.result import FIRST, REDEPLOY, Measurement, Results, read
from bench.scale import scale


def run(contestant: str, seconds: float, hosts: int = 1, case: str = REDEPLOY) -> Measurement:
    cpu, memory, sent = 0.5 + 0.1 * hosts, 50_000_000 + 1_000_000 * hosts, 30_000 * hosts
    counts = {"connections": hosts, "commands": hosts, "exchanges": 12 * hosts}
    return Measurement(
        contestant,
        case,
        hosts,
        50,
        seconds,
        seconds + 1,
        cpu,
        memory,
        **counts,
        sent=sent,
        received=9,
    )


@pytest.fixture
def results() -> Results:
    measured = [
        run("us", 3.0),
        run("us", 9.0),
        run("us", 2.0),
        run("floor", 4.0),
        run("limit", 2.0),
    ]
    measured += [run("pyinfra", 12.0), run("group", 6.0), run("us", 4.0, 11)]
    versions = {name: "1" for name in ("us", "floor", "limit", "pyinfra", "group")}
    missing = {"cap": "cap is not installed"}
    return Results(
        measured, versions, ["pyinfra", "group"], missing, "2024-05-01", "./fab bench", {}
    )


def test_a_ratio_is_that_of_medians_and_the_peer_is_the_fastest(results: Results) -> None:
    first = json.loads(results.ratios()[0].line())
    assert first == {
        "event": "ratio",
        "case": "redeploy",
        "hosts": 1,
        "rtt_ms": 50,
        "vs_floor": 0.75,
        "vs_limit": 1.5,
        "vs_fastest_peer": 0.5,
    }


def test_a_ratio_to_somebody_who_was_not_measured_is_left_out(results: Results) -> None:
    second = json.loads(results.ratios()[1].line())
    assert second == {"event": "ratio", "case": "redeploy", "hosts": 11, "rtt_ms": 50}


def test_a_missing_peer_is_named_under_the_tables(results: Results) -> None:
    assert "cap is missing: cap is not installed" in show.markdown(results)


def test_a_missed_target_says_by_how_much(results: Results) -> None:
    assert "| fastest peer | 0.33 | 0.50 | missed by 1.5 x |" in show.targets(results)


def test_results_can_be_read_again(results: Results, tmp_path: Path) -> None:
    results.keep(tmp_path / "results.json")
    assert read(tmp_path / "results.json") == results


def test_costs_of_many_hosts_lie_on_the_line_through_what_was_measured(results: Results) -> None:
    found = scale(results)
    assert found is not None
    assert found.cpu.at(1_000) == pytest.approx(100.5)


def test_one_number_of_hosts_makes_no_line(results: Results) -> None:
    few = [one for one in results.measurements if one.hosts == 1 or one.case == FIRST]
    alone = Results(few, results.versions, results.peers, {}, "", "", {})
    assert scale(alone) is None


def test_tables_are_put_between_their_marks_and_nothing_else_changes(
    results: Results, tmp_path: Path
) -> None:
    (tmp_path / "docs").mkdir()
    text = "above\n<!-- bench summary begins -->\nold\n<!-- bench summary ends -->\nbelow\n"
    for page in show.PAGES:
        (tmp_path / page).write_text(text)
    show.write(results, tmp_path)
    again = (tmp_path / "README.md").read_text()
    assert again.startswith("above\n<!-- bench summary begins -->\nMeasured 2024-05-01 by")
    assert again.endswith("<!-- bench summary ends -->\nbelow\n")
    assert "old" not in again
    show.write(results, tmp_path)
    assert (tmp_path / "README.md").read_text() == again
