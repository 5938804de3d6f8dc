"""The shell words of deploy/remote on real directories, each alone."""

import fcntl
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from deploy.command import Command, Result
from deploy.fleet import words
from deploy.ssh.script import packed
from tests.local.locallink import LocalLink


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "srv" / "shop"
    for inside in ("releases", "shared", "slots", "run", ".deploy", "static/releases"):
        (root / inside).mkdir(parents=True)
    (root / "static" / "pool").mkdir()
    return root


@pytest.fixture
def link(tmp_path: Path) -> Iterator[LocalLink]:
    link = LocalLink(tmp_path, words())
    link.open()
    yield link
    link.close()


def do(link: LocalLink, *argv: str, stdin: str = "") -> Result:
    return link.execute(Command(argv, stdin=stdin), lambda _: None)


def release(root: Path, name: str, *files: str) -> Path:
    made = root / "releases" / name
    made.mkdir(parents=True)
    (made / "release.json").write_text("{}")
    for path in files:
        (made / path).parent.mkdir(parents=True, exist_ok=True)
        (made / path).write_text(path)
    return made


A, B = "000001-aaaaaaa", "000002-bbbbbbb"


def test_the_switch_replaces_a_link_and_never_a_directory(link: LocalLink, root: Path) -> None:
    release(root, A)
    (root / "current").mkdir()
    done = do(link, "switch", str(root), A)
    assert done.exit_code == 65
    assert "is not a link" in done.output
    assert (root / "current").is_dir()


def test_a_release_that_is_not_complete_is_never_switched_to(link: LocalLink, root: Path) -> None:
    release(root, A)
    do(link, "switch", str(root), A)
    (root / "releases" / B).mkdir()
    assert do(link, "switch", str(root), B).exit_code == 65
    assert (root / "current").readlink() == Path("releases") / A


def test_a_leftover_of_an_interrupted_switch_cannot_send_the_next_one_astray(
    link: LocalLink, root: Path
) -> None:
    release(root, A)
    release(root, B)
    (root / "current.new").symlink_to(f"releases/{A}")
    assert do(link, "switch", str(root), B).ok
    assert (root / "current").readlink() == Path("releases") / B
    assert not (root / "releases" / A / B).exists()


@pytest.mark.parametrize(
    ("path", "target"),
    [("media", "../../shared/media"), ("var/data/files", "../../../../shared/var/data/files")],
)
def test_shared_paths_of_any_depth_lead_into_shared(
    link: LocalLink, root: Path, path: str, target: str
) -> None:
    made = release(root, A)
    assert do(link, "link_shared", str(root), A, path).ok
    assert (made / path).readlink() == Path(target)
    (made / path / "upload.txt").write_text("kept")
    assert (root / "shared" / path / "upload.txt").read_text() == "kept"


def test_a_shared_path_that_would_hide_files_of_the_code_is_refused(
    link: LocalLink, root: Path
) -> None:
    release(root, A, "media/logo.png")
    done = do(link, "link_shared", str(root), A, "media")
    assert done.exit_code == 65
    assert "would hide the code's" in done.output


def test_what_is_known_of_migrations_outlives_the_release_for_which_it_was_asked(
    link: LocalLink, root: Path
) -> None:
    of, of_others = (json.dumps({"migrations": key}) for key in ("5a1b", "77ff"))
    older, newer = release(root, A, ".migrations"), release(root, B)
    (older / "release.json").write_text(of)
    assert do(link, "know_migrations", str(root), B, of_others).ok
    assert do(link, "know_migrations", str(root), B, '{"migrations": ""}').ok
    assert not (newer / ".migrations").exists()
    assert do(link, "know_migrations", str(root), B, of).ok
    assert do(link, "remove_releases", str(root), A).ok
    assert (newer / ".migrations").read_text() == ".migrations"


