"""Mutants: each line that safety hangs on is taken out, and the suite has to notice."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.trust.calls import Point
from tests.trust.contention import Group, judged, together
from tests.trust.crash import KEEP, words
from tests.trust.faults import mend
from tests.trust.hosts import ROOT
from tests.trust.injuries import trap
from tests.trust.ledger import Ledger
from tests.trust.looking import look, recovered, settled
from tests.trust.promises import always, at_rest
from tests.trust.row import QUICK, live, one_recover, unharmed
from tests.trust.rows.control import (
    a_recover_in_between,
    asleep_before_locking,
    killed_at,
    lock_deleted,
)
from tests.trust.rows.switch import VERIFIES, disk_full, flapping
from tests.trust.rows.warm import cannot_come_back
from tests.trust.world import TOP, World

Catch = Callable[[World], list[str]]


@dataclass(frozen=True)
class Mutant:
    """A safety line of a file of the toolkit, what stands there instead, and what has to notice."""

    name: str
    file: str
    line: str
    instead: str
    catch: Catch
    by: str


def dies_between(world: World, program: str, when: str) -> list[str]:
    """A program of the switch on web2 dies, and whoever could undo it there; one recover."""
    with trap(world, "web2", program, when, "pkill -9 -u deploy; exit 1"):
        world.run("deploy", more=QUICK)
    faults = list(always(look(world)))
    ended, _, _ = recovered(world, QUICK)
    faults += [] if ended.code == 0 else [f"recover ended with {ended.code}: {ended.said[-300:]}"]
    return faults + list(at_rest(settled(world)))


def dies_while_linking(world: World) -> list[str]:
    return dies_between(world, "ln", "*current*")


def dies_while_renaming(world: World) -> list[str]:
    return dies_between(world, "mv", "*current.new*")


def dies_after_the_switch(world: World) -> list[str]:
    """The controller dies when web1 is switched and nothing is decided: that did not happen."""
    point = killed_at(world, "&& switch ")
    old = live(world)
    world.run(*words(world, "deploy"), at=[point], more=KEEP)
    return one_recover(world, old)


def dies_after_the_decision(world: World) -> list[str]:
    """The controller dies when the decider has decided and nobody else knows."""
    ended = world.must("deploy")
    commits = [one for one in ended.calls if one.host == "db1" and " commit'" in one.what]
    world.run("deploy", at=[Point("db1", commits[0].number, "after")])
    recovered(world, QUICK)
    return list(at_rest(settled(world)))


def interrupted(world: World) -> list[str]:
    """Ctrl-C after the first switch."""
    old = live(world)
    point = killed_at(world, "&& switch ")
    old = live(world)
    world.run("deploy", at=[Point(point.host, point.number, "interrupt")])
    return unharmed(world, old)


def crowds(world: World) -> list[str]:
    """Four operators at once, until more than one wins."""
    for number in range(8):
        group = Group(number, ("deploy",) * 4)
        if faults := judged(group, together(world, group)):
            return faults
        settled(world)
    return []


def fails_in_public(world: World) -> list[str]:
    """web2 fails its verification once it is switched."""
    old = live(world)
    with trap(world, "web2", "curl", VERIFIES, "exit 7"):
        world.run("deploy", more=QUICK)
    return unharmed(world, old)


LOCK, RELEASE = "deploy/remote/lock.sh", "deploy/remote/release.sh"
MUTANTS = (
    Mutant(
        "no fence",
        LOCK,
        '  holds_lock "$1" || { echo "this run no longer holds',
        '  true || { echo "this run no longer holds',
        lock_deleted,
        "E12e",
    ),
    Mutant(
        "lock by test, then write",
        LOCK,
        'if ln "$dir/lock.$token" "$dir/lock" 2>/dev/null; then',
        'if [ ! -e "$dir/lock" ] && sleep 0.2 && cp "$dir/lock.$token" "$dir/lock" && '
        'exec 8<"$dir/lock"; then',
        crowds,
        "contention",
    ),
    Mutant(
        "take over without asking whether the owner is there",
        LOCK,
        "if ! flock -w 1 7 || !",
        "if !",
        a_recover_in_between,
        "E8b",
    ),
    Mutant(
        "switch by unlink and link",
        RELEASE,
        'rm -rf "$1.new" && ln -s "$2" "$1.new" && mv -fT "$1.new" "$1"',
        'rm -rf "$1" && ln -s "$2" "$1"',
        dies_while_linking,
        "E3",
    ),
    Mutant(
        "a leftover link is not removed first",
        RELEASE,
        'rm -rf "$1.new" && ln -s "$2" "$1.new" && mv -fT "$1.new" "$1"',
        'ln -s "$2" "$1.new" && mv -fT "$1.new" "$1"',
        dies_while_renaming,
        "E3",
    ),
    Mutant(
        "no second look under the lock",
        "deploy/course.py",
        "            found = fleet.look(before=found)\n            for host",
        "            for host",
        asleep_before_locking,
        "E12d",
    ),
    Mutant(
        "an undo that does not ask what is served",
        "deploy/steps/activate.py",
        '        yield from verified(t.host, "web", old, made, back=True)\n',
        "",
        flapping,
        "D5",
    ),
    Mutant(
        "no undo of the switch",
        "deploy/runner.py",
        "begun = [(part, work) for part, work in reversed(self._begun) if work.undo]",
        "begun = [(part, work) for part, work in self._begun[:1] if work.undo]",
        fails_in_public,
        "D4",
    ),
    Mutant(
        "what is undecided is finished",
        "deploy/recovery.py",
        'return "commit" in said and "abort" not in said',
        'return "abort" not in said',
        dies_after_the_switch,
        "crash",
    ),
    Mutant(
        "what is decided is taken back",
        "deploy/recovery.py",
        'return "commit" in said and "abort" not in said',
        "return False",
        dies_after_the_decision,
        "crash",
    ),
    Mutant(
        "no reserve for the journal",
        "deploy/remote/journal.sh",
        '    rm -f "$1/.deploy/reserve"\n',
        "",
        disk_full,
        "D9",
    ),
    Mutant(
        "Ctrl-C leaves the lock",
        "deploy/fleet.py",
        "            yield\n        finally:\n",
        "            yield\n        except DeployError as error:\n"
        "            taken = [] if error.exit_code == 130 else taken\n"
        "            raise\n        finally:\n",
        interrupted,
        "signals",
    ),
    Mutant(
        "Ctrl-C takes nothing back",
        "deploy/runner.py",
        "            ended.stuck = self.undo()\n",
        "            self._begun = []\n",
        interrupted,
        "signals",
    ),
    Mutant(
        "switched without a look at what was warm",
        "deploy/steps/activate.py",
        "        yield still_warm(t)\n        yield word",
        "        yield word",
        cannot_come_back,
        "W1b",
    ),
)


def made(folder: Path, mutant: Mutant) -> Path:
    """A copy of the toolkit with the line changed; AssertionError if it is not there just once."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name in ("deploy", "tests"):
        shutil.copytree(TOP / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    file = folder / mutant.file
    text = file.read_text()
    assert text.count(mutant.line) == 1, f"{mutant.file} has {mutant.line!r} not just once"
    file.write_text(text.replace(mutant.line, mutant.instead))
    return folder


def afresh(world: World) -> None:
    """Forget what a mutant wrote into the journals, or it would be noticed again and again."""
    mend(world)
    world.hosts.each(f"rm -f {ROOT}/.deploy/journal")
    world.must("deploy")


def suite(world: World, ledger: Ledger, *, only: str = "") -> None:
    """Every mutant has to be caught."""
    for mutant in MUTANTS:
        if only not in mutant.name:
            continue
        mutated = world.mutated(made(world.home / "mutant", mutant))
        try:
            faults = mutant.catch(mutated)
        except Exception as error:
            faults = [f"{type(error).__name__}: {error}"]
        finally:
            mutated.close()
        afresh(world)
        first = faults[0].splitlines()[0][:120] if faults else "nobody noticed"
        ledger.case(mutant.name, [] if faults else ["nobody noticed"])
        ledger.row(mutant.by, f"{mutant.name}: {first}", "caught" if faults else "MISSED")
        ledger.more("caught", bool(faults))
