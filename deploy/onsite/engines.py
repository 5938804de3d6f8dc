"""Which module knows how to save and restore a kind of database.

Each has FILE, IS_ONE_TRANSACTION, size(database), save(database, target), check(path) and
restore(database, path, into, lock_timeout).
"""

from __future__ import annotations

from typing import Any

import litecopy
import mydump
import pgdump
from envfile import NotReady

ENGINES = {"postgresql": pgdump, "mysql": mydump, "sqlite": litecopy}


def engine_of(database: Any) -> Any:
    """The module for a database. NotReady if there is none."""
    try:
        return ENGINES[database.vendor]
    except KeyError:
        known = ", ".join(ENGINES)
        raise NotReady(
            f"a {database.vendor} database is not backed up here, only {known}: set db.backup to"
            ' "never", and see to it in another way'
        ) from None
