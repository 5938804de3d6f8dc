"""What prepare-host.sh makes of a host, and what it refuses."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.asking import on, ssh
from tests.sandbox.docker import docker
from tests.sandbox.fleet import down, up
from tests.sandbox.members import Fleet, Machine

pytestmark = pytest.mark.docker

MACHINES = (Machine("web1", ("web",)),)
TEMPLATES = Path(__file__).parent.parent.parent / "deploy" / "templates"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    state = tmp_path_factory.mktemp("fleet") / "state"
    try:
        yield up(state, machines=MACHINES)
    finally:
        down(state, keep_image=True)


@pytest.fixture(scope="module")
def prepared(fleet: Fleet) -> str:
    """The line that prepares web1 for the site guestbook, to which a test adds its options."""
    for name in ("prepare-host.sh", "deploy-root"):
        docker("cp", str(TEMPLATES / name), f"{fleet.container('web1')}:/root/{name}")
    return "sh /root/prepare-host.sh --user deploy --roles web --name guestbook"


@pytest.mark.parametrize(
    ("roles", "others", "configure"),
    [
        ("web", ["restart-slot kept blue", "restart-slot kept green"], "apache kept"),
        ("static", [], "nginx kept"),
        ("static,worker --units shop.service", ["restart-unit kept shop.service"], "nginx kept"),
    ],
)
def test_an_administrator_may_keep_the_right_to_change_the_web_server(
    fleet: Fleet, prepared: str, roles: str, others: list[str], configure: str
) -> None:
    def allowed(options: str) -> list[str]:
        assert on(fleet, "web1", f"{prepared} --name kept --roles {roles} {options}")[0]
        rules = on(fleet, "web1", "grep -v '^#' /etc/sudoers.d/deploy-kept")[1].splitlines()
        return [rule.partition("deploy-root ")[2] for rule in rules]

    assert allowed("--restart-only") == others
    assert allowed("") == others, "who prepares the host again does not give it by the way"
    assert allowed("--allow-configure") == [*others, configure]
    assert allowed("") == [*others, configure]


def test_a_right_that_was_withheld_before_files_said_so_stays_withheld(
    fleet: Fleet, prepared: str
) -> None:
    assert on(fleet, "web1", f"{prepared} --name older --restart-only")[0]
    assert on(fleet, "web1", "sed -i /withheld/d /etc/sudoers.d/deploy-older")[0]
    assert on(fleet, "web1", f"{prepared} --name older")[0]
    assert not on(fleet, "web1", "grep ' apache older$' /etc/sudoers.d/deploy-older")[0]


def test_uploads_that_were_given_to_the_sites_own_user_are_left_as_they_are(
    fleet: Fleet, prepared: str
) -> None:
    assert on(fleet, "web1", f"{prepared} --name given")[0]
    assert on(fleet, "web1", "chown www-data /srv/www/given/shared/media")[0]
    done, said = on(fleet, "web1", f"{prepared} --name given 2>&1")
    assert done, said
    assert "shared/media belongs to www-data, and is left as it is" in said


def test_a_host_that_serves_pages_no_more_loses_the_rights_that_took(
    fleet: Fleet, prepared: str
) -> None:
    assert on(fleet, "web1", f"{prepared} --name former")[0]
    assert on(fleet, "web1", f"{prepared} --name former --roles db")[0]
    assert not on(fleet, "web1", "test -e /etc/sudoers.d/deploy-former")[0]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ("--name Shop", "--name"),
        ("--name 'a b'", "--name"),
        ("--name $(printf %032d 0 | tr 0 a)", "at most 31"),
        ("--user root", "must not be root"),
        ("--user nobody-here", "useradd -m nobody-here"),
        ("--user 'x ALL'", "--user"),
        ("--group none", "there is no group none"),
        ("--root relative", "an absolute path"),
        ("--root /srv", "at least two levels deep"),
        ("--roles web,moon", "unknown role 'moon'"),
        ("--roles ''", "at least one"),
        ("--moon", "--moon"),
    ],
)
def test_preparing_refuses_what_it_does_not_understand(
    fleet: Fleet, prepared: str, options: str, complaint: str
) -> None:
    said = on(fleet, "web1", f"{prepared} {options} 2>&1; echo code $?")[1]
    assert complaint in said
    assert said.endswith("code 64\n")


def test_a_link_in_the_sites_directory_never_leads_root_elsewhere(
    fleet: Fleet, prepared: str
) -> None:
    for name, ends_well, complaint in [
        ("shared/media", True, "media belongs to root, and is left as it is"),
        ("releases", False, "releases belongs to root, and deploy must own it"),
    ]:
        folder = f"/srv/www/guestbook/{name}"
        ssh(fleet, "web1", f"rmdir {folder} && ln -s /etc/apt {folder}")
        done, said = on(fleet, "web1", f"{prepared} 2>&1")
        ssh(fleet, "web1", f"rm {folder} && mkdir -p {folder}")
        assert done is ends_well, said
        assert complaint in said
        assert on(fleet, "web1", "stat -c %U:%G:%a /etc/apt")[1] == "root:root:755\n"
    assert on(fleet, "web1", prepared)[0]
