"""What recover does about the schema after a rollback that was cut off."""

from dataclasses import replace

import pytest

from deploy.findings import Findings, Tree
from deploy.host import Host
from deploy.journal import Change, Entry, Run
from deploy.project import Apache, Db, Project, Web
from deploy.recover import lacks_migrations
from deploy.recovery import EMPTY, RESTORE, RETURN, SCHEMA, VERIFY, recovery, returning
from deploy.release import Release
from deploy.report import Note

OLD, NEW = "000001-aaaaaaa", "000002-bbbbbbb"
DB = Host("db1", roles=("db",), project=Project(name="shop", root="/srv/www/shop"))
OPEN = Entry(Run("r1", "rollback", "ann@desk"), "db1", ("db1",), {"web": Change(NEW, OLD)})
TREE = Tree(current=NEW, complete={name: Release(name, migrations=name) for name in (OLD, NEW)})
FOUND = Findings(root="ok", web=TREE, runs=(OPEN,), migrated="back-r1")


def parts(found: Findings, host: Host = DB) -> list[tuple[str, list[str]]]:
    made = recovery((host,), {host.name: found}, lambda _event: None)
    return [(p.step.name, [a.shown() for w in p.work for a in w.actions]) for p in made]


def test_what_a_rollback_may_have_taken_back_is_applied_again_before_hosts_are_asked() -> None:
    (first, actions), (second, _) = parts(FOUND)
    assert (first, second) == (SCHEMA.name, RESTORE.name)
    assert f"migrate.py --run r1 /srv/www/shop {NEW}" in actions[0]
    assert actions[1] == f"remember /srv/www/shop/.deploy/migrated {NEW}"


def test_what_was_taken_back_for_a_switch_that_never_came_is_applied_again() -> None:
    assert [name for name, _ in parts(replace(FOUND, migrated=OLD))] == [SCHEMA.name, RESTORE.name]


def test_a_schema_that_was_ahead_before_the_rollback_is_left_alone() -> None:
    assert [name for name, _ in parts(replace(FOUND, migrated="ahead"))] == [RESTORE.name]


def test_where_the_data_is_that_comes_back_empty_is_said() -> None:
    said: list[object] = []
    assert list(recovery((DB,), {"db1": FOUND}, said.append))
    assert [one for one in said if "fab db.list" in str(one)]


def test_a_database_of_which_nothing_is_known_is_left_alone_as_nobody_took_anything_back() -> None:
    assert [name for name, _ in parts(replace(FOUND, migrated=""))] == [RESTORE.name]


def test_a_database_that_is_known_to_fit_is_left_alone() -> None:
    assert [name for name, _ in parts(replace(FOUND, migrated=NEW))] == [RESTORE.name]


def test_a_host_that_died_while_the_balancer_was_to_leave_it_is_told_to_come_back() -> None:
    web = replace(DB, name="web1", roles=("web",))
    left = {"web1": Findings(root="ok", draining=True), "web2": Findings(root="ok")}
    (part,) = returning((web, replace(web, name="web2")), left)
    assert part.step == RETURN
    ((work,),) = part.waves
    assert work.host == web
    assert work.actions[0].shown() == "come_back /srv/www/shop 0 80 localhost"


def test_every_run_is_ended_before_any_host_is_asked_how_it_answers() -> None:
    web = replace(DB, name="web1", roles=("web",))
    (_, actions), (last, asked) = parts(replace(FOUND, migrated=""), web)
    assert actions[-1] == "end_run /srv/www/shop r1 abort"
    assert actions[0].startswith("attempt ensure_slot /srv/www/shop shop blue")
    assert last == VERIFY.name
    assert [line.split()[0] for line in asked] == ["ensure_slot", "ask_back"]


def test_hosts_that_a_balancer_holds_out_are_brought_back_one_by_one() -> None:
    project = replace(DB.project, apache=Apache(mode="embedded"), web=Web(drain=10))
    hosts = [replace(DB, name=name, roles=("web",), project=project) for name in ("web1", "web2")]
    (restore, _) = recovery(hosts, dict.fromkeys(("web1", "web2"), FOUND), lambda _event: None)
    assert [len(wave) for wave in restore.waves] == [1, 1]


def test_a_rollback_that_was_decided_keeps_its_schema() -> None:
    done = replace(OPEN, ended="commit")
    other = replace(FOUND, runs=(done,))
    hosts = (DB, replace(DB, name="web1", roles=("web",)))
    made = recovery(hosts, {"db1": other, "web1": FOUND}, lambda _event: None)
    assert SCHEMA.name not in [part.step.name for part in made]


def test_how_a_run_ended_is_said_once_with_its_name_and_owner() -> None:
    said: list[object] = []
    rotation = replace(OPEN, run=replace(OPEN.run, verb="env.rotate"), changes={})
    for entry in (OPEN, rotation):
        list(recovery((DB,), {"db1": replace(FOUND, runs=(entry,))}, said.append))
    notes = [one.text for one in said if isinstance(one, Note) and one.text != EMPTY]
    assert notes == [
        "rollback r1 by ann@desk was not decided: taken back",
        "env.rotate r1 by ann@desk was cut off: keys stay as they are, and fab env.rotate makes"
        " them agree",
    ]


@pytest.mark.parametrize(
    ("policy", "migrated", "verb", "lacks"),
    [
        ("after-switch", OLD, "deploy", True),
        ("after-switch", NEW, "deploy", False),
        ("after-switch", OLD, "rollback", False),
        ("refuse", OLD, "deploy", False),
    ],
)
def test_migrations_that_wait_for_the_switch_are_missed_only_where_they_wait(
    policy: str, migrated: str, verb: str, lacks: bool
) -> None:
    project = replace(DB.project, db=Db(destructive=policy))
    run = Entry(Run("r1", verb, "ann@desk"), "db1", ("db1",), {"web": Change(OLD, NEW)}, "commit")
    found = replace(FOUND, runs=(run,), migrated=migrated)
    assert lacks_migrations(replace(DB, project=project), found) is lacks
