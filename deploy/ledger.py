"""Who did what to the fleet, and what came of it: the journals of all hosts as one list."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from deploy.asked import Asked
from deploy.findings import Findings
from deploy.journal import Entry
from deploy.means import Means, on_hosts
from deploy.outcome import Outcome
from deploy.report import Fact, Note, Table

SAYS = {"live": "live", "undone": "taken back", "open": "cut off: fab recover"}
COLUMNS = ("when", "who", "did", "web", "static", "outcome", "hosts")


def log(asked: Asked, means: Means, limit: int) -> Outcome:
    """List the newest `limit` runs that changed what is live, newest first. Changes nothing.

    A run that failed while it was preparing is not among them: it had changed nothing.
    """
    stage = asked.load()
    with on_hosts(asked, means, stage, asked.select(stage)) as fleet:
        found = fleet.look()
    runs = merged(found)[: max(1, limit)]
    for run in runs:
        means.emit(Fact("", run))
    if not asked.json:
        if runs:
            rows = tuple(_row(run) for run in runs)
            means.emit(Table(f"runs on {stage.name}, times in UTC", COLUMNS, rows))
        else:
            means.emit(Note("no run has changed these hosts yet: fab deploy"))
    return Outcome()


def merged(found: Mapping[str, Findings]) -> list[dict[str, object]]:
    """Each run once, newest first, as scripts read it; docs/json.md says what a field means."""
    entries: dict[str, list[Entry]] = {}
    for one in found.values():
        for entry in one.runs:
            entries.setdefault(entry.run.id, []).append(entry)
    return [_facts(entries[name]) for name in sorted(entries, reverse=True)]


def _facts(told: Sequence[Entry]) -> dict[str, object]:
    """One run, as all its hosts tell it. It is open as long as one of them does not know better."""
    first, ends = told[0], {entry.ended for entry in told}
    outcome = "open" if "" in ends else "live" if "commit" in ends else "undone"
    facts: dict[str, object] = {"event": "run", "run": first.run.id, "at": _at(first.run.id)}
    facts |= {"verb": first.run.verb, "who": first.run.who, "outcome": outcome}
    facts["hosts"] = list(first.hosts)
    for kind in ("web", "static"):
        changes = [entry.changes[kind] for entry in told if kind in entry.changes]
        facts[kind] = {"from": changes[0].before, "to": changes[0].after} if changes else None
    return facts


def _at(run_id: str) -> str | None:
    """When the run began, by the clock of whoever began it; None if the id does not say."""
    try:
        return datetime.strptime(run_id[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC).isoformat()
    except ValueError:
        return None


def _row(run: Mapping[str, object]) -> tuple[str, ...]:
    when = str(run["at"] or "-").replace("T", " ")[:19]
    kinds = [_change(run[kind]) for kind in ("web", "static")]
    hosts = run["hosts"]
    names = " ".join(hosts) if isinstance(hosts, list) else ""
    return (when, str(run["who"]), str(run["verb"]), *kinds, SAYS[str(run["outcome"])], names)


def _change(change: object) -> str:
    if not isinstance(change, dict):
        return "-"
    return f"{change['from'] or 'nothing'} -> {change['to']}"
