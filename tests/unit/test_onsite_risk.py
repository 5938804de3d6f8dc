"""What a migration is said to do, for each of Django's operations."""

from typing import Any

import django
import pytest
from django.conf import settings
from django.db import migrations, models
from django.db.migrations.state import ModelState, ProjectState
from django.db.models.functions import Now

from deploy.onsite.risk import Risk, backwards, judge

if not settings.configured:
    settings.configure(INSTALLED_APPS=[])
    django.setup()

CHAR = models.CharField(max_length=80)


def state() -> ProjectState:
    """One table with rows in it, and one that the site does not look after itself."""
    made = ProjectState()
    fields = [
        ("id", models.BigAutoField(primary_key=True)),
        ("title", CHAR),
        ("text", models.TextField(null=True)),
        ("number", models.IntegerField()),
        ("price", models.DecimalField(max_digits=9, decimal_places=2)),
        ("tags", models.ManyToManyField("shop.Other")),
        ("other", models.ForeignKey("shop.Other", models.CASCADE, related_name="+")),
    ]
    made.add_model(ModelState("shop", "Page", fields))
    made.add_model(ModelState("shop", "Other", [("id", models.BigAutoField(primary_key=True))]))
    view = [("id", models.BigAutoField(primary_key=True))]
    made.add_model(ModelState("shop", "View", view, {"managed": False}))
    return made


def risk(*operations: Any, empty: bool = False, atomic: bool = True, **more: Any) -> Risk:
    """What a migration with these operations does to that."""
    body = {"operations": list(operations), **more}
    made = type("Migration", (migrations.Migration,), body)("0002_next", "shop")
    return judge(made, state(), set(), atomic=atomic, empty=empty)


def code(_apps: Any, _editor: Any) -> None:
    """A data migration."""


def noop_sql(sql: str) -> Any:
    return migrations.RunSQL(sql, migrations.RunSQL.noop)


HARMLESS = [
    migrations.CreateModel("New", [("id", models.BigAutoField(primary_key=True))]),
    migrations.AddField("page", "new", models.TextField(null=True)),
    migrations.AddField("page", "new", models.DateTimeField(db_default=Now())),
    migrations.AddField("page", "more", models.ManyToManyField("shop.Other")),
    migrations.AlterField("page", "title", models.CharField("Heading", max_length=80, blank=True)),
    migrations.AlterModelOptions("page", {"ordering": ["title"]}),
    migrations.DeleteModel("View"),
    migrations.AlterField("view", "id", models.AutoField(primary_key=True)),
    migrations.RunPython(migrations.RunPython.noop, migrations.RunPython.noop),
    migrations.SeparateDatabaseAndState(state_operations=[migrations.RemoveField("page", "text")]),
]


@pytest.mark.parametrize("operation", HARMLESS, ids=lambda one: one.describe())
def test_what_only_adds_or_changes_nothing_is_additive(operation: Any) -> None:
    assert risk(operation).marks == ("additive",)


