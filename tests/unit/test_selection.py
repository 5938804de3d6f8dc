"""Which hosts -R, -H and -x mean."""

from pathlib import Path

import pytest

from deploy.asked import Asked
from deploy.errors import Refused
from deploy.host import Host, Ssh
from deploy.project import Project
from deploy.stage import Stage

STAGE = Stage(
    name="live",
    path=Path("inventories/live.toml"),
    description="",
    confirm=False,
    parallel=32,
    project=Project(),
    hosts=(
        Host("web1", "10.0.0.1", ("web",)),
        Host("web2", "10.0.0.2", ("web", "static"), ssh=Ssh(port=2222)),
        Host("db2", "10.0.0.9", ("db",), ssh=Ssh(port=1)),
        Host("db1", "10.0.0.9", ("db",), ssh=Ssh(port=2)),
    ),
)


def names(*args: tuple[str, ...]) -> list[str]:
    return [host.name for host in STAGE.select(*args)]


def refused(*args: tuple[str, ...]) -> tuple[str, str]:
    with pytest.raises(Refused) as refusal:
        STAGE.select(*args)
    return refusal.value.what, refusal.value.hint


def test_nothing_named_means_every_host() -> None:
    assert names() == ["web1", "web2", "db2", "db1"]


def test_roles_are_joined_and_keep_the_order_of_the_file() -> None:
    assert names(("db", "web", "web")) == ["web1", "web2", "db2", "db1"]


def test_hosts_narrow_roles_and_exclusions_narrow_both() -> None:
    assert names(("web",), ("web2",)) == ["web2"]
    assert names(("web",), (), ("web2",)) == ["web1"]
    assert names((), ("web1", "db1"), ("db1",)) == ["web1"]


def test_a_host_may_be_named_by_its_address() -> None:
    assert names((), ("10.0.0.1",)) == ["web1"]
    assert names((), ("10.0.0.2:2222",)) == ["web2"]
    assert names((), ("10.0.0.9:2",)) == ["db1"]


def test_an_address_of_two_hosts_is_refused() -> None:
    assert refused((), ("10.0.0.9",))[0] == '"10.0.0.9" is the address of several hosts: db2, db1'


def test_an_unknown_role_is_refused_with_the_nearest_one() -> None:
    what, hint = refused(("wbe",))
    assert what == 'there is no role "wbe"; did you mean "web"?'
    assert hint == "roles in live.toml: web, static, db"


def test_a_role_without_hosts_is_refused() -> None:
    assert refused(("lb",))[0] == 'no host of live.toml has the role "lb"'


def test_an_unknown_host_is_refused_with_the_nearest_one() -> None:
    what, hint = refused((), ("wbe1",))
    assert what == 'there is no host "wbe1" in live.toml; did you mean "web1"?'
    assert hint == "hosts in live.toml: web1, web2, db2, db1"


def test_an_exclusion_that_leaves_nobody_out_is_refused() -> None:
    assert refused(("web",), (), ("db1",))[0] == (
        "-x db1 leaves nobody out; selected are: web1, web2"
    )


def test_a_selection_of_nobody_is_refused() -> None:
    assert refused(("web",), ("db1",))[0] == "-R web -H db1 selects none of the hosts of live.toml"
    assert refused((), ("web1",), ("web1",))[0].startswith("-H web1 -x web1 selects none")


def test_the_first_host_of_the_file_is_the_primary_of_its_role() -> None:
    assert STAGE.role("db")[0].name == "db2"
    assert STAGE.role("lb") == ()


def test_a_tasks_usual_roles_hold_unless_hosts_are_named() -> None:
    asked = Asked(Path("/nowhere"))
    assert [one.name for one in asked.select(STAGE, ("static",))] == ["web2"]
    assert [one.name for one in asked.select(STAGE, ("static", "worker"))] == ["web2"]
    with pytest.raises(Refused, match='has the role "worker"'):
        asked.select(STAGE, ("worker",))
    named = Asked(Path("/nowhere"), hosts=("db1",))
    assert [one.name for one in named.select(STAGE, ("static",))] == ["db1"]
    roles = Asked(Path("/nowhere"), roles=("web",))
    assert [one.name for one in roles.select(STAGE, ("static",))] == ["web1", "web2"]
