"""What must hold on the hosts, at every instant and at rest, told from what was seen of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tests.trust.hosts import SERVING, WEB, State
from tests.trust.world import Answer


@dataclass(frozen=True)
class Seen:
    """The hosts at one moment: their state, and what visitors get from them."""

    states: Mapping[str, State]
    pages: Mapping[str, Answer]
    sheets: Mapping[str, Answer]


def always(seen: Seen) -> Iterator[str]:
    """Faults that no moment excuses: a visitor turned away, a release that is not whole."""
    for name, page in seen.pages.items():
        if page.status != 200:
            yield f"{name} answers {page.status} {page.body[:80]!r}"
        elif name in seen.states and page.release not in seen.states[name].complete:
            yield f"{name} serves {page.release}, which is not complete there"
    for name, sheet in seen.sheets.items():
        if sheet.status != 200:
            yield f"the stylesheet that {name} names answers {sheet.status} {sheet.body[:80]!r}"
    for name, state in seen.states.items():
        if state.fault:
            yield state.fault
        if name in WEB and state.current not in state.complete:
            yield f"{name}: current leads to {state.current!r}, which is not complete"
        if name not in WEB and name in SERVING and state.served not in state.files:
            yield f"{name} serves {state.served!r}, which is not complete there"


def at_rest(seen: Seen) -> Iterator[str]:
    """Faults once nothing is going on: hosts that differ, and whatever was left behind."""
    yield from always(seen)
    live = {name: page.release for name, page in seen.pages.items()}
    live |= {name: s.current for name, s in seen.states.items() if s.current}
    live |= {f"{name} (files)": s.served for name, s in seen.states.items() if s.static}
    if len(set(live.values())) > 1:
        yield f"hosts differ: {live}"
    for name, state in seen.states.items():
        if state.static and state.static != state.served:
            yield f"{name} serves {state.served}, but its link leads to {state.static}"
        for lock in state.locks:
            yield f"{name}: a lock is left: {lock}"
        for entry in state.open_runs:
            yield f"{name}: {entry.run.verb} {entry.run.id} is still open"
        for process in state.processes:
            yield f"{name}: still runs: {process.strip()[:100]}"
    yield from disagreements(seen)


def disagreements(seen: Seen) -> Iterator[str]:
    """Runs that ended in different ways on different hosts, or that left what they did not say."""
    ends: dict[str, set[str]] = {}
    for state in seen.states.values():
        for entry in state.runs:
            ends.setdefault(entry.run.id, set()).add(entry.ended)
    for run, said in ends.items():
        if len(said) > 1:
            yield f"{run} ended as {', '.join(sorted(said))}"
    for name, state in seen.states.items():
        if not state.runs:
            continue
        last = state.runs[-1]
        for kind, change in last.changes.items():
            right = change.after if last.ended == "commit" else change.before
            is_live = state.static if kind == "static" else state.current
            if right and is_live != right:
                yield f"{name}: {last.run.verb} ended as {last.ended}, but {kind} is {is_live}"


def quiet(seen: Seen) -> bool:
    """Whether nothing of a run is going on any more."""
    return not any(state.processes for state in seen.states.values())
