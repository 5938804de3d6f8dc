"""Backups of PostgreSQL, by pg_dump and pg_restore."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from backups import write
from client import feed, hidden, output, program
from database import first_line
from envfile import NotReady

PACKAGE = "postgresql-client"
FILE = "postgresql.dump"
IS_ONE_TRANSACTION = True
SIZE = """
SELECT coalesce(sum(pg_table_size(c.oid)), 0) FROM pg_class c
WHERE c.relkind IN ('r', 'm') AND c.relnamespace <> 'pg_catalog'::regnamespace
"""
OPTIONS = {
    "options": "PGOPTIONS",
    "passfile": "PGPASSFILE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "gssencmode": "PGGSSENCMODE",
    "channel_binding": "PGCHANNELBINDING",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
}
"""What DATABASES may say in OPTIONS that libpq also reads from its environment."""
OWN = """
n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND NOT EXISTS (
  SELECT FROM pg_depend d WHERE d.classid = '{catalog}'::regclass AND d.objid = {oid}
  AND d.deptype = 'e')
"""
CLEAR = f"""
DO $clear$ DECLARE line text; BEGIN
  FOREACH line IN ARRAY coalesce((
    SELECT array_agg(format('DROP SCHEMA %I CASCADE', n.nspname)) FROM pg_namespace n
    WHERE n.nspname <> 'public' AND {OWN.format(catalog="pg_namespace", oid="n.oid")}
  ), '{{}}') || coalesce((
    SELECT array_agg(format('DROP %s IF EXISTS %I.%I CASCADE',
      CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'
      WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
      n.nspname, c.relname) ORDER BY c.relkind = 'S')
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname = 'public'
    AND {OWN.format(catalog="pg_class", oid="c.oid")}
  ), '{{}}') || coalesce((
    SELECT array_agg(format('DROP ROUTINE IF EXISTS %I.%I(%s) CASCADE',
      n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)))
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname = 'public' AND {OWN.format(catalog="pg_proc", oid="p.oid")}
  ), '{{}}') || coalesce((
    SELECT array_agg(format('DROP TYPE IF EXISTS %I.%I CASCADE', n.nspname, t.typname))
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
    LEFT JOIN pg_class c ON c.oid = t.typrelid
    WHERE (t.typtype IN ('e', 'd', 'r') OR c.relkind = 'c') AND n.nspname = 'public'
    AND {OWN.format(catalog="pg_type", oid="t.oid")}
  ), '{{}}') || coalesce((
    SELECT array_agg(format('DROP COLLATION IF EXISTS %I.%I CASCADE', n.nspname, l.collname))
    FROM pg_collation l JOIN pg_namespace n ON n.oid = l.collnamespace
    WHERE n.nspname = 'public' AND {OWN.format(catalog="pg_collation", oid="l.oid")}
  ), '{{}}') || coalesce((
    SELECT array_agg(format('DROP TEXT SEARCH CONFIGURATION IF EXISTS %I.%I CASCADE',
      n.nspname, f.cfgname))
    FROM pg_ts_config f JOIN pg_namespace n ON n.oid = f.cfgnamespace
    WHERE n.nspname = 'public' AND {OWN.format(catalog="pg_ts_config", oid="f.oid")}
  ), '{{}}') LOOP EXECUTE line; END LOOP;
END $clear$;
"""  # noqa: S608 - all of it constants
"""Drops all that a backup may bring back, and what came after it; extensions stay."""
MUST_BE_EMPTY = f"""
DO $empty$ BEGIN
  IF EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND {OWN.format(catalog="pg_class", oid="c.oid")})
  THEN RAISE EXCEPTION 'it is not empty';
  END IF;
END $empty$;
"""
LEFT_OUT = ("SCHEMA - public ", "ACL - SCHEMA ", "COMMENT - SCHEMA ", "COMMENT - EXTENSION ")
"""What was there before the site's tables, and belongs to whoever made the database."""


def size(database: Any) -> int:
    """Bytes that a backup may need, rather more than it will."""
    with database.cursor() as cursor:
        cursor.execute(SIZE)
        return int(cursor.fetchone()[0])


def save(database: Any, target: Path) -> None:
    """Write the backup. NotReady if it cannot be made."""
    argv = [program(PACKAGE, "pg_dump"), "--format=custom", "--no-password"]
    if role := _role(database):
        argv.append(f"--role={role}")
    with _way(database) as way:
        write(target, output([*argv, way.place], way.env, way.share))


