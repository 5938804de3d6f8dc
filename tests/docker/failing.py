"""Deploys that fail, and what every visitor must be served all the same."""

from dataclasses import dataclass

from tests.docker.checkout import Checkout
from tests.docker.hosts import Hosts
from tests.docker.told import Told

MIGRATION = '''"""A change to the data."""

from django.db import migrations


def change(apps, schema_editor):
    {body}


class Migration(migrations.Migration):
    dependencies = [("guestbook", "0002_entry_photo")]
    operations = [migrations.RunPython(change, migrations.RunPython.noop)]
'''


@dataclass(frozen=True)
class Unharmed:
    """What every host served before; `check` fails if anything of it is different."""

    hosts: Hosts
    served: dict[str, str]
    pages: dict[str, str]

    def check(self) -> None:
        """Every visitor gets what was there before, and nothing of the run is left."""
        assert self.hosts.served() == self.served
        headings = {page.split("<h1>")[1].split("</h1>")[0] for page in self.pages.values()}
        assert all(heading in page for page in self.hosts.pages().values() for heading in headings)
        self.hosts.at_rest()


def fails(checkout: Checkout, code: int, where: str, *said: str) -> Told:
    """A deploy that ends with this code, says this, and failed at `where`: STEP HOST,..."""
    told = checkout.fab("deploy", "--json", code=code)
    result = told.result
    assert (result["ok"], result["exit_code"]) == (False, code)
    step, _, names = where.partition(" ")
    failed = {line["host"]: line for line in told.of("step") if not line["ok"]}
    assert sorted(failed) == names.split(",")
    for name, line in failed.items():
        assert line["step"] == step
        assert line["error"]
        assert name in result["error"]
    for words in (f"{step} failed on", *said):
        assert words in result["error"]
    return told
