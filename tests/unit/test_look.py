"""What `look` prints becomes findings."""

from dataclasses import replace

from deploy.findings import Findings
from deploy.look import understand
from deploy.release import Release

A, B = "000001-aaaaaaa", "000002-bbbbbbb"
SAID = f"""user deploy
lacks curl
python 3.11.2 linux-x86_64 glibc-2.36
root ok
free 1048576
current {B}
release {A} {{"id":"{A}", "revision": "{"a" * 40}", "venv": "v1", "migrations": "m1", "tree": "t"}}
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
env-mode 644
green {B}
frozen by ann@desk: audit
journal begin r1 deploy ann@desk web1 web1 web=->{A}
journal commit r1
journal begin r2 deploy ann@desk web1 web1 web={A}>{B}
journal commit r2
journal begin r3 deploy ann@desk web1 web1 web={B}>000005-eeeeeee
lock alive r3 deploy by ann@desk
left-lock yes
served {B}
""".splitlines()


def test_everything_that_a_host_says_is_understood() -> None:
    found = understand("web1", SAID)
    assert (found.user, found.root, found.free) == ("deploy", "ok", 1048576)
    assert (found.python, found.platform, found.libc) == ("3.11.2", "linux-x86_64", "glibc-2.36")
    assert found.lacks == ("curl",)
    assert found.web.current == B
    assert found.web.previous == A
    assert found.web.complete[A] == Release(A, "a" * 40, "v1", "m1", "t")
    assert found.left_lock
    assert found.slots == {"blue": A, "green": B}
    assert (found.live_slot, found.idle_slot) == ("green", "blue")
    assert found.processes[0].says == f"loaded {B}"
    assert found.installed == {"apache": "0123"}
    assert found.exposed
    assert found.lock is not None
    assert found.lock.alive
    assert found.served == B
    assert found.frozen == "by ann@desk: audit"
    assert (found.slot_of(A), found.slot_of(B)) == ("blue", "green")
    assert [entry.run.id for entry in found.open_runs] == ["r3"]


def test_a_host_that_is_asked_again_keeps_what_does_not_change_within_a_run() -> None:
    before = replace(Findings(), python="3.12.1", platform="p", libc="l", lacks=("rsync",))
    found = understand("web1", SAID, before)
    assert (found.python, found.platform, found.libc) == ("3.12.1", "p", "l")
    assert found.lacks == ("rsync",)
    assert found.web.current == B


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
