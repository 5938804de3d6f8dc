"""Crash points: the controller dies at every remote call, and one recover has to be enough."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.trust.calls import Call, Point
from tests.trust.crowd import Crowd, failures
from tests.trust.hosts import ROOT
from tests.trust.ledger import Ledger
from tests.trust.looking import look, recovered, settled
from tests.trust.promises import always, at_rest
from tests.trust.revisions import changed
from tests.trust.rows.migrate import PSQL, migration
from tests.trust.world import KILLED, World, in_order

EVERY = 12
"""After so many cases a deploy has to succeed."""
SAMPLE = 2
"""Cases of the phase that prepares, for each verb, in the quick form; four times as many later."""
KEEP = ("--set", "keep=2")
MIGRATE_BACK = "migrate-back"
"""A rollback that takes a migration back first; what differs from any other is done on db1."""
THERE_AND_BACK = (
    'migrations.RunSQL("ALTER TABLE guestbook_entry ADD COLUMN extra text",'
    ' "ALTER TABLE guestbook_entry DROP COLUMN extra")'
)


@dataclass(frozen=True)
class Case:
    """A verb, and where it is cut off."""

    verb: str
    point: Point
    what: str

    def __str__(self) -> str:
        return f"{self.verb} {self.point} ({self.what})"


def begin_deploy(world: World) -> None:
    """Make the next deploy run its migrations, and install the server's configuration again."""
    world.hosts.on("db1", f"rm -f {ROOT}/.deploy/migrated")


def target(world: World) -> str:
    """The newest release that was live once, is complete everywhere, and is not live now.

    It has the migrations of the live one, so that nothing is asked about the schema.
    """
    states = world.hosts.states()
    there = set.intersection(*(set(s.complete or s.files) for s in states.values()))
    key = f'grep -o \'"migrations": "[^"]*"\' {states["web1"].current}/release.json'
    same = f'cd {ROOT}/releases && grep -lF "$({key})" */release.json'
    there &= {line.partition("/")[0] for line in world.hosts.on("db1", same).split()}
    was_live = {e.changes["web"].after for e in states["web1"].runs if e.ended == "commit"}
    return max((there & was_live) - {states["web1"].current})


def words(world: World, verb: str) -> tuple[str, ...]:
    """What is typed for the verb, once the hosts are made ready for it."""
    if verb == "rollback":
        return (verb, target(world))
    if verb == MIGRATE_BACK:
        world.must("deploy", more=KEEP)
        older = world.page("web1").release
        with changed(world, migration(THERE_AND_BACK)):
            world.must("deploy", more=KEEP)
        return ("rollback", older, "--migrate-back")
    begin_deploy(world)
    return (verb,)


def points(
    calls: Sequence[Call], *, whole: bool, chance: random.Random, sample: int = SAMPLE
) -> Iterator[Point]:
    """Where to die in a run that made these calls: everywhere, or a sample, mostly of the commit.

    The instant of `during` lies anywhere in the call, as long as it took in the run before.
    """
    early: list[Point] = []
    late: list[Point] = []
    for host, mine in in_order(calls):
        begun = next((n for n, call in enumerate(mine) if "begin " in call.what), len(mine))
        for n, call in enumerate(mine):
            mine_too = late if n >= begun else early
            # A message may hold several commands: the controller also dies between them.
            within = ("during",) * (1 + call.what.count(" && "))
            for mode in ("before", *within, "after"):
                delay = round(chance.uniform(0.0, 1.0) * call.seconds, 3)
                mine_too.append(Point(host, call.number, mode, delay))
            if n and host != "here":
                mine_too.append(Point(host, call.number, "late"))
    if not whole:
        early, late = (
            chance.sample(some, min(sample * n, len(some))) for some, n in ((early, 1), (late, 4))
        )
    yield from (*early, *late)


def cases(world: World, ledger: Ledger, *, whole: bool, chance: random.Random) -> Iterator[Case]:
    """Every case, from runs that nobody kills."""
    for verb in ("deploy", "rollback"):
        ended = world.must(*words(world, verb), more=KEEP)
        by_place = {(call.host, call.number): call.what for call in ended.calls}
        ledger.figures[f"calls of a {verb}"] = len(ended.calls)
        for point in points(ended.calls, whole=whole, chance=chance):
            yield Case(verb, point, shortened(by_place[point.host, point.number]))
    calls = world.must(*words(world, MIGRATE_BACK), more=KEEP).calls
    by_place = {(call.host, call.number): call.what for call in calls}
    mine = [call for call in calls if call.host == "db1"]
    for point in points(mine, whole=whole, chance=chance, sample=1):
        yield Case(MIGRATE_BACK, point, shortened(by_place[point.host, point.number]))


