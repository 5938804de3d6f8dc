"""What `look` prints becomes findings."""

from deploy.findings import understand

A, B = "000001-aaaaaaa", "000002-bbbbbbb"
SAID = f"""user deploy
lacks curl
python 3.11.2 linux-x86_64 glibc-2.36
root ok
free 1048576
current {B}
release {A} {{"id": "{A}", "revision": "{"a" * 40}", "venv": "v1", "migrations": "m1"}}
release {B} {{"id": "{B}", "revision": "{"b" * 40}", "venv": "v1", "migrations": "m2"}}
release 000003-ccccccc partial
release 000004-ddddddd {{"id": torn
release lost+found partial
venv v1
slot blue {A}
slot green {B}
process green 4711 loaded {B}
live-slot green
migrated m2
installed apache 0123
journal commit r1 deploy web {A} ann@desk
journal commit r2 deploy web {B} ann@desk
lock alive r3 deploy by ann@desk
served {B}
""".splitlines()


def test_everything_that_a_host_says_is_understood() -> None:
    found = understand("web1", SAID)
    assert (found.user, found.root, found.free) == ("deploy", "ok", 1048576)
    assert (found.python, found.platform, found.libc) == ("3.11.2", "linux-x86_64", "glibc-2.36")
    assert found.lacks == ("curl",)
    assert found.web.current == B
    assert found.web.previous == A
    assert found.web.complete[A].revision == "a" * 40
    assert found.slots == {"blue": A, "green": B}
    assert (found.live_slot, found.idle_slot) == ("green", "blue")
    assert found.processes[0].says == f"loaded {B}"
    assert found.installed == {"apache": "0123"}
    assert found.lock is not None
    assert found.lock.alive
    assert found.served == B


def test_a_release_whose_mark_is_torn_is_not_complete() -> None:
    assert understand("web1", SAID).web.partial == ("000003-ccccccc", "000004-ddddddd")


def test_a_host_that_was_never_prepared_says_so() -> None:
    found = understand("web1", ["user deploy", "root missing"])
    assert found.root == "missing"
    assert found.web.current is None
    assert found.idle_slot == "green"


def test_a_current_that_is_a_directory_is_noticed() -> None:
    found = understand("web1", ["root ok", "current directory"])
    assert found.web.blocked
    assert found.web.current is None