def test_a_line_is_added_to_the_journal_by_a_rename_so_that_nobody_sees_half_of_it(
    link: LocalLink, root: Path
) -> None:
    for number in range(3):
        assert do(link, "record", str(root), f"commit r{number}").ok
    assert (root / ".deploy/journal").read_text() == "commit r0\ncommit r1\ncommit r2\n"
    assert sorted(path.name for path in (root / ".deploy").iterdir()) == ["journal"]


def journalled(root: Path, runs: int) -> list[str]:
    """A long journal, and its lines: each run made another release live, or was taken back."""
    lines = []
    for number in range(runs):
        change = f"web={number:06}-aaaaaaa>{number + 1:06}-aaaaaaa"
        lines.append(f"begin r{number} deploy ann@desk web1 {'web1,' * 40}web2 {change}")
        lines.append(f"{'commit' if number % 2 else 'abort'} r{number}")
    (root / ".deploy/journal").write_text("\n".join(lines) + "\n")
    return lines


def test_a_long_journal_keeps_what_is_recent_open_or_still_here_so_that_it_never_grows_for_ever(
    link: LocalLink, root: Path
) -> None:
    lines = journalled(root, 1200)
    open_since_long = lines.pop(21)  # nobody knows how the eleventh ended
    (root / ".deploy/journal").write_text("\n".join(lines) + "\n")
    release(root, "000022-aaaaaaa")  # live since r21, as pages are that seldom change
    release(root, "000031-aaaaaaa")  # r30 was taken back
    assert do(link, "trim_journal", str(root)).ok
    kept = (root / ".deploy/journal").read_text().splitlines()
    assert open_since_long == "abort r10"
    assert [line.split()[:2] for line in kept[:3]] == [
        ["begin", "r10"],
        ["begin", "r21"],
        ["commit", "r21"],
    ]
    assert kept[3].startswith("begin r7"), "r30 is not among them"
    assert kept[3:] == lines[len(lines) - len(kept[3:]) :]
    assert len("\n".join(kept[3:])) < 131072 + 400
    assert do(link, "trim_journal", str(root)).ok
    assert (root / ".deploy/journal").read_text().splitlines() == kept


def test_a_short_journal_is_left_as_it_is(link: LocalLink, root: Path) -> None:
    lines = journalled(root, 100)
    assert do(link, "trim_journal", str(root)).ok
    assert (root / ".deploy/journal").read_text().splitlines() == lines


def test_what_is_set_aside_for_a_full_disk_holds_the_journal_twice_as_each_line_copies_it(
    link: LocalLink, root: Path
) -> None:
    reserve = root / ".deploy/reserve"
    assert link.execute_here(Command(("take_lock", str(root), "r1", "text"))).ok
    assert reserve.stat().st_size == 65536
    link.execute_here(Command(("give_lock", str(root))))
    journalled(root, 500)
    assert link.execute_here(Command(("take_lock", str(root), "r2", "text"))).ok
    assert reserve.stat().st_size >= 2 * (root / ".deploy/journal").stat().st_size


def test_what_is_set_aside_stays_where_there_is_no_room_for_more(
    root: Path, tmp_path: Path
) -> None:
    reserve = root / ".deploy/reserve"
    reserve.write_bytes(bytes(65536))
    journalled(root, 500)
    link = LocalLink(tmp_path, words() + "\nhead() { printf some; return 1; }\n")
    link.open()
    try:
        assert do(link, "keep_reserve", str(root / ".deploy")).ok
        assert reserve.stat().st_size == 65536
    finally:
        link.close()


def test_a_full_disk_does_not_keep_anybody_from_the_lock_with_which_room_is_made(
    root: Path, tmp_path: Path
) -> None:
    reserve = root / ".deploy/reserve"
    reserve.write_bytes(bytes(65536))
    case = f"case $2 in full*) [ ! -e {reserve} ] || return 1; esac"
    full = f'printf() {{ {case}; builtin printf "$@"; }}'
    link = LocalLink(tmp_path, words() + f"\n{full}\n")
    link.open()
    try:
        assert link.execute_here(Command(("take_lock", str(root), "r1", "full"))).ok
        assert (root / ".deploy/lock").read_text() == "full\n"
    finally:
        link.close()


