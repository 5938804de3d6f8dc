"""What the trust suite claims to cover is there: rows, what proves them, mutated lines."""

import re
from pathlib import Path

import pytest

from tests.trust.faults import ROWS
from tests.trust.mutants import MUTANTS, Mutant
from tests.trust.row import Row
from tests.trust.trust import SUITES

TOP = Path(__file__).parents[2]
MATRIX = {"A": 13, "B": 12, "C": 6, "D": 10, "E": 12, "F": 5}
"""How many rows the matrix of host faults has under each letter."""
TESTS = {
    name
    for path in (TOP / "tests").rglob("test_*.py")
    for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
}


def test_every_row_of_the_matrix_is_injected_or_listed_with_a_reason() -> None:
    wanted = {f"{letter}{n + 1}" for letter, count in MATRIX.items() for n in range(count)}
    assert not wanted - {row.id for row in ROWS}
    for row in ROWS:
        assert sum(map(bool, (row.inject, row.elsewhere, row.why))) == 1, row.id


@pytest.mark.parametrize("row", [row for row in ROWS if row.elsewhere], ids=lambda row: row.id)
def test_what_is_proved_elsewhere_is_proved_by_something_that_exists(row: Row) -> None:
    suite = re.fullmatch(r"suite (\w+)", row.elsewhere)
    named = re.findall(r"test_\w+", row.elsewhere)
    assert suite or named
    if suite:
        assert suite[1] in SUITES
    assert not set(named) - TESTS


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_line_that_safety_hangs_on_stands_where_its_mutant_takes_it_out(
    mutant: Mutant,
) -> None:
    assert (TOP / mutant.file).read_text().count(mutant.line) == 1
    assert mutant.instead != mutant.line
