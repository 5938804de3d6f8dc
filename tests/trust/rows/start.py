"""Rows A: hosts that are not fit when a run begins. Most are proved by the stories."""

from tests.trust.hosts import ROOT
from tests.trust.row import Row, ended_as, live, unharmed
from tests.trust.world import World


def wrong_clocks(world: World) -> list[str]:
    """Every release looks as old as the next, then the oldest looks newest: nothing may care."""
    faults = []
    for verb, dates in (("deploy", "2001-01-01"), ("rollback", "2035-01-01"), ("deploy", "")):
        old = live(world)
        if dates:
            touch = f"cd {ROOT}; touch -h -d {dates} releases/* static/releases/* .deploy/* current"
            world.hosts.each(f"{touch} 2>/dev/null || true")
        faults += ended_as(world.run(verb), 0)
        faults += [f"{verb} changed nothing"] if live(world) == old else []
    return faults + unharmed(world, live(world))


def few_logins(world: World) -> list[str]:
    """web2 drops logins as soon as one is waiting; three operators come at once."""
    config = "/etc/ssh/sshd_config.d/few.conf"
    world.hosts.on("web2", f"echo 'MaxStartups 1:100:1' >{config}; pkill -HUP -o sshd; sleep 0.5")
    try:
        old = live(world)
        crowd = [world.start("recover") for _ in range(3)]
        codes = [one.ended().code for one in crowd]
    finally:
        world.hosts.on("web2", f"rm {config}; pkill -HUP -o sshd; sleep 0.5")
    wrong = [code for code in codes if code not in (0, 7)]
    return [f"ended with {codes}"] * bool(wrong) + unharmed(world, old)


STORY = "test_a_host_that_does_not_answer_stops_the_run_before_any_change"
ROWS = (
    Row("A1", "web2 down at the start", elsewhere=f"{STORY}[kill]"),
    Row("A2", "web2 hangs at the start", elsewhere=f"{STORY}[pause]"),
    Row(
        "A3",
        "a name that does not resolve",
        elsewhere="test_a_name_that_does_not_resolve_is_refused",
    ),
    Row(
        "A4",
        "host key changed",
        elsewhere="test_a_changed_host_key_is_refused_with_both_fingerprints_and_the_next_command",
    ),
    Row("A5", "host key unknown", elsewhere="test_an_unknown_host_key_is_refused_and_never_added"),
    Row(
        "A6",
        "mod_wsgi made for another Python",
        why="the image has one Python; what does not load is found while it is warmed (exit 3)",
    ),
    Row(
        "A7",
        "sudo refuses",
        elsewhere="test_a_host_on_which_sudo_refuses_is_found_before_anything_is_changed",
    ),
    Row(
        "A8",
        "root that cannot be written",
        elsewhere="test_a_root_that_the_deploy_user_cannot_write_is_named",
    ),
    Row("A8n", "root on NFS", why="the kernel here has no NFS"),
    Row(
        "A9",
        "current is a directory",
        elsewhere="test_a_current_that_is_a_directory_is_left_alone_and_the_way_out_is_told",
    ),
    Row("A10", "dates of all releases wrong", wrong_clocks),
    Row("A11", "two to four operators at once", elsewhere="suite contention"),
    Row("A12", "overlapping hosts", elsewhere="suite contention"),
    Row("A13", "MaxStartups 1 on web2, three operators", few_logins),
)