def test_a_run_that_was_stopped_before_it_began_here_gets_no_end_that_nobody_could_read(
    link: LocalLink, root: Path
) -> None:
    journal = root / ".deploy/journal"
    assert do(link, "end_run", str(root), "r1", "abort").ok
    assert not journal.exists()
    assert do(link, "record", str(root), "begin r1 deploy ann@desk web1 web1").ok
    assert do(link, "end_run", str(root), "r2", "abort").ok
    assert do(link, "end_run", str(root), "r1", "abort").ok
    assert journal.read_text() == "begin r1 deploy ann@desk web1 web1\nabort r1\n"


def test_removing_releases_leaves_names_that_are_none_alone(link: LocalLink, root: Path) -> None:
    release(root, A)
    release(root, B)
    (root / "releases" / "notes").mkdir()
    (root / "releases" / ".trash-000000-eeeeeee").mkdir()
    assert do(link, "remove_releases", str(root), A).ok
    assert sorted(path.name for path in (root / "releases").iterdir()) == [B, "notes"]


def test_the_lock_is_somebody_elses_until_it_is_given_back(
    link: LocalLink, root: Path, tmp_path: Path
) -> None:
    other = LocalLink(tmp_path, words())
    other.open()
    take = Command(("take_lock", str(root), "t1", "r1 deploy by ann@desk"))
    assert link.execute_here(take).ok
    again = Command(("take_lock", str(root), "t2", "r2 deploy by bob@desk"))
    said = other.execute_here(again)
    assert said.exit_code == 73
    assert "lock alive r1 deploy by ann@desk" in said.output
    assert link.execute_here(Command(("give_lock", str(root)))).ok
    assert other.execute_here(again).ok
    other.close()


def test_a_lock_is_alive_as_long_as_anything_of_its_run_is(
    link: LocalLink, root: Path, tmp_path: Path
) -> None:
    owner = LocalLink(tmp_path, words())
    owner.open()
    assert owner.execute_here(Command(("take_lock", str(root), "t1", "r1"))).ok
    over = Command(("take_over", str(root), "t2", "r2 recover"))
    assert link.execute_here(over).exit_code == 73
    os.kill(owner.pid, 9)
    owner.close()
    until = time.monotonic() + 10
    while "lock gone r1" not in do(link, "look_lock", str(root)).output:
        assert time.monotonic() < until
    assert link.execute_here(over).ok
    assert (root / ".deploy/lock").read_text() == "r2 recover\n"


@pytest.mark.parametrize("word", ["take_lock", "take_over"])
def test_what_a_host_was_writing_as_a_lock_when_it_died_is_seen_and_taken_away(
    link: LocalLink, root: Path, word: str
) -> None:
    left, dying = root / ".deploy/lock.t1", root / ".deploy/lock.t2"
    left.write_text("r1 deploy by ann@desk\n")
    dying.write_text("r2 deploy by bob@desk\n")
    if word == "take_over":
        (root / ".deploy/lock").write_text("r0 deploy by cid@desk\n")
    with dying.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert "left-lock yes" in do(link, "look", str(root), "shop").output
        assert link.execute_here(Command((word, str(root), "t3", "r3"))).ok
        assert (left.exists(), dying.exists()) == (False, True), "that one is about to be refused"
        dying.unlink()
    assert "left-lock" not in do(link, "look", str(root), "shop").output
    assert (root / ".deploy/lock").read_text() == "r3\n"


def test_a_lock_is_never_without_its_flock_though_somebody_looks_at_the_very_instant(
    link: LocalLink, root: Path
) -> None:
    file = root / ".deploy/lock.t1"
    file.touch()
    with file.open() as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        threading.Timer(0.5, fcntl.flock, (looking, fcntl.LOCK_UN)).start()
        assert link.execute_here(Command(("take_lock", str(root), "t1", "r1"))).ok
        assert "lock alive r1" in do(link, "look_lock", str(root)).output


