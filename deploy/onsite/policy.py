"""Which pending migrations run before the switch, and which wait until after it."""

from __future__ import annotations

from typing import Any

from envfile import NotReady
from risk import Risk
from schema import name_of

REFUSE, AFTER_SWITCH, ALLOW = "refuse", "after-switch", "allow"


def parts(
    migrations: list[Any], judged: list[Risk], destructive: str
) -> tuple[list[Any], list[Any]]:
    """The migrations that run before the switch, and those that run after it, each in order.

    NotReady if the policy forbids one of them. A migration that waits must do nothing but take
    away, as the new release is live for a while without it; one that depends on it waits too.
    """
    held = [one for one in judged if one.destructive]
    if destructive == ALLOW or not held:
        return migrations, []
    if destructive == REFUSE:
        raise NotReady(
            f"{_listed(held)} destructive: the release that is live now may not work without what"
            " is taken away, and going back does not bring it back.\n"
            "fab deploy --allow-destructive runs it before the switch;"
            ' db.destructive = "after-switch" once the new release is live;'
            " fab db.plan shows what it does, and its SQL"
        )
    waits = {one.name for one in held}
    for migration in migrations:
        if any(f"{app}.{name}" in waits for app, name in migration.dependencies):
            waits.add(name_of(migration))
    mixed = [one for one in judged if one.name in waits and not one.only_takes_away]
    if mixed:
        raise NotReady(
            f"{', '.join(one.name for one in mixed)} cannot wait until after the switch: it, or"
            " what it depends on, is destructive, and the new release needs the rest of it before"
            " the switch.\n"
            "put what takes away into a migration of its own, in a later release;"
            " --allow-destructive runs all of it before the switch"
        )
    now = [migration for migration in migrations if name_of(migration) not in waits]
    return now, [migration for migration in migrations if name_of(migration) in waits]


def _listed(held: list[Risk]) -> str:
    names = ", ".join(one.name for one in held)
    return f"{names} {'is' if len(held) == 1 else 'are'}"
