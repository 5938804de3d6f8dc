"""What a rollback does about the schema, decided from what the database host answered."""

import json

import pytest

from deploy.errors import Refused
from deploy.release import WayBack
from deploy.schema import BACK, KEEP, KEEP_ADDITIVE, Schema, Unknown, understood, way_back, wish

OLD, NEW = "000001-aaaaaaa", "000002-bbbbbbb"
ADDS = Unknown("shop.0002_add", ("additive",), ("going back drops column shop.x (3 rows)",))
FILLS = Unknown("shop.0003_fill", ("rewriting",))
NO_WAY = Unknown("shop.0003_code", ("rewriting", "irreversible"), reversible=False)


def differing(*unknown: Unknown) -> Schema:
    return Schema(unknown, order=tuple(one.name for one in reversed(unknown)), code=NEW)


def test_a_schema_that_the_old_release_knows_stays() -> None:
    assert way_back(Schema(code=NEW), OLD, "", "refuse") is None


def test_what_is_unknown_is_refused_with_names_consequences_and_both_ways_out() -> None:
    with pytest.raises(Refused) as refused:
        way_back(differing(ADDS, FILLS), OLD, "", "refuse")
    assert refused.value.what == (
        f"nothing changed: the database has migrations that {OLD} does not know:\n"
        "  shop.0002_add (additive, reversible; going back drops column shop.x (3 rows))\n"
        "  shop.0003_fill (rewriting, reversible)"
    )
    assert refused.value.hint == (
        f"fab rollback --to {OLD} --keep-schema leaves the database as it is,"
        " if the old code can live with them;"
        f" fab rollback --to {OLD} --migrate-back takes them back first"
    )


def test_a_way_that_is_closed_is_not_offered() -> None:
    with pytest.raises(Refused, match="does not know") as refused:
        way_back(differing(ADDS, NO_WAY), OLD, "", "refuse")
    assert "--migrate-back" not in refused.value.hint
    assert "they stay in any case: shop.0003_code cannot be taken back" in refused.value.hint


def test_it_stays_if_the_operator_says_so() -> None:
    assert way_back(differing(ADDS, NO_WAY), OLD, KEEP, "refuse") is None


def test_it_is_taken_back_last_first_by_the_newer_code() -> None:
    taken = way_back(differing(ADDS, FILLS), OLD, BACK, "refuse")
    assert taken == WayBack(NEW, ("shop.0003_fill", "shop.0002_add"))


def test_what_only_adds_may_stay_unasked_where_the_project_says_so() -> None:
    assert way_back(differing(ADDS), OLD, "", KEEP_ADDITIVE) is None
    with pytest.raises(Refused, match="0003_fill"):
        way_back(differing(ADDS, FILLS), OLD, "", KEEP_ADDITIVE)


def test_an_irreversible_migration_is_refused_by_name() -> None:
    with pytest.raises(Refused, match="0003_code cannot be taken back: irreversible") as refused:
        way_back(differing(ADDS, NO_WAY), OLD, BACK, "refuse")
    assert refused.value.hint.startswith(f"fab rollback --to {OLD} --keep-schema ")


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        (Schema((ADDS,), order=(), code=""), "its code is in no release"),
        (Schema((ADDS,), order=(ADDS.name, "shop.0001"), blocked=("shop.0001",)), "needs it"),
        (Schema((ADDS,), order=(ADDS.name,), squashed=(ADDS.name,)), "by other names"),
    ],
)
def test_a_way_back_that_would_do_harm_is_refused(schema: Schema, says: str) -> None:
    with pytest.raises(Refused, match=says):
        way_back(schema, OLD, BACK, "refuse")


def test_a_release_that_needs_more_than_the_database_has_is_refused() -> None:
    with pytest.raises(Refused, match="lacks migrations that") as refused:
        way_back(Schema(lacking=("shop.0004",)), NEW, "", "refuse")
    assert refused.value.hint == f"fab db.migrate --release {NEW}, then the rollback again"


def test_both_wishes_at_once_are_refused() -> None:
    assert wish(keep_schema=True, migrate_back=False) == KEEP
    with pytest.raises(Refused, match="exclude each other"):
        wish(keep_schema=True, migrate_back=True)


def test_the_answer_is_found_among_what_the_site_prints() -> None:
    answer = {
        "unknown": [
            {"name": "shop.0002_add", "risk": ["additive"], "back": [], "reversible": True}
        ],
        "lacking": [],
        "order": ["shop.0002_add"],
        "blocked": [],
        "squashed": [],
        "code": NEW,
    }
    schema = understood("a warning of the site\nschema: " + json.dumps(answer) + "\n", OLD)
    one = Unknown("shop.0002_add", ("additive",))
    assert schema == Schema((one,), order=("shop.0002_add",), code=NEW)


def test_no_answer_is_no_permission() -> None:
    with pytest.raises(Refused, match="no answer"):
        understood("something else\n", OLD)
