"""Host faults: every row of the matrix is injected and judged, or listed with what proves it."""

import time
import traceback
from collections.abc import Sequence

from tests.trust.injuries import heal
from tests.trust.ledger import Ledger
from tests.trust.looking import look, recovered, settled
from tests.trust.promises import at_rest
from tests.trust.row import Row
from tests.trust.rows import back, control, migrate, prepare, start, switch, warm
from tests.trust.world import World

EARLY: tuple[Row, ...] = (*start.ROWS, *prepare.ROWS, *migrate.ROWS, *warm.ROWS, *back.ROWS)
"""What breaks before anything is switched, or while nothing is."""
LATE: tuple[Row, ...] = (*switch.ROWS, *control.ROWS)
"""What breaks in the switch, or breaks those who control it."""
ROWS = EARLY + LATE


def suite(
    world: World, ledger: Ledger, rows: Sequence[Row], *, whole: bool, only: str = ""
) -> None:
    """These rows, each followed by a recover and a deploy that have to succeed."""
    for row in rows:
        if only and only != row.id and only not in row.how:
            continue
        if row.inject is None or (row.slow and not whole):
            said = row.elsewhere or row.why or "with --full"
            ledger.row(row.id, f"{row.how}: {said}", "see" if row.elsewhere else "not here")
            continue
        if look_bad := list(at_rest(settled(world))):
            ledger.tell(f"mended before {row.id}: {look_bad}")
            mend(world)
        began = time.monotonic()
        ok = ledger.case(f"{row.id} {row.how}", [*judged(world, row), *closing(world)])
        ledger.row(row.id, row.how, "held" if ok else "VIOLATED")
        ledger.longest("longest row", time.monotonic() - began)


def judged(world: World, row: Row) -> list[str]:
    """What was wrong; a harness that breaks is wrong, too."""
    assert row.inject is not None
    try:
        return row.inject(world)
    except Exception as error:
        return [f"{type(error).__name__}: {error}\n{traceback.format_exc(limit=-3)}"]


def closing(world: World) -> list[str]:
    """Whatever was, a plain deploy succeeds, and nothing is left."""
    before = world.page("web1").release
    ended = world.run("deploy")
    if ended.code != 0:
        faults = [f"the next deploy ended with {ended.code}: {ended.said[-500:]}"]
        mend(world)
        return faults
    faults = list(at_rest(settled(world)))
    return faults + (
        ["the next deploy is not live"] if world.page("web1").release == before else []
    )


def mend(world: World) -> None:
    """Bring the fleet back by all means, so that one violation does not make the next."""
    heal(world)
    world.hosts.each("rm -f /usr/local/bin/* /tmp/trap-*; pkill -CONT -u deploy; true")
    recovered(world)
    if list(at_rest(look(world))):
        world.run("deploy")