def check(path: Path) -> None:
    """NotReady unless pg_restore can read what is in the file."""
    argv = [program(PACKAGE, "pg_restore"), "--list", str(path)]
    if not any(b" TABLE " in piece for piece in output(argv, {})):
        raise NotReady(f"{path.name} has no table")


def restore(database: Any, path: Path, into: str, lock_timeout: float) -> None:
    """Put the data in the place of what is there, or all of it into a database that is empty.

    NotReady, with nothing changed, if that fails: it is one transaction.
    """
    made = into and _made(database, into)
    psql = [program(PACKAGE, "psql"), "--no-psqlrc", "--no-password", "--quiet"]
    psql += ["--set", "ON_ERROR_STOP=1"]
    first = f"BEGIN;\nSET lock_timeout = {int(lock_timeout * 1000)};\n"
    if role := _role(database):
        first += f"SET ROLE {database.ops.quote_name(role)};\n"
    first += MUST_BE_EMPTY if into else CLEAR
    try:
        with hidden(_wanted(path)) as (listed, number), _way(database, into) as way:
            lines = [program(PACKAGE, "pg_restore"), "--no-owner", "--file=-"]
            lines += [f"--use-list={listed}", str(path)]
            script = output(lines, {}, (number,))
            pieces = chain([first.encode()], script, [b"COMMIT;\n"])
            feed([*psql, way.place], way.env, pieces, way.share)
    except BaseException:
        if made:
            _sql(database, f"DROP DATABASE {database.ops.quote_name(into)}")
        raise


def _wanted(path: Path) -> str:
    """The contents of a backup, as pg_restore lists them, without what is not the site's."""
    listed = b"".join(output([program(PACKAGE, "pg_restore"), "--list", str(path)], {})).decode()
    lines = listed.splitlines(keepends=True)
    return "".join(line for line in lines if not any(words in line for words in LEFT_OUT))


def _made(database: Any, name: str) -> bool:
    """Whether the database had to be made."""
    with database.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_database WHERE datname = %s", [name])
        if cursor.fetchone()[0]:
            return False
    _sql(database, f"CREATE DATABASE {database.ops.quote_name(name)}")
    return True


def _sql(database: Any, statement: str) -> None:
    from django.db import Error

    try:
        with database.cursor() as cursor:
            cursor.execute(statement)
    except Error as error:
        user = database.settings_dict["USER"]
        hint = f"\nan administrator can: createdb --owner={user} NAME, and then the same again"
        raise NotReady(f"{statement}: {first_line(error)}{hint}") from None


def _role(database: Any) -> str:
    """The role that the site works as, if that is not the one that logs in."""
    return str(database.settings_dict.get("OPTIONS", {}).get("assume_role") or "")


class Way(NamedTuple):
    """How a program reaches a database: by an argument that says where, which like Django's own
    words wins over a service, by its environment, and by files that are shared with it."""

    place: str
    env: dict[str, str]
    share: tuple[int, ...] = ()


@contextmanager
def _way(database: Any, name: str = "") -> Iterator[Way]:
    """The way to the very database that Django is connected to, or to another one on its server."""
    said, options = database.settings_dict, database.settings_dict.get("OPTIONS", {})
    place = {
        "service": options.get("service"),
        "host": said.get("HOST"),
        "port": said.get("PORT"),
        "user": said.get("USER"),
        "dbname": name or said.get("NAME"),
    }
    words = (f"{key}={_quoted(str(value))}" for key, value in place.items() if value)
    env = {key: value for key, value in os.environ.items() if key.startswith("PG")}
    given = env.pop("PGPASSWORD", "")
    password = str(said.get("PASSWORD") or given)
    env |= {OPTIONS[key]: str(value) for key, value in options.items() if key in OPTIONS and value}
    line = password.replace("\\", "\\\\").replace(":", "\\:")
    argument = f"--dbname={' '.join(words)}"
    with hidden(f"*:*:*:*:{line}\n") as (path, number):
        whole = Way(argument, {**env, "PGPASSFILE": path}, (number,))
        yield whole if password else Way(argument, env)


def _quoted(value: str) -> str:
    """As libpq reads a value in a connection string."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