@pytest.mark.parametrize(
    ("operation", "marks", "says"),
    [
        (migrations.DeleteModel("Page"), "destructive", "drops table shop_page"),
        (migrations.RemoveField("page", "text"), "destructive", "drops column shop_page.text"),
        (migrations.RemoveField("page", "other"), "destructive", "drops column shop_page.other_id"),
        (
            migrations.RemoveField("page", "tags"),
            "destructive",
            "drops the table that links shop_page by tags",
        ),
        (
            migrations.RenameModel("Page", "Leaf"),
            "destructive",
            "renames table shop_page to shop_leaf",
        ),
        (
            migrations.AlterModelTable("page", "leaves"),
            "destructive",
            "renames table shop_page to leaves",
        ),
        (
            migrations.RenameField("page", "title", "heading"),
            "destructive",
            "renames column shop_page.title to heading",
        ),
        (
            migrations.AddField("page", "new", models.IntegerField(default=0)),
            "narrowing",
            "adds column shop_page.new, not null and without db_default:"
            " the release before cannot insert",
        ),
        (
            migrations.AlterField("page", "text", models.TextField(default="")),
            "narrowing",
            "column shop_page.text can no longer be null",
        ),
        (
            migrations.AlterField("page", "title", models.CharField(max_length=40)),
            "narrowing",
            "column shop_page.title takes shorter texts",
        ),
        (
            migrations.AlterField("page", "title", models.CharField(max_length=80, unique=True)),
            "narrowing",
            "column shop_page.title has to be unique",
        ),
        (
            migrations.AlterField("page", "number", models.BigIntegerField()),
            "rewriting",
            "changes column shop_page.number",
        ),
        (
            migrations.AlterField("page", "number", models.CharField(max_length=9)),
            "destructive",
            "column shop_page.number becomes CharField, and longer values are cut",
        ),
        (
            migrations.AlterField("page", "text", models.CharField(max_length=99, null=True)),
            "destructive",
            "column shop_page.text becomes CharField, and longer values are cut",
        ),
        (
            migrations.AlterField("page", "number", models.BooleanField()),
            "destructive",
            "column shop_page.number becomes BooleanField, and values are rounded or cut",
        ),
        (
            migrations.AlterField(
                "page", "price", models.DecimalField(max_digits=9, decimal_places=1)
            ),
            "destructive",
            "column shop_page.price takes fewer digits, and values are rounded",
        ),
        (
            migrations.AlterField("page", "number", models.DateField()),
            "narrowing",
            "column shop_page.number becomes DateField",
        ),
        (
            migrations.AddIndex("page", models.Index(fields=["title"], name="by_title")),
            "rewriting",
            "builds an index on shop_page, and writers wait",
        ),
        (
            migrations.AddConstraint(
                "page", models.UniqueConstraint(fields=["title"], name="one_title")
            ),
            "narrowing",
            "adds a constraint to shop_page",
        ),
        (
            migrations.AlterUniqueTogether("page", {("title", "number")}),
            "narrowing",
            "sets unique_together of shop_page",
        ),
        (migrations.RunPython(code, code), "rewriting", "runs Python of its own: code"),
        (
            migrations.SeparateDatabaseAndState(
                database_operations=[migrations.RemoveField("page", "text")]
            ),
            "destructive",
            "drops column shop_page.text",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_an_operation_has_its_mark_and_its_words(operation: Any, marks: str, says: str) -> None:
    judged = risk(operation)
    assert judged.marks == (marks,)
    assert [effect.says for effect in judged.effects] == [says]


@pytest.mark.parametrize(
    ("sql", "marks"),
    [
        ("ALTER TABLE page DROP COLUMN text", "destructive"),
        ("alter table page drop text", "destructive"),
        ("DROP TABLE page", "destructive"),
        ("DELETE FROM page WHERE id > 7", "destructive"),
        ("TRUNCATE page", "destructive"),
        ("ALTER TABLE page RENAME TO leaf", "destructive"),
        ("ALTER TABLE page CHANGE COLUMN text body longtext", "destructive"),
        ("alter table page add x int, change if exists `text`  `body` longtext", "destructive"),
        ("ALTER TABLE page CHANGE a a int, CHANGE b c int", "destructive"),
        ("ALTER TABLE page CHANGE COLUMN text  text longtext NOT NULL", "rewriting"),
        ("ALTER TABLE page CHANGE `text` Text longtext", "rewriting"),
        ("UPDATE page SET title = 'change the title'", "rewriting"),
        ("ALTER TABLE page DROP CONSTRAINT one", "rewriting"),
        ("DROP INDEX by_title", "rewriting"),
        ("ALTER TABLE page ALTER text DROP NOT NULL", "rewriting"),
        ("UPDATE page SET title = 'x'", "rewriting"),
    ],
)
def test_sql_of_its_own_is_read_for_what_takes_away(sql: str, marks: str) -> None:
    assert risk(noop_sql(sql)).marks == (marks,)
    assert risk(migrations.RunSQL([(sql, None)], migrations.RunSQL.noop)).marks == (marks,)


def test_several_operations_have_the_marks_of_all() -> None:
    judged = risk(
        migrations.RunPython(code),
        migrations.AddField("page", "new", models.IntegerField(default=0)),
        migrations.RemoveField("page", "text"),
        atomic=False,
    )
    marks = ("rewriting", "narrowing", "destructive", "irreversible", "non-atomic")
    assert judged.marks == marks
    assert not judged.only_takes_away
    assert judged.tables == ("shop_page",)


def test_what_the_same_plan_has_made_holds_nothing_that_could_be_lost() -> None:
    judged = risk(
        migrations.CreateModel("New", [("id", models.BigAutoField(primary_key=True))]),
        migrations.RenameModel("New", "Newer"),
        migrations.DeleteModel("Newer"),
        migrations.AddField("page", "new", models.TextField(null=True)),
        migrations.RemoveField("page", "new"),
    )
    assert judged.marks == ("additive",)


def test_in_an_empty_database_nothing_is_a_risk() -> None:
    assert risk(migrations.DeleteModel("Page"), migrations.RunPython(code), empty=True).marks == (
        "additive",
    )


def test_operations_of_other_packages_count_as_what_they_extend_or_are_not_judged() -> None:
    class Gently(migrations.RemoveField):  # type: ignore[misc]  # Django ships no types
        """What a package may bring."""

    class Odd(migrations.operations.base.Operation):  # type: ignore[misc]  # as above
        """Something else."""

        def state_forwards(self, app_label: str, state: Any) -> None:
            """Nothing that Django would know of."""

    assert risk(Gently("page", "text")).destructive
    assert risk(Odd()).effects[0].says == "runs Odd, which is not judged"
    assert risk(Odd()).marks == ("rewriting",)


def test_a_migration_that_speaks_for_itself_is_believed() -> None:
    assert not risk(migrations.RemoveField("page", "text"), destructive=False).destructive
    stated = risk(migrations.RunPython(code, code), destructive=True)
    assert stated.destructive
    assert stated.only_takes_away


PAGES = "shop_page"


@pytest.mark.parametrize(
    ("operation", "says", "table"),
    [
        (migrations.AddField("page", "text", CHAR), f"going back drops column {PAGES}.text", PAGES),
        (migrations.CreateModel("Page", []), f"going back drops table {PAGES}", PAGES),
        (
            migrations.RemoveField("page", "gone"),
            "going back brings what it took away, but empty",
            "",
        ),
        (migrations.RunPython(code, code), "going back runs code of its own", ""),
        (migrations.RunPython(code, migrations.RunPython.noop), "", ""),
        (migrations.RunPython(code), "", ""),
        (noop_sql("SELECT 1"), "", ""),
        (migrations.RunSQL("SELECT 1"), "", ""),
        (migrations.AddField("view", "text", CHAR), "", ""),
        (migrations.AlterModelOptions("page", {}), "", ""),
    ],
)
def test_the_way_back_of_an_operation_is_told_if_there_is_one_and_it_does_something(
    operation: Any, says: str, table: str
) -> None:
    before = state()
    assert backwards(operation, "shop", before, state()) == (says, table)


def test_what_a_wider_column_loses_on_the_way_back_is_told() -> None:
    wider = migrations.AlterField("page", "title", models.TextField())
    before, after = state(), state()
    wider.state_forwards("shop", after)
    says, table = backwards(wider, "shop", before, after)
    assert says == (
        "going back: column shop_page.title becomes CharField, and longer values are cut"
    )
    assert table == PAGES
    back = migrations.AlterField("page", "text", models.TextField(null=True, help_text="x"))
    assert backwards(back, "shop", state(), state()) == ("", "")


def test_what_is_cut_or_rounded_cannot_wait_until_after_the_switch() -> None:
    cut = migrations.AlterField("page", "text", models.CharField(max_length=99, null=True))
    assert risk(cut).destructive
    assert not risk(cut).only_takes_away