def test_a_lock_is_taken_over_though_another_recover_looks_at_it_at_the_very_instant(
    link: LocalLink, root: Path
) -> None:
    (root / ".deploy/lock").write_text("r1 deploy by ann@desk\n")
    with (root / ".deploy/lock").open() as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        threading.Timer(0.3, fcntl.flock, (looking, fcntl.LOCK_UN)).start()
        assert link.execute_here(Command(("take_over", str(root), "t2", "r2 recover"))).ok


SLOT = "restart_slot() { echo restarted; }; wait_slot() { echo waited; }; slot_process() { :; }"


def slot(link: LocalLink, root: Path, *calls: str) -> str:
    """What these words about slot blue say, where Apache is left out."""
    each = (call.replace(" ", f" {root} shop blue ", 1) + " 2 60" for call in calls)
    return do(link, "eval", "; ".join((SLOT, *each))).output.replace("\n", " ").strip()


def test_a_slot_that_is_loading_is_waited_for_and_not_begun_again(
    link: LocalLink, root: Path
) -> None:
    assert slot(link, root, f"load_slot {B}", f"start_slot {B}") == "restarted waited"
    assert slot(link, root, f"start_slot {B}") == "restarted waited", "what was begun is forgotten"


def test_a_slot_whose_processes_gave_up_waiting_for_the_release_is_begun_again(
    link: LocalLink, root: Path
) -> None:
    slot(link, root, f"load_slot {B}")
    (root / "run/blue-1").write_text("empty\n")
    assert slot(link, root, f"start_slot {B}") == "restarted waited"


def test_what_was_begun_for_a_release_says_nothing_once_the_slot_was_given_to_another(
    link: LocalLink, root: Path
) -> None:
    slot(link, root, f"load_slot {B}")
    for number in (1, 2):
        (root / f"run/blue-{number}").write_text(f"loaded {B}\n")
    assert slot(link, root, f"start_slot {B}") == "already warm"
    slot(link, root, f"load_slot {B}")
    slot(link, root, f"restart_in_slot {A}")
    (root / "slots/blue").unlink()
    (root / "slots/blue").symlink_to(f"../releases/{B}")
    assert slot(link, root, f"start_slot {B}") == "restarted waited"


def test_going_back_waits_for_the_processes_that_apache_was_told_of_and_not_for_those_of_settings(
    link: LocalLink, root: Path
) -> None:
    slot(link, root, f"load_slot {B}")
    (root / "run/blue-1").write_text(f"loaded {B}\n")
    (root / "vhost").write_text("WSGIDaemonProcess shop-blue \\\n    processes=1 threads=15 \\\n")
    assert slot(link, root, f"start_slot {B}") == "waited"
    told = f"server_file() {{ echo {root}/vhost; }}"
    line = f"start_slot {root} shop blue {B} 2 60"
    assert do(link, "eval", "; ".join((SLOT, told, line))).output == "already warm\n"


APACHE = """
show_server() { echo old; }
configure_server() { local new; new=$(cat); printf '%s\\n' "$new" >>"$root/installed"; }
slot_process() { :; }
"""


@pytest.mark.parametrize(
    ("before", "comes_up", "installed", "code"),
    [
        (f"loaded {A}", "return 65", "new old", 65),
        (f"loaded {A}", "return 0", "new", 0),
        ("empty", "return 65", "new", 0),
    ],
)
def test_a_configuration_with_which_what_was_up_does_not_come_up_is_put_back(
    link: LocalLink, root: Path, before: str, comes_up: str, installed: str, code: int
) -> None:
    (root / "run").mkdir(exist_ok=True)
    (root / "run/blue-1").write_text(f"{before}\n")
    words = f"wait_slot() {{ echo why; {comes_up}; }}"
    line = f"configure_site {root} shop blue {A} 2 60 <<<new"
    done = do(link, "eval", "\n".join((f"root={root}", APACHE, words, line)))
    assert done.exit_code == code, done.output
    assert (root / "installed").read_text().split() == installed.split()
    assert (code == 65) == ("the configuration before is back" in done.output)


