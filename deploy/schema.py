"""What a rollback means for the schema: what the old release does not know, and then?"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from deploy.command import Command
from deploy.errors import Refused
from deploy.release import Layout, WayBack

KEEP, BACK = "keep-schema", "migrate-back"
"""What the operator may want: leave the database as it is, or take the migrations back."""
KEEP_ADDITIVE = "keep-additive"
"""The policy by which what only adds may stay without being asked about."""
ANSWER = "schema: "
QUIET = 300.0
"""Seconds the question may take: Django starts, maybe twice, and rows are counted."""


@dataclass(frozen=True)
class Unknown:
    """A migration that the database has and the old release does not know.

    `back` says what taking it back does; `risk` is empty where its code is in another release.
    """

    name: str
    risk: tuple[str, ...] = ()
    back: tuple[str, ...] = ()
    reversible: bool = True

    def __str__(self) -> str:
        facts = [*self.risk, *(["reversible"] if self.reversible else [])]
        said = "; ".join([", ".join(facts), *self.back])
        return f"{self.name} ({said})"


@dataclass(frozen=True)
class Schema:
    """What separates the database from a release: the answer of deploy/onsite/goback.py."""

    unknown: tuple[Unknown, ...] = ()
    lacking: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()
    squashed: tuple[str, ...] = ()
    code: str = ""


def wish(*, keep_schema: bool, migrate_back: bool) -> str:
    """What the operator wants, from the options; Refused if that is both."""
    if keep_schema and migrate_back:
        raise Refused("--keep-schema and --migrate-back exclude each other")
    return KEEP if keep_schema else BACK if migrate_back else ""


def question(layout: Layout, code: str, target: str) -> Command:
    """What the database host is asked; changes nothing but the release's own record."""
    release = layout.release(code)
    program = (f"{release}/venv/bin/python", f"{layout.entry}/goback.py")
    argv = (*program, layout.root, code, target)
    return Command(argv, cwd=release, quiet_limit=QUIET, changes=False)


def understood(output: str, target: str) -> Schema:
    """The answer about `target` in what the program printed. Raises Refused if there is none."""
    said = [line for line in output.splitlines() if line.startswith(ANSWER)]
    if not said:
        what = f"nothing changed: no answer about the schema: {output.strip()[-300:]}"
        raise Refused(what, keeping(target))
    facts: dict[str, Any] = json.loads(said[-1].removeprefix(ANSWER))
    unknown = tuple(
        Unknown(
            one["name"],
            tuple(one.get("risk", ())),
            tuple(one.get("back", ())),
            bool(one.get("reversible", False)),
        )
        for one in facts.pop("unknown")
    )
    code = facts.pop("code")
    return Schema(unknown, code=code, **{name: tuple(names) for name, names in facts.items()})


def way_back(schema: Schema, target: str, wish: str, policy: str) -> WayBack | None:
    """The migrations to take back on the way to `target`; None if the schema may stay.

    `wish` is KEEP, BACK or empty. Raises Refused, before anything is changed, if the operator has
    to choose, or if what was chosen is not possible.
    """
    if wish == KEEP:
        return None
    if schema.lacking:
        raise Refused(
            f"nothing changed: the database lacks migrations that {target} needs:"
            f" {', '.join(schema.lacking)}",
            hint=f"fab db.migrate --release {target}, then the rollback again",
        )
    if not schema.unknown:
        return None
    obstacles = "; ".join(_obstacles(schema, target))
    if wish == BACK and obstacles:
        raise Refused(f"nothing changed: {obstacles}", hint=keeping(target))
    if wish == BACK:
        return WayBack(schema.code, schema.order)
    if policy == KEEP_ADDITIVE and all(one.risk == ("additive",) for one in schema.unknown):
        return None
    back = f"fab rollback --to {target} --migrate-back takes them back first"
    raise Refused(
        f"nothing changed: the database has migrations that {target} does not know:\n"
        + "\n".join(f"  {one}" for one in schema.unknown),
        hint=f"{keeping(target)}, if the old code can live with them; "
        + (f"they stay in any case: {obstacles}" if obstacles else back),
    )


def keeping(target: str) -> str:
    """What to type to go back without any question about the database."""
    return f"fab rollback --to {target} --keep-schema leaves the database as it is"


def _obstacles(schema: Schema, target: str) -> Iterator[str]:
    """Why the migrations cannot be taken back; nothing if they can."""
    here = set(schema.order)
    for names, why in (
        (
            [one.name for one in schema.unknown if one.risk and not one.reversible],
            "cannot be taken back: irreversible",
        ),
        (
            schema.squashed,
            f"cannot be taken back: {target} knows what it stands for by other names",
        ),
        (schema.blocked, f"cannot be taken back with the others: {target} needs it"),
        (
            [one.name for one in schema.unknown if one.name not in here],
            "cannot be taken back: its code is in no release that the host still has",
        ),
    ):
        if names:
            yield f"{', '.join(names)} {why}"
