"""Rows F: going back, clearing away, and a host that is new."""

from tests.sandbox.fleet import up
from tests.trust.crash import target
from tests.trust.hosts import ROOT
from tests.trust.injuries import trap
from tests.trust.revisions import changed
from tests.trust.row import Row, ended_as, live, serves, unharmed
from tests.trust.rows.migrate import ADD, PSQL, migration
from tests.trust.rows.switch import VERIFIES
from tests.trust.world import World


def to_a_partial_one(world: World) -> list[str]:
    """Rollback to what is complete on all hosts but one, and to what is complete on none."""
    world.must("deploy")
    old, other = live(world), target(world)
    seal = f"{ROOT}/releases/{other}/release.json"
    world.hosts.on("web2", f"mv {seal} {seal}.aside")
    faults = ended_as(world.run("rollback", other), 2, "web2", "nothing changed")
    for name in ("web1", "db1"):
        world.hosts.on(name, f"mv {seal} {seal}.aside")
    faults += ended_as(world.run("rollback", other), 2, "web1", "web2", "nothing changed")
    world.hosts.each(f"mv {seal}.aside {seal}", ("web1", "web2", "db1"))
    faults += unharmed(world, old)
    faults += ended_as(world.run("rollback", other), 0)
    return faults + unharmed(world, other)


def across_a_migration(world: World) -> list[str]:
    """The code goes back, the database does not: the old release has to live with that."""
    world.must("deploy")
    old = live(world)
    with changed(world, migration(ADD)):
        faults = ended_as(world.run("deploy"), 0)
    faults += ended_as(world.run("rollback"), 2, "guestbook.0003_more", "--keep-schema")
    keep = world.run("rollback", more=("--set", "db.rollback=keep-additive"))
    faults += ended_as(keep, 2, "guestbook.0003_more")  # SQL of its own is never just additive
    faults += ended_as(world.run("rollback", more=("--keep-schema",)), 0) + unharmed(world, old)
    kept = world.hosts.on("db1", f"{PSQL} -At -c 'SELECT count(extra) FROM guestbook_entry'")
    faults += [] if kept.strip().isdigit() else [f"the new column is gone: {kept}"]
    forget = (
        "ALTER TABLE guestbook_entry DROP COLUMN extra; "
        "DELETE FROM django_migrations WHERE name = '\\''0003_more'\\''"
    )
    world.hosts.on("db1", f"{PSQL} -c '{forget}'")
    return faults


def pruning_keeps(world: World) -> list[str]:
    """Back twice, then deploys that keep two: the live one and the one before are never removed."""
    for _ in range(2):
        world.must("deploy")
    faults = []
    for verb in ("rollback", "rollback", "deploy", "deploy"):
        before = live(world)
        faults += ended_as(world.run(verb, more=("--set", "keep=1")), 0)
        for name, state in world.hosts.states(("web1", "web2", "db1")).items():
            if live(world) not in state.complete:
                faults.append(f"{name}: the live release is gone after {verb}")
            if verb == "deploy" and before not in state.complete:
                faults.append(f"{name}: {before}, live before {verb}, is gone")
    return faults + unharmed(world, live(world))


def prune_dies(world: World) -> list[str]:
    """Prune is killed between its rename and its removal; the next one clears away."""
    for _ in range(2):
        world.must("deploy", more=("--set", "keep=1"))
    trash = f"ls -d {ROOT}/releases/.trash-* 2>/dev/null | wc -l"
    with trap(world, "web2", "rm", "*.trash-*", "kill -9 $PPID; exit 1"):
        faults = ended_as(world.run("deploy", more=("--set", "keep=1")), 0, "prune failed on web2")
    new = live(world)
    faults += unharmed(world, new)
    faults += [] if world.hosts.on("web2", trash).strip() != "0" else ["prune was not interrupted"]
    world.must("deploy", more=("--set", "keep=1"))
    left = world.hosts.on("web2", trash).strip()
    return faults + ([] if left == "0" else [f"{left} pieces of trash are left"])


def new_host(world: World) -> list[str]:
    """web2 is an empty machine: a deploy that fails leaves it empty, one that succeeds fills it."""
    old = live(world)
    world.hosts.on("web2", f"rm -rf {ROOT}")
    up(world.fleet.state, tell=lambda _line: None)
    with trap(world, "web2", "curl", VERIFIES, "exit 7"):
        faults = ended_as(world.run("deploy"), 5, "web2")
    there = world.hosts.on("web2", f"ls {ROOT}").split()
    faults += ["web2 has a current, though it had none before"] if "current" in there else []
    faults += serves(world, old, ("web1",))
    world.hosts.each("true")
    faults += ended_as(world.run("deploy"), 0)
    return faults + unharmed(world, live(world))


ROWS = (
    Row("F1", "rollback to a release that one host, or none, has whole", to_a_partial_one),
    Row(
        "F1b",
        "rollback to the one before, to none, to the live one, to an unknown one",
        elsewhere="test_rollback_goes_back_step_by_step_and_then_says_that_there_is_no_more and 3",
    ),
    Row(
        "F2",
        "rollback across a migration: asked, then done, and the database stays",
        across_a_migration,
    ),
    Row("F3", "back twice, then deploys that keep one", pruning_keeps),
    Row("F4", "prune dies between rename and removal", prune_dies),
    Row("F5", "web2 is a new, empty machine", new_host),
)