def test_a_command_of_a_run_that_lost_its_lock_does_nothing(link: LocalLink, root: Path) -> None:
    link.execute_here(Command(("take_lock", str(root), "t1", "r1")))
    fenced = ("fenced", str(root), "eval", f"touch {root}/changed")
    assert do(link, *fenced).ok
    (root / "changed").unlink()
    (root / ".deploy/lock").unlink()
    assert do(link, *fenced).exit_code == 75
    assert not (root / "changed").exists()


def test_hashed_files_stay_reachable_until_no_kept_release_names_them(
    link: LocalLink, root: Path
) -> None:
    static = root / "static"
    for name, hashed in ((A, "site.111111111111.css"), (B, "a b/é.222222222222.css")):
        made = static / "releases" / name
        (made / hashed).parent.mkdir(parents=True)
        (made / hashed).write_text(hashed)
        (made / ".hashed").write_bytes(hashed.encode() + b"\0")
        assert do(link, "seal_static", str(static), name, "{}").ok
    assert (static / "pool/site.111111111111.css").exists()
    assert do(link, "remove_releases", str(static), A).ok
    assert do(link, "prune_pool", str(static)).ok
    assert not (static / "pool/site.111111111111.css").exists()
    assert (static / "pool/a b/é.222222222222.css").read_text() == "a b/é.222222222222.css"


def static_release(root: Path, name: str, **files: str) -> Path:
    """A static release as the toolkit makes it; names that hold digits count as hashed."""
    made = root / "static" / "releases" / name
    made.mkdir(parents=True)
    for path, text in files.items():
        (made / path).write_text(text)
    hashed = [path for path in files if any(letter.isdigit() for letter in path)]
    (made / ".hashed").write_bytes(b"".join(os.fsencode(path) + b"\0" for path in hashed))
    sums = ["sha256sum", "--", *files]
    (made / ".sums").write_bytes(subprocess.run(sums, cwd=made, capture_output=True).stdout)
    return made


def test_every_file_that_pages_name_is_looked_at(link: LocalLink, root: Path) -> None:
    static, odd = str(root / "static"), "it's 1\nné.css"
    made = static_release(root, A, **{"site.css": "b{}", "site.1.css": "b{}", odd: "i{}"})
    assert do(link, "seal_static", static, A, "{}").ok
    assert do(link, "switch", static, A).ok
    done = do(link, "check_files", static, A)
    assert (done.exit_code, done.output) == (
        0,
        f"3 files of {A} are there, and as they were made\n",
    )
    (root / "static" / "pool" / odd).unlink()
    assert do(link, "check_files", static, A).ok, "current serves it"
    (made / odd).unlink()
    (made / "site.1.css").write_text("b{color:red}")
    done = do(link, "check_files", static, A)
    assert done.exit_code == 65
    assert f"faults in static release {A}" in done.output
    assert "site.1.css: FAILED" in done.output
    assert "is not served" in done.output
    assert "fab -R static deploy-static --revision aaaaaaa" in done.output


