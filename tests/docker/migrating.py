"""Revisions with migrations, and what the database has of them."""

import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.docker.checkout import Checkout
from tests.docker.hosts import Hosts

MIGRATION = '''"""A change of the schema."""

from django.db import migrations, models


def code(apps, editor):
    pass


class Migration(migrations.Migration):
    dependencies = [("guestbook", "{after}")]
    {more}
    operations = [{operations}]
'''
LAST = "0002_entry_photo"
"""The last migration of the sample site."""
COLOUR = 'migrations.AddField("entry", "colour", models.CharField(max_length=9, null=True))'
MOOD = COLOUR.replace("colour", "mood")
NO_COLOUR = 'migrations.RemoveField("entry", "colour")'
NO_WAY_BACK = "migrations.RunPython(code)"
FAILS = 'migrations.RunSQL("SELECT no FROM nowhere", "")'
ASK_SQLITE = (
    "import sqlite3, sys; d = sqlite3.connect(sys.argv[1], isolation_level=None);"
    " [print('|'.join(map(str, row))) for row in d.execute(sys.argv[2])]"
)
PYMYSQL = """import pymysql

pymysql.version_info = (2, 2, 1, "final", 0)  # Django asks for this much of mysqlclient
pymysql.install_as_MySQLdb()
"""


def add(
    checkout: Checkout, name: str, operations: str, after: str = LAST, more: str = "atomic = True"
) -> None:
    """Write a migration of the sample site; `commit` is for the caller."""
    text = MIGRATION.format(after=after, operations=operations, more=more)
    checkout.write(f"guestbook/migrations/{name}.py", text)


@dataclass(frozen=True)
class Database:
    """The database of a site, asked by root on `host` through `client`, which SQL follows."""

    hosts: Hosts
    host: str
    client: str
    root: str

    def sql(self, statement: str) -> str:
        """What the database answers, one row a line."""
        return self.hosts.on(self.host, f"{self.client} {shlex.quote(statement)}").strip()

    def rows(self) -> list[str]:
        """Every row that visitors wrote, as the sample site knows it."""
        columns = "id, name, message, photo, created"
        return self.sql(f"SELECT {columns} FROM guestbook_entry ORDER BY id").splitlines()  # noqa: S608

    def has(self, column: str) -> bool:
        """Whether the guestbook has the column."""
        statement = f"SELECT count({column}) FROM guestbook_entry"  # noqa: S608
        line = f"{self.client} {shlex.quote(statement)}"
        return self.hosts.tried(self.host, line)[0]

    def there(self, table: str) -> bool:
        """Whether there is such a table."""
        line = f"{self.client} {shlex.quote(f'SELECT * FROM {table}')}"  # noqa: S608
        return self.hosts.tried(self.host, line)[0]

    def forget(self, *columns: str) -> None:
        """Make the schema and its record what the sample site knows, whatever a story has left."""
        for column in columns:
            if self.has(column):
                self.sql(f"ALTER TABLE guestbook_entry DROP COLUMN {column}")
        where = f"app = 'guestbook' AND name > '{LAST}'"
        self.sql(f"DELETE FROM django_migrations WHERE {where}")  # noqa: S608
        self.hosts.on(self.host, f"rm -f {self.root}/.deploy/migrations")

    def second_migration(self) -> str:
        """What somebody who migrates by hand, and waits for a second, is told."""
        release = f"{self.root}/$(readlink {self.root}/current)"
        program = f"{release}/venv/bin/python {self.root}/entry/migrate.py --wait 1"
        line = f"cd {release} && {program} {self.root} $(basename {release})"
        done, said = self.hosts.tried(self.host, line)
        assert not done
        return said


@contextmanager
def asking(database: Database, *statements: str) -> Iterator[None]:
    """While the block lasts, a session of the database has carried out the statements.

    The last has to say `held`, at once.
    """
    words = ["docker", "exec", "-i", database.hosts.fleet.container(database.host)]
    words += database.client.split()[:-1]  # its last word says that a statement follows
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as session:
        assert session.stdin
        assert session.stdout
        session.stdin.write("".join(f"{statement};\n" for statement in statements))
        session.stdin.flush()
        while "held" not in session.stdout.readline():
            assert session.poll() is None
        try:
            yield
        finally:
            session.stdin.close()
            session.wait(30)
