"""What the hosts write down: begun before the first switch, decided on one host, then on all."""

from collections.abc import Iterator
from dataclasses import replace

from deploy.command import Action
from deploy.host import CODE, Host, runs_code
from deploy.journal import Change, Entry
from deploy.steps import Phase, Target, step, word

EVERYWHERE = (*CODE, "static")


def entry(t: Target) -> Entry:
    """The run as this host is to remember it, and only those hosts on which anything changes.

    Were another the one that decides, nobody would: it has no step in this run.
    """
    names = tuple(host.name for host, _ in t.fleet if _concerns(t, host))
    changes = {}
    if t.web is not None and runs_code(t.host.roles):
        changes["web"] = Change(t.found.web.current, t.web.id)
    if t.static is not None and "static" in t.host.roles:
        changes["static"] = Change(t.found.static.current, t.static.id)
    return Entry(t.run, min(names), names, changes)


def _concerns(t: Target, host: Host) -> bool:
    code = t.web is not None and runs_code(host.roles)
    return code or (t.static is not None and "static" in host.roles)


def _abort(t: Target) -> Iterator[Action]:
    yield word("end_run", t.layout.root, t.run.id, "abort")


@step("journal.begin", roles=EVERYWHERE, phase=Phase.COMMIT, undo=_abort)
def begin(t: Target) -> Iterator[Action]:
    """write down what is going to change, before anything does"""
    yield word("record", t.layout.root, entry(t).line())


@step("journal.note", roles=EVERYWHERE, phase=Phase.COMMIT, undo=_abort)
def note(t: Target) -> Iterator[Action]:
    """write down that something is going to change, though no release does"""
    yield word("record", t.layout.root, replace(entry(t), changes={}).line())


@step("journal.decide", roles=EVERYWHERE, phase=Phase.COMMIT, decides=True, brief=True)
def decide(t: Target) -> Iterator[Action]:
    """decide, on one host: from here on the release stays"""
    if t.host.name == entry(t).decider:
        yield word("end_run", t.layout.root, t.run.id, "commit")


@step("journal.commit", roles=EVERYWHERE, phase=Phase.FINISH, brief=True)
def commit(t: Target) -> Iterator[Action]:
    """write the decision down on the other hosts"""
    if t.host.name != entry(t).decider:
        yield word("end_run", t.layout.root, t.run.id, "commit")