def test_some_files_are_asked_for_as_visitors_do(link: LocalLink, root: Path) -> None:
    static = str(root / "static")
    many = {f"site.{number:03}.css": f"b{{top:{number}px}}" for number in range(1, 51)}
    made = static_release(root, A, **many, **{"it's 1.css": "i{}", "site.001.css.gz": "packed"})
    handler = partial(Counting, directory=str(root / "static" / "releases"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        visit = ("visit_static", static, A, str(server.server_port), "shop.example", f"/{A}/")
        done = do(link, *visit)
        assert done.output == "20 of these files were asked for over HTTP, and came as they are\n"
        assert done.ok
        assert len(set(Counting.asked)) == 20
        assert {Counting.asked[0], Counting.asked[-1]} == {
            f"shop.example /{A}/site.001.css",
            f"shop.example /{A}/site.048.css",
        }
        (made / "site.001.css").rename(made / "gone")
        done = do(link, *visit)
        server.shutdown()
    assert done.exit_code == 65
    assert f"visitors do not get /{A}/site.001.css of {A} as it was made" in done.output


class Counting(SimpleHTTPRequestHandler):
    """Gives out files, and remembers for which site it was asked for which of them."""

    asked: ClassVar[list[str]] = []

    def log_message(self, _format: str, *_words: object) -> None:
        self.asked.append(f"{self.headers['Host']} {self.path}")


def test_a_release_of_the_same_files_mends_what_was_damaged(link: LocalLink, root: Path) -> None:
    static = str(root / "static")
    static_release(root, A, **{"site.1.css": "b{}"})
    assert do(link, "seal_static", static, A, "{}").ok
    (root / "static/pool/site.1.css").write_text("damaged, and in the release too")
    static_release(root, B, **{"site.1.css": "b{}"})
    assert do(link, "seal_static", static, B, "{}").ok
    assert (root / "static/pool/site.1.css").read_text() == "b{}"
    assert do(link, "check_files", static, B).ok


def test_names_without_digests_make_no_set_of_files(link: LocalLink, root: Path) -> None:
    made = static_release(root, A, **{"site.css": "b{}"})
    assert do(link, "seal_static", str(root / "static"), A, "{}").ok
    assert not (made / ".files").exists()


def test_merged_lines_take_the_place_of_those_of_the_same_name_and_others_stay(
    link: LocalLink, root: Path
) -> None:
    group = subprocess.run(["id", "-gn"], capture_output=True, text=True, check=True).stdout.strip()
    env = root / "shared/env"
    assert do(link, "merge_env", str(root), group, stdin="A=1\n").ok
    assert env.read_text() == "A=1\n"
    env.write_text("# why\nexport A=1\nAB=2\n A=again\nC='x=y'")
    assert do(link, "merge_env", str(root), group, stdin="A=$(id)\nD=4\n").ok
    assert env.read_text() == "# why\nAB=2\nC='x=y'\nA=$(id)\nD=4\n"
    assert env.stat().st_mode & 0o777 == 0o640
    assert not list((root / "shared").glob("env.*"))


def test_a_secret_environment_that_is_there_is_never_replaced(link: LocalLink, root: Path) -> None:
    group = subprocess.run(["id", "-gn"], capture_output=True, text=True, check=True).stdout.strip()
    assert do(link, "make_env", str(root), group, stdin="SECRET_KEY=one\n").ok
    assert do(link, "make_env", str(root), group, stdin="SECRET_KEY=two\n").ok
    env = root / "shared/env"
    assert env.read_text() == "SECRET_KEY=one\n"
    assert env.stat().st_mode & 0o777 == 0o640


def test_a_service_that_is_not_required_costs_a_warning_that_says_what_it_said(
    link: LocalLink, root: Path
) -> None:
    fails = ("sh", "-c", "echo no broker; exit 3")
    name = "000001-aaaaaaa"
    release(root, name)
    (root / ".deploy").mkdir(exist_ok=True)
    strict = do(link, "restart_by", str(root), name, *fails)
    assert strict.exit_code == 65
    tolerant = do(link, "or_warn", str(root), "restart_by", str(root), name, *fails)
    assert tolerant.ok
    assert tolerant.output.startswith("warning: no broker the command that restarts services")
    assert do(link, "or_warn", str(root), "true").output == ""


def test_words_arrive_in_a_third_of_their_bytes_and_are_the_same(link: LocalLink) -> None:
    taught = words()
    small = packed(taught)
    assert len(small) < len(taught) / 2
    done = do(link, "bash", "-c", f'{small}; declare -F; eval "$1"; declare -F', "-", taught)
    once, twice = done.output[: len(done.output) // 2], done.output[len(done.output) // 2 :]
    assert once == twice
    assert "take_lock" in once


def test_a_host_without_gzip_says_what_it_lacks(link: LocalLink) -> None:
    done = do(link, "bash", "-c", f"PATH=/nowhere; {packed('echo taught')}")
    assert done.exit_code == 127
    assert "gzip" in done.output


def test_what_was_compiled_of_files_that_are_the_same_is_linked_and_the_rest_is_compiled(
    link: LocalLink, root: Path
) -> None:
    old = release(root, A, "same.py", "other.py", "gone/gone.py", "pages/views.py")
    assert do(link, "python3", "-m", "compileall", "-q", str(old)).ok
    (root / "current").symlink_to(f"releases/{A}")
    new = release(root, B, "venv/bin/nothing")
    (new / "release.json").unlink()
    (new / "venv/bin/python").symlink_to(sys.executable)
    (new / "pages").mkdir()
    for path in ("same.py", "pages/views.py"):
        os.link(old / path, new / path)
    (new / "other.py").write_text("other = 'code'\n")
    assert do(link, "seal", str(root), B, "static", "{}").ok
    tag = sys.implementation.cache_tag
    for path in ("__pycache__/same", "pages/__pycache__/views"):
        assert (new / f"{path}.{tag}.pyc").samefile(old / f"{path}.{tag}.pyc")
    assert not (new / f"__pycache__/other.{tag}.pyc").samefile(old / f"__pycache__/other.{tag}.pyc")
    assert not (new / "gone").exists(), "it would be a package that the code no longer has"
    told = "import sys; sys.path[:0] = [sys.argv[1]]; import other; print(other.other)"
    assert do(link, "python3", "-c", told, str(new)).output == "code\n"


def test_a_virtualenv_that_a_release_runs_on_is_not_removed_whatever_was_planned(
    link: LocalLink, root: Path
) -> None:
    for key in ("used", "unused"):
        (root / "venvs" / key).mkdir(parents=True)
        (root / "venvs" / key / ".complete").touch()
    (release(root, A) / "venv").symlink_to("../../venvs/used")
    assert do(link, "remove_venvs", str(root), "used", "unused").ok
    assert [path.name for path in (root / "venvs").iterdir()] == ["used"]


def test_what_failed_installs_have_left_is_taken_away_with_what_nothing_needs(
    link: LocalLink, root: Path
) -> None:
    for key in ("whole", "half", "half-but-used"):
        (root / "venvs" / key).mkdir(parents=True)
    (root / "venvs/whole/.complete").touch()
    (release(root, A) / "venv").symlink_to("../../venvs/half-but-used")
    (root / ".deploy/wheels-half").mkdir()
    (root / ".deploy/journal").touch()
    assert do(link, "remove_venvs", str(root)).ok
    assert sorted(path.name for path in (root / "venvs").iterdir()) == ["half-but-used", "whole"]
    assert [path.name for path in (root / ".deploy").iterdir()] == ["journal"]


def test_values_that_are_not_ascii_are_compared_as_well(link: LocalLink, root: Path) -> None:
    env = root / "shared" / "env"
    said = []
    for line in ("PASSWORD=größe", "export \tPASSWORD=grösse"):
        env.write_text(f"# größe\n  {line}\n")
        said.append(do(link, "digest_env", str(root)).output.split())
    assert [words[0] for words in said] == ["PASSWORD", "PASSWORD"]
    assert said[0][1] != said[1][1]


def test_whoever_stops_a_host_that_is_held_out_does_not_leave_it_out(
    link: LocalLink, root: Path
) -> None:
    ended: list[Result] = []
    words = ("drained", str(root), "60", "1", "localhost", "true")
    thread = threading.Thread(target=lambda: ended.append(do(link, *words)))
    thread.start()
    until = time.monotonic() + 10
    while not (root / "draining").exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert (root / "draining").exists()
    link.stop()
    thread.join(20)
    assert not ended[0].ok
    assert not (root / "draining").exists()
