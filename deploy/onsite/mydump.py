"""Backups of MariaDB and MySQL, by their own dump program, compressed."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

from backups import write
from client import CHUNK, feed, hidden, output, program
from database import first_line
from envfile import NotReady

PACKAGE = "mariadb-client"
FILE = "mysql.sql.gz"
IS_ONE_TRANSACTION = False
SIZE = "SELECT coalesce(sum(data_length), 0) FROM information_schema.tables WHERE table_schema = %s"
TABLES = "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = %s"
WHAT = (
    *("--single-transaction", "--quick", "--routines", "--events", "--triggers", "--hex-blob"),
    *("--no-tablespaces", "--default-character-set=utf8mb4"),
)
END = b"-- Dump completed"


def size(database: Any) -> int:
    """Bytes that a backup may need, rather more than it will."""
    with database.cursor() as cursor:
        cursor.execute(SIZE, [database.settings_dict["NAME"]])
        return int(cursor.fetchone()[0])


def save(database: Any, target: Path) -> None:
    """Write the backup. NotReady if it cannot be made."""
    write(target, _packed(database))


def _packed(database: Any) -> Iterator[bytes]:
    dump = _program(database, "mariadb-dump", "mysqldump")
    packed = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    with _connection(database) as (option, share):
        gtid = [] if database.mysql_is_mariadb or "maria" in dump else ["--set-gtid-purged=OFF"]
        argv = [dump, option, *WHAT, *gtid, "--", str(database.settings_dict["NAME"])]
        for piece in output(argv, {}, share):
            yield packed.compress(piece)
    yield packed.flush()


def check(path: Path) -> None:
    """NotReady unless the file can be unpacked, up to the line with which a dump ends."""
    last = b""
    for piece in _unpacked(path):
        last = (last + piece)[-CHUNK:]
    if END not in last[-200:]:
        raise NotReady(f"{path.name} breaks off: it has no line {END.decode()!r}")


def restore(database: Any, path: Path, into: str, lock_timeout: float) -> None:
    """Put the data in the place of what is there, or all of it into a database that is empty.

    NotReady if that fails. It is no transaction: what was done until then stands.
    """
    made = bool(into) and _made(database, into)
    client = _program(database, "mariadb", "mysql")
    first = f"SET SESSION lock_wait_timeout = {max(1, int(lock_timeout))};\n"
    first += "" if into else _clear(database)
    name = into or str(database.settings_dict["NAME"])
    try:
        with _connection(database) as (option, share):
            argv = [client, option, "--batch", "--default-character-set=utf8mb4", "--", name]
            feed(argv, {}, chain([first.encode()], _unpacked(path)), share)
    except BaseException:
        if made:
            _sql(database, f"DROP DATABASE {database.ops.quote_name(into)}")
        raise


def _unpacked(path: Path) -> Iterator[bytes]:
    try:
        with gzip.open(path) as file:
            while piece := file.read(CHUNK):
                yield piece
    except (OSError, EOFError, zlib.error) as error:
        raise NotReady(f"{path.name} cannot be unpacked: {error}") from None


def _clear(database: Any) -> str:
    """What drops every table and view that is there."""
    kinds = {"BASE TABLE": "TABLE", "VIEW": "VIEW", "SEQUENCE": "SEQUENCE"}
    with database.cursor() as cursor:
        cursor.execute(TABLES, [database.settings_dict["NAME"]])
        rows = [(database.ops.quote_name(name), kinds.get(kind)) for name, kind in cursor]
    drops = [f"DROP {kind} IF EXISTS {name};\n" for name, kind in rows if kind]
    return f"SET FOREIGN_KEY_CHECKS = 0;\n{''.join(drops)}SET FOREIGN_KEY_CHECKS = 1;\n"


def _made(database: Any, name: str) -> bool:
    """Whether the database had to be made. NotReady if there is one that is not empty."""
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM information_schema.schemata WHERE schema_name = %s", [name]
        )
        there = cursor.fetchone()[0]
        cursor.execute(TABLES, [name])
        if cursor.fetchone():
            raise NotReady(f"database {name} is not empty: nothing was restored")
    if not there:
        _sql(database, f"CREATE DATABASE {database.ops.quote_name(name)}")
    return not there


def _sql(database: Any, statement: str) -> None:
    from django.db import Error

    try:
        with database.cursor() as cursor:
            cursor.execute(statement)
    except Error as error:
        user = database.settings_dict["USER"]
        hint = f"\nan administrator can make it, and grant {user} all on it; then the same again"
        raise NotReady(f"{statement}: {first_line(error)}{hint}") from None


def _program(database: Any, *names: str) -> str:
    """MariaDB's own for MariaDB, else MySQL's; the other one will often do."""
    package = PACKAGE if database.mysql_is_mariadb else "mysql-client"
    return program(package, *(names if database.mysql_is_mariadb else reversed(names)))


@contextmanager
def _connection(database: Any) -> Iterator[tuple[str, tuple[int, ...]]]:
    """How the programs reach the database: an option that names a file, and what to share."""
    said = database.settings_dict
    options, host = said.get("OPTIONS", {}), str(said.get("HOST") or "")
    ssl = options.get("ssl") or {}
    values = {
        "socket" if host.startswith("/") else "host": host,
        "port": said.get("PORT"),
        "user": said.get("USER"),
        "password": said.get("PASSWORD"),
        "socket": options.get("unix_socket") or (host if host.startswith("/") else ""),
        "ssl-ca": ssl.get("ca"),
        "ssl-cert": ssl.get("cert"),
        "ssl-key": ssl.get("key"),
    }
    lines = [f"!include {options['read_default_file']}"] if "read_default_file" in options else []
    lines += [
        "[client]",
        *(f"{key}={_quoted(str(value))}" for key, value in values.items() if value),
    ]
    with hidden("\n".join(lines) + "\n") as (path, number):
        yield f"--defaults-file={path}", (number,)


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
