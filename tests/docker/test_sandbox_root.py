"""What deploy-root does on a host: restart one slot, and never leave a broken web server."""

import time
from collections.abc import Callable, Iterator

import pytest

from deploy.project import Project, Static, Web
from deploy.webserver import apache_site, process_title
from tests.sandbox.asking import on
from tests.sandbox.docker import docker
from tests.sandbox.fleet import down, up
from tests.sandbox.members import Fleet, Machine

pytestmark = pytest.mark.docker

MACHINES = (Machine("web1", ("web",)), Machine("box1", ("static", "db")))
SITES = "/etc/apache2/sites-available"
DAEMONS = """
WSGIDaemonProcess {name}-{slot} display-name={title} processes=2
WSGIImportScript /srv/app.wsgi process-group={name}-{slot} application-group=%{{GLOBAL}}
"""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    state = tmp_path_factory.mktemp("fleet") / "state"
    try:
        yield up(state, machines=MACHINES)
    finally:
        down(state, keep_image=True)


def install(fleet: Fleet, site: str, text: str) -> tuple[str, str]:
    """What deploy-root said to Apache's file `text`, and with which exit code it ended."""
    said = on(fleet, "web1", f"deploy-root apache {site} 2>&1; echo code $?", stdin=text)[1]
    body, _, code = said.rpartition("code ")
    return body, code.strip()