def shortened(what: str) -> str:
    """What a call does, in a few words."""
    plain = what.replace("'", "").replace('"', "").replace("\\", "").replace(ROOT, "")
    said = plain.split(" eval ")[-1].split()
    return " ".join(said[:4])[:48]


def crash(world: World, crowd: Crowd, ledger: Ledger, case: Case) -> None:
    """One case: kill, look, recover, look again."""
    typed = words(world, case.verb)
    ended = world.run(*typed, at=[case.point], more=KEEP)
    if ended.code == 0:
        ledger.more("not reached")
    faults = [] if ended.code in (0, KILLED) else [f"ended with {ended.code}: {ended.said[-300:]}"]
    faults += always(look(world))
    if case.point.mode == "late":
        faults += late(world, ledger, case)
    faults += mended(world, ledger)
    if case.verb == MIGRATE_BACK:
        faults += fits(world)
    faults += failures(crowd.news())
    ledger.case(str(case), faults)


def fits(world: World) -> list[str]:
    """Whether the database has the migration if, and only if, the live release knows it."""
    record = f"{ROOT}/releases/{world.page('web1').release}/.migrations"
    known = world.hosts.on("db1", f"grep -c 0003_more {record} || true").strip()
    column = "SELECT count(*) FROM information_schema.columns WHERE column_name = 'extra'"
    row = "SELECT count(*) FROM django_migrations WHERE name = '0003_more'"
    there = world.hosts.on("db1", f'{PSQL} -At -c "{column}" -c "{row}"').split()
    if there == [known, known]:
        return []
    return [f"the live release knows {known} migrations more, the database has {there}"]


def forget(world: World) -> None:
    """Leave no migration behind that the suites after this one do not know."""
    drop = "ALTER TABLE guestbook_entry DROP COLUMN IF EXISTS extra"
    row = "DELETE FROM django_migrations WHERE name = '0003_more'"
    world.hosts.on("db1", f'{PSQL} -c "{drop}" -c "{row}"')


def late(world: World, ledger: Ledger, case: Case) -> list[str]:
    """A host is stopped with a command in its ear. A recover comes first, then the command."""
    first = world.run("recover")
    held = world.hosts.states()[case.point.host].locks
    faults = []
    if first.code not in (0, 4):
        faults.append(f"recover beside a stopped host ended with {first.code}: {first.said[-300:]}")
    ledger.more("late: refused, the owner may still act" if first.code == 4 else "late: let pass")
    if first.code == 0 and held:
        faults.append(f"recover passed by a lock: {held}")
    world.hosts.on(case.point.host, "pkill -CONT -u deploy -f noprofile")
    settled(world)
    return faults


def mended(world: World, ledger: Ledger) -> list[str]:
    """One recover, after which all has to be well."""
    ended, waited, refused = recovered(world)
    ledger.longest("longest wait for the dead", waited - ended.seconds)
    ledger.longest("longest recover", ended.seconds)
    if refused:
        ledger.more("waited for the dead")
    if ended.code != 0:
        return [f"recover ended with {ended.code}: {ended.said[-600:]}"]
    return list(at_rest(settled(world)))


def suite(
    world: World, crowd: Crowd, ledger: Ledger, *, whole: bool, seed: int, only: str = ""
) -> None:
    """All cases; now and then, and at the end, a deploy has to succeed."""
    chance = random.Random(seed)  # noqa: S311  # the same cases again for the same seed
    todo = [one for one in cases(world, ledger, whole=whole, chance=chance) if only in str(one)]
    for number, case in enumerate(todo, 1):
        crash(world, crowd, ledger, case)
        if number % EVERY == 0 or number == len(todo):
            deploys_again(world, ledger, str(case))
    forget(world)


def deploys_again(world: World, ledger: Ledger, after: str) -> None:
    """The next deploy succeeds, whatever was before."""
    before = world.page("web1").release
    ended = world.run("deploy", more=KEEP)
    faults = list(at_rest(settled(world)))
    if ended.code != 0:
        faults.append(f"ended with {ended.code}: {ended.said[-600:]}")
    elif world.page("web1").release == before:
        faults.append("is not live")
    ledger.case(f"the deploy after {after}", faults)
