"""How a run ended, told to the person who has to act."""

from dataclasses import replace

from deploy.atwork import Failure
from deploy.findings import Findings, Tree
from deploy.host import Host
from deploy.plan import Part
from deploy.runner import StepsFailed
from deploy.steps import Phase, Step
from deploy.steps.db import migrate, migrate_back
from deploy.verdict import verdict

A = "000001-aaaaaaa"
HOSTS = (Host("web1", "web1", ("web",)), Host("static1", "static1", ("static",)))
FOUND = {"web1": Findings(web=Tree(current=A)), "static1": Findings()}


def failed(
    name: str, phase: Phase, *failures: Failure, stuck: tuple[Failure, ...] = ()
) -> StepsFailed:
    part = Part(Step(name, "does", ("web",), lambda _: (), phase), ())
    return StepsFailed(part, failures, stuck)


def test_a_failure_before_the_switch_says_that_nothing_was_switched_and_what_is_live() -> None:
    error = verdict(
        failed("code.push", Phase.PREPARE, Failure("web1", "code.push", "no")), HOSTS, FOUND
    )
    assert error.exit_code == 3
    assert "code.push failed on web1: no" in error.what
    assert (
        f"nothing was switched: live as before: web1 on {A}; static1 on nothing yet" in error.what
    )


def test_a_failure_without_any_host_says_so_of_all() -> None:
    failure = Failure("here", "static.sync", "the bucket b does not exist")
    error = verdict(failed("static.sync", Phase.PREPARE, failure), (), {})
    assert error.what.endswith("exist\nnothing was switched: every host is as before")


def test_a_cause_that_several_hosts_met_is_told_once() -> None:
    both = [Failure(host, "web.warm", "ImportError: x") for host in ("web1", "web2")]
    error = verdict(failed("web.warm", Phase.PREPARE, *both), HOSTS, FOUND)
    assert error.what.count("ImportError") == 1
    assert "web.warm failed on web1, web2" in error.what


def test_a_failing_migration_says_that_the_database_may_be_ahead() -> None:
    error = verdict(
        failed("db.migrate", Phase.COMMIT, Failure("db1", "db.migrate", "x")), HOSTS, FOUND
    )
    assert error.exit_code == 6
    assert "the database may be ahead" in error.what


def test_a_failure_after_the_switch_says_that_every_host_was_put_back() -> None:
    error = verdict(
        failed("web.activate", Phase.COMMIT, Failure("web1", "web.activate", "x")), HOSTS, FOUND
    )
    assert error.exit_code == 5
    assert "every host was put back and verified" in error.what


def test_a_host_that_could_not_be_put_back_is_named_and_recover_is_next() -> None:
    stuck = (Failure("web1", "web.activate", "the connection was lost", lost=True),)
    error = verdict(
        failed("web.activate", Phase.COMMIT, Failure("static1", "x", "y"), stuck=stuck),
        HOSTS,
        FOUND,
    )
    assert error.exit_code == 7
    assert "web1: the connection was lost" in error.what
    assert error.hint == "fab recover"


def interrupted(**facts: bool) -> StepsFailed:
    return replace(failed("web.activate", Phase.COMMIT), interrupted=True, **facts)  # type: ignore[arg-type]


def test_an_interruption_says_what_is_live_and_has_its_own_exit_code() -> None:
    error = verdict(interrupted(), HOSTS, FOUND)
    assert error.exit_code == 130
    assert f"web1 on {A}" in error.what


def test_an_interruption_after_the_decision_says_that_the_new_release_is_live() -> None:
    error = verdict(interrupted(decided=True), HOSTS, FOUND)
    assert error.exit_code == 130
    assert "the new release is live" in error.what


def test_an_interruption_that_left_a_host_without_the_decision_asks_for_recover() -> None:
    lost = Failure("web2", "journal.commit", "the connection was lost", lost=True)
    stopped = interrupted(decided=True)
    for untold in (replace(stopped, failures=(lost,)), replace(stopped, stuck=(lost,))):
        error = verdict(untold, HOSTS, FOUND)
        assert error.exit_code == 130
        assert "journal.commit failed on web2: the connection was lost" in error.what
        assert error.hint == "fab recover"


def test_an_interruption_before_what_follows_the_switch_says_how_to_run_it() -> None:
    for stopped in (
        replace(interrupted(decided=True), left=("db.contract", "prune")),
        replace(failed("db.contract", Phase.FINISH), interrupted=True, decided=True),
        replace(interrupted(decided=True), failures=(Failure("db1", "db.contract", "x"),)),
    ):
        error = verdict(stopped, HOSTS, FOUND)
        assert error.exit_code == 130
        assert "migrations that follow the switch were not all run" in error.what
        assert error.hint == "fab db.migrate"


def test_whoever_leaves_at_once_is_told_how_the_locks_are_given_back_also_when_it_was_decided() -> (
    None
):
    for decided in (False, True):
        error = verdict(interrupted(decided=decided, abandoned=True), HOSTS, FOUND)
        assert error.hint == "fab recover, which gives the locks back"


def test_a_second_interruption_says_that_hosts_may_differ() -> None:
    error = verdict(interrupted(undecided=True), HOSTS, FOUND)
    assert error.exit_code == 7
    assert error.hint == "fab recover"


def test_migrations_that_ran_are_said_to_stay_when_the_release_is_taken_back() -> None:
    broken = failed("web.ask", Phase.COMMIT, Failure("web1", "web.ask", "500"))
    error = verdict(replace(broken, stays=("migrations that ran stay",)), HOSTS, FOUND)
    assert error.exit_code == 5
    assert "migrations that ran stay" in error.what


def test_a_schema_that_could_not_be_applied_again_is_not_said_to_be() -> None:
    broken = failed("web.activate", Phase.COMMIT, Failure("web1", "web.activate", "x"))
    stuck = (Failure("db1", migrate_back.name, "could not connect"),)
    broken = replace(broken, stuck=stuck, stays=(migrate_back.leaves,))
    error = verdict(broken, HOSTS, FOUND)
    assert "no host was put back, as the schema could not be:\ndb1: could not" in error.what
    assert "applied again" not in error.what
    assert (error.exit_code, error.hint) == (7, "fab recover")


def test_what_stays_names_the_release_whose_commands_know_of_it() -> None:
    broken = failed("web.activate", Phase.COMMIT, Failure("web1", "web.activate", "x"))
    broken = replace(broken, stays=(migrate.leaves,))
    said = verdict(broken, HOSTS, FOUND, "", "000008-bbbbbbb").what
    assert "fab manage --release 000008-bbbbbbb -- showmigrations" in said


def test_a_failure_after_a_backup_names_it_and_one_before_anything_was_switched_does_not() -> None:
    name = "20261125-133002-000001-aaaaaaa"
    for step in ("db.migrate", "web.activate", "db.restore"):
        ended = failed(step, Phase.COMMIT, Failure("db1", step, "x"))
        assert f"fab db.restore {name}" in verdict(ended, HOSTS, FOUND, name).what
        assert "backup" not in verdict(ended, HOSTS, FOUND).what
    ended = failed("db.backup", Phase.PREPARE, Failure("db1", "db.backup", "no room"))
    assert "fab db.restore" not in verdict(ended, HOSTS, FOUND, name).what