def daemons(fleet: Fleet, slots: tuple[tuple[str, str], ...]) -> dict[str, set[str]]:
    """The ids of each slot's processes, as soon as every slot has its two."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        lines = on(fleet, "web1", "ps -e -o pid= -o args= | awk '{print $2, $1}'")[1].splitlines()
        found = {process_title(*slot): set[str]() for slot in slots}
        for name, number in (line.split() for line in lines):
            found.get(name, set()).add(number)
        if all(len(numbers) == 2 for numbers in found.values()):
            return found
        time.sleep(0.1)
    raise AssertionError(f"not two processes in every slot: {found}")


def wait_until(true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while not true() and time.monotonic() < deadline:
        time.sleep(0.1)
    return true()


def test_restarting_a_slot_leaves_the_other_and_sites_with_longer_names(fleet: Fleet) -> None:
    assert on(fleet, "web1", "echo 'def application(e, s): pass' >/srv/app.wsgi")[0]
    slots = (("shop", "blue"), ("shop", "green"), ("shop-2", "blue"), ("shop-blue", "blue"))
    text = "".join(
        DAEMONS.format(name=name, slot=slot, title=process_title(name, slot))
        for name, slot in slots
    )
    assert install(fleet, "shop", text)[1] == "0"
    before = daemons(fleet, slots)
    assert on(fleet, "web1", "deploy-root restart-slot shop blue")[0]
    gone, *kept = (process_title(*slot) for slot in slots)
    assert wait_until(lambda: not daemons(fleet, slots)[gone] & before[gone])
    after = daemons(fleet, slots)
    assert [after[each] for each in kept] == [before[each] for each in kept]


def test_restarting_a_slot_that_has_no_processes_is_no_failure(fleet: Fleet) -> None:
    assert on(fleet, "web1", "deploy-root restart-slot nowhere green") == (True, "")


def test_the_same_configuration_again_reloads_nothing(fleet: Fleet) -> None:
    install(fleet, "same", "# the same\n")
    assert install(fleet, "same", "# the same\n") == ("unchanged\n", "0")


def test_a_changed_configuration_is_shown_and_served(fleet: Fleet) -> None:
    install(fleet, "news", "Redirect 302 /old /first\n")
    said, code = install(fleet, "news", "Redirect 302 /old /second\n")
    assert code == "0"
    assert "-Redirect 302 /old /first\n+Redirect 302 /old /second\n" in said
    assert "/second" in on(fleet, "web1", "curl -sI http://127.0.0.1/old")[1]


def test_a_configuration_that_apache_refuses_is_put_back(fleet: Fleet) -> None:
    install(fleet, "broken", "# good\n")
    said, code = install(fleet, "broken", "NoSuchDirective on\n")
    assert code == "65"
    assert "Invalid command 'NoSuchDirective'" in said
    assert on(fleet, "web1", f"cat {SITES}/broken.conf; apachectl configtest 2>&1")[1] == (
        "# good\nSyntax OK\n"
    )


def test_a_first_configuration_that_apache_refuses_leaves_no_file(fleet: Fleet) -> None:
    assert install(fleet, "first", "NoSuchDirective on\n")[1] == "65"
    found = on(fleet, "web1", "find /etc/apache2 -name '*first*'")[1]
    assert found == ""


@pytest.mark.parametrize("folder", ["enabled", "available"])
def test_a_file_of_the_same_name_that_somebody_else_made_is_left_alone(
    fleet: Fleet, folder: str
) -> None:
    """It may be the site as it was served until now, and nobody has another copy."""
    name, ours = f"their-{folder}", "# shop: written by `fab apache.configure`\n"
    theirs = f"/etc/apache2/sites-{folder}/{name}.conf"
    assert on(fleet, "web1", f"cat >{theirs}", stdin="# theirs\n")[0]
    said, code = install(fleet, name, f"{ours}NoSuchDirective on\n")
    assert code == "65"
    assert "nothing was changed" in said
    assert on(fleet, "web1", f"cat {theirs}")[1] == "# theirs\n"
    moved = f"mv -b {theirs} {SITES}/{name}.conf.old"
    assert moved in said
    assert on(fleet, "web1", moved)[0]
    assert install(fleet, name, ours)[1] == "0"
    assert install(fleet, name, f"{ours}# again\n")[1] == "0"


def test_a_port_that_another_program_holds_is_refused_before_anything_changes(fleet: Fleet) -> None:
    container = fleet.container("web1")
    docker("exec", "--detach", container, "python3", "-m", "http.server", "8199")
    assert on(fleet, "web1", "until curl -so /dev/null http://127.0.0.1:8199/; do sleep 0.1; done")
    said, code = install(fleet, "taken", "Listen 127.0.0.1:8199\n")
    on(fleet, "web1", "pkill -f http.server")
    assert (said, code) == (
        "deploy-root: port 8199 is in use by another program; nothing was changed\n",
        "65",
    )


def test_a_site_that_needs_python_in_apaches_own_processes_is_not_cut_off(fleet: Fleet) -> None:
    theirs = "WSGIScriptAlias /theirs /srv/app.wsgi\n"
    ours = "<IfDefine !DEPLOY_EMBEDDED>\n    WSGIRestrictEmbedded On\n</IfDefine>\n"
    assert install(fleet, "theirs", theirs)[1] == "0"
    said, code = install(fleet, "ours", ours)
    assert code == "65"
    assert "theirs.conf has a site in Apache's own processes" in said
    theirs = (
        "WSGIDaemonProcess theirs\nWSGIScriptAlias /theirs /srv/app.wsgi process-group=theirs\n"
    )
    assert install(fleet, "theirs", theirs)[1] == "0"
    assert install(fleet, "ours", ours)[1] == "0"


def test_a_port_of_apaches_own_is_not_taken(fleet: Fleet) -> None:
    assert install(fleet, "own", "Listen 127.0.0.1:8197\n")[1] == "0"
    assert install(fleet, "own", "# again\nListen 127.0.0.1:8197\n")[1] == "0"


def test_an_apache_that_dies_of_a_configuration_is_back_with_the_old_one(fleet: Fleet) -> None:
    # No configuration test notices an address that this host does not have.
    said, code = install(fleet, "fatal", "Listen 203.0.113.9:8198\n")
    assert code == "65"
    assert "could not bind to address 203.0.113.9:8198" in said
    assert on(fleet, "web1", "curl -s -o /dev/null http://127.0.0.1/")[0]


def test_a_configuration_that_is_too_big_is_refused(fleet: Fleet) -> None:
    said, code = install(fleet, "big", "#" * 262_145)
    assert code == "64"
    assert "nothing was changed" in said
    assert on(fleet, "web1", f"ls -A {SITES} | grep -c big")[1] == "0\n"


@pytest.mark.parametrize("name", ["../etc", "Shop", "-x", "a b", "", "x" * 32])
def test_a_name_that_no_site_can_have_is_refused(fleet: Fleet, name: str) -> None:
    said = on(fleet, "web1", f"deploy-root apache '{name}' 2>&1; echo $?", stdin="# x\n")[1]
    assert said.endswith("64\n")


def test_a_root_may_have_letters_that_mean_something_else_in_a_pattern(fleet: Fleet) -> None:
    site = Project(
        name="odd",
        root="/srv/www/c++",
        settings="odd.settings",
        web=Web(server_name="odd.example.com", private_ports=(8191, 8192)),
        static=Static(root="s+t"),
    )
    files = f"{site.root}/releases/000001-aaaaaaa/{site.static.root}"
    made = f"mkdir -p {files} && echo odd >{files}/site.css && cd {site.root}"
    assert on(fleet, "web1", f"{made} && ln -s releases/000001-aaaaaaa current")[0]
    assert install(fleet, "odd", apache_site(site))[1] == "0"
    asked = "curl -s -H 'Host: odd.example.com' http://127.0.0.1/static/site.css"
    assert on(fleet, "web1", asked)[1] == "odd\n"


def test_nginx_serves_what_is_installed_and_keeps_it_when_the_next_is_broken(fleet: Fleet) -> None:
    good = "server { listen 80; location / { return 200 yes; } }\n"
    line = "deploy-root nginx guestbook 2>&1; echo code $?"
    assert on(fleet, "box1", line, stdin=good)[1].endswith("code 0\n")
    assert on(fleet, "box1", "curl -s http://127.0.0.1/")[1] == "yes"
    assert on(fleet, "box1", line, stdin="server { listen; }\n")[1].endswith("code 65\n")
    assert (
        on(fleet, "box1", "nginx -s reload 2>&-; sleep 0.3; curl -s http://127.0.0.1/")[1] == "yes"
    )


def test_a_port_that_nginx_cannot_have_is_refused_before_anything_changes(fleet: Fleet) -> None:
    line = "deploy-root nginx other 2>&1; echo code $?"
    said = on(fleet, "box1", line, stdin="server {\n listen 127.0.0.1:5432;\n}\n")[1]
    assert said.startswith("deploy-root: port 5432 is in use by another program")
    assert said.endswith("code 65\n")
    assert on(fleet, "box1", "find /etc/nginx -name '*other*'")[1] == ""
