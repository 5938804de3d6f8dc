"""The order of a run, and how it is taken back."""

import os
import signal
import threading
from collections.abc import Iterable
from dataclasses import replace

import pytest

from deploy.command import Action, Command, OnLine, Result
from deploy.errors import DeployError
from deploy.host import Host
from deploy.journal import Run
from deploy.parallel import in_parallel
from deploy.plan import Part, Plan, Work
from deploy.report import Event
from deploy.runner import StepsFailed, run_plan
from deploy.steps import Phase, Step

RUN = Run("r1", "deploy", "ann@desk")


def part(name: str, phase: Phase, hosts: Iterable[str], *, rolling: bool = False) -> Part:
    step = Step(name, f"does {name}", ("web",), lambda _: (), phase, rolling=rolling)
    undo = phase is Phase.COMMIT
    return Part(
        step,
        tuple(
            Work(
                Host(host, host, ("web",)),
                (Command((name,)),),
                (Command((f"un{name}",)),) if undo else (),
            )
            for host in hosts
        ),
    )


class Hosts:
    """Doubles of hosts: remembers what ran in order, and fails where it was told to."""

    def __init__(self, fails: set[tuple[str, str]] = frozenset()) -> None:  # type: ignore[assignment]
        self.ran: list[tuple[str, str]] = []
        self._fails = fails
        self._lock = threading.Lock()

    def __call__(self, host: str, action: Action, on_line: OnLine) -> Result:
        name = action.shell()
        with self._lock:
            self.ran.append((host, name))
        on_line(f"{name} speaks")
        if (host, f"{name}!") in self._fails:
            raise DeployError(f"{host} is gone")
        return Result(1, "it\nbroke\n") if (host, name) in self._fails else Result(0)

    def names(self) -> list[str]:
        return [name for _, name in self.ran]


def run(hosts: Hosts, *parts: Part, events: list[Event] | None = None) -> tuple[object, ...]:
    emit = (events if events is not None else []).append
    return run_plan(Plan(RUN, parts), hosts, lambda: None, emit, limit=8)


def test_what_the_others_need_to_be_put_back_is_taken_back_before_them() -> None:
    schema = part("schema", Phase.COMMIT, ["db1"])
    schema = replace(schema, step=replace(schema.step, undo_first=True))
    hosts = Hosts({("w1", "b")})
    with pytest.raises(StepsFailed):
        run(hosts, part("a", Phase.COMMIT, ["w1"]), schema, part("b", Phase.COMMIT, ["w1"]))
    assert hosts.names() == ["a", "schema", "b", "unschema", "unb", "una"]


def test_hosts_are_left_where_they_are_if_what_they_need_could_not_be_taken_back() -> None:
    schema = part("schema", Phase.COMMIT, ["db1"])
    schema = replace(schema, step=replace(schema.step, undo_first=True))
    hosts = Hosts({("w1", "b"), ("db1", "unschema")})
    with pytest.raises(StepsFailed) as failed:
        run(hosts, part("a", Phase.COMMIT, ["w1"]), schema, part("b", Phase.COMMIT, ["w1"]))
    assert hosts.names() == ["a", "schema", "b", "unschema"]
    assert [stuck.host for stuck in failed.value.stuck] == ["db1"]


def test_every_host_ends_a_step_before_any_begins_the_next() -> None:
    hosts = Hosts()
    run(hosts, part("a", Phase.PREPARE, ["w1", "w2"]), part("b", Phase.COMMIT, ["w1", "w2"]))
    assert hosts.names() == ["a", "a", "b", "b"]


def test_a_failure_while_preparing_stops_before_anything_is_switched() -> None:
    hosts = Hosts({("w2", "a")})
    with pytest.raises(StepsFailed) as failed:
        run(hosts, part("a", Phase.PREPARE, ["w1", "w2"]), part("b", Phase.COMMIT, ["w1"]))
    assert hosts.names() == ["a", "a"]
    assert not failed.value.stuck
    assert [(f.host, f.step, f.error) for f in failed.value.failures] == [("w2", "a", "it\nbroke")]


def test_a_failure_after_the_switch_takes_every_host_back_in_reverse() -> None:
    hosts = Hosts({("w2", "b")})
    with pytest.raises(StepsFailed) as failed:
        run(hosts, part("a", Phase.COMMIT, ["w1", "w2"]), part("b", Phase.COMMIT, ["w1", "w2"]))
    assert hosts.names() == ["a", "a", "b", "b", "unb", "unb", "una", "una"]
    assert not failed.value.stuck


def test_a_rolling_step_tries_one_host_first_and_spares_the_others_if_it_fails() -> None:
    hosts = Hosts({("w1", "b")})
    with pytest.raises(StepsFailed):
        run(hosts, part("b", Phase.COMMIT, ["w1", "w2", "w3"], rolling=True))
    assert hosts.ran == [("w1", "b"), ("w1", "unb")]


def test_a_host_that_cannot_be_put_back_is_named_and_the_others_are_still_tried() -> None:
    hosts = Hosts({("w1", "b"), ("w2", "unb!")})
    with pytest.raises(StepsFailed) as failed:
        run(hosts, part("b", Phase.COMMIT, ["w1", "w2"]))
    assert [stuck.host for stuck in failed.value.stuck] == ["w2"]
    assert ("w1", "unb") in hosts.ran


def test_a_failure_after_the_release_is_live_is_only_a_warning() -> None:
    hosts = Hosts({("w1", "tidy")})
    warnings = run(hosts, part("b", Phase.COMMIT, ["w1"]), part("tidy", Phase.FINISH, ["w1"]))
    assert [str(warning) for warning in warnings] == ["tidy failed on w1: it\nbroke"]
    assert "unb" not in hosts.names()


def test_ctrl_c_stops_the_hosts_first_and_then_puts_them_back() -> None:
    order: list[str] = []

    def execute(_host: str, action: Action, _on_line: OnLine) -> Result:
        order.append(action.shell())
        if action.shell() == "b":
            raise KeyboardInterrupt
        return Result(0)

    parts = (part("a", Phase.COMMIT, ["w1"]), part("b", Phase.COMMIT, ["w1"]))
    with pytest.raises(StepsFailed) as failed:
        run_plan(Plan(RUN, parts), execute, lambda: order.append("stop"), lambda _: None, 8)
    assert order == ["a", "b", "stop", "unb", "una"]
    assert failed.value.interrupted
    assert not failed.value.undecided


def test_ctrl_c_while_tidying_up_leaves_the_new_release_live() -> None:
    order: list[str] = []

    def execute(_host: str, action: Action, _on_line: OnLine) -> Result:
        order.append(action.shell())
        if action.shell() == "tidy":
            raise KeyboardInterrupt
        return Result(0)

    parts = (part("b", Phase.COMMIT, ["w1"]), deciding("w1"), part("tidy", Phase.FINISH, ["w1"]))
    with pytest.raises(StepsFailed) as failed:
        run_plan(Plan(RUN, parts), execute, lambda: None, lambda _: None, 8)
    assert order == ["b", "decide", "tidy"]
    assert failed.value.decided


def test_what_cannot_be_taken_back_is_told_with_the_failure() -> None:
    migrating = replace(part("m", Phase.COMMIT, ["w1"]).step, leaves="the schema stays")
    parts = (
        replace(part("m", Phase.COMMIT, ["w1"]), step=migrating),
        part("b", Phase.COMMIT, ["w1"]),
    )
    with pytest.raises(StepsFailed) as failed:
        run(Hosts({("w1", "b")}), *parts)
    assert failed.value.stays == ("the schema stays",)


def test_no_more_hosts_than_allowed_are_worked_on_at_once() -> None:
    now, most, lock = 0, 0, threading.Lock()
    gate = threading.Event()

    def work(item: int) -> int:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        gate.wait(0.01)
        with lock:
            now -= 1
        return item

    assert in_parallel(range(20), work, 3) == list(range(20))
    assert most <= 3


def test_a_second_ctrl_c_leaves_at_once_and_says_that_hosts_may_differ() -> None:
    order: list[str] = []

    def execute(_host: str, action: Action, _on_line: OnLine) -> Result:
        order.append(action.shell())
        if action.shell() in ("b", "unb"):
            raise KeyboardInterrupt
        return Result(0)

    parts = (part("a", Phase.COMMIT, ["w1"]), part("b", Phase.COMMIT, ["w1"]))
    with pytest.raises(StepsFailed) as failed:
        run_plan(Plan(RUN, parts), execute, lambda: None, lambda _: None, 8)
    assert order == ["a", "b", "unb"]
    assert failed.value.undecided


def deciding(*hosts: str) -> Part:
    step = Step("decide", "decides", ("web",), lambda _: (), Phase.COMMIT, decides=True, brief=True)
    return Part(step, tuple(Work(Host(h, h, ("web",)), (Command(("decide",)),)) for h in hosts))


def test_when_the_answer_of_the_deciding_host_is_lost_nothing_is_put_back() -> None:
    hosts = Hosts({("w1", "decide!")})
    with pytest.raises(StepsFailed) as failed:
        run(hosts, part("a", Phase.COMMIT, ["w1", "w2"]), deciding("w1"))
    assert hosts.names() == ["a", "a", "decide"]
    assert failed.value.undecided


def test_a_decision_that_was_refused_was_not_made_and_everything_is_put_back() -> None:
    hosts = Hosts({("w1", "decide")})
    with pytest.raises(StepsFailed) as failed:
        run(hosts, part("a", Phase.COMMIT, ["w1", "w2"]), deciding("w1"))
    assert hosts.names() == ["a", "a", "decide", "una", "una"]
    assert not failed.value.undecided


def test_ctrl_c_during_the_decision_waits_for_its_answer_and_the_release_stays() -> None:
    order: list[str] = []

    def execute(_host: str, action: Action, _on_line: OnLine) -> Result:
        order.append(action.shell())
        if action.shell() == "decide":
            os.kill(os.getpid(), signal.SIGINT)
        return Result(0)

    parts = (part("a", Phase.COMMIT, ["w1"]), deciding("w1"), part("t", Phase.FINISH, ["w1"]))
    with pytest.raises(StepsFailed) as failed:
        run_plan(Plan(RUN, parts), execute, lambda: None, lambda _: None, 8)
    assert order == ["a", "decide"]
    assert failed.value.decided


def test_after_ctrl_c_no_host_begins_its_next_action_since_it_would_come_after_the_undo() -> None:
    order: list[str] = []
    in_first, interrupted = threading.Event(), threading.Event()

    def execute(host: str, action: Action, _on_line: OnLine) -> Result:
        order.append(f"{host} {action.shell()}")
        if (host, action.shell()) == ("w1", "first"):
            in_first.set()
            interrupted.wait(5)
        elif (host, action.shell()) == ("w2", "first"):
            in_first.wait(5)
            os.kill(os.getpid(), signal.SIGINT)
        return Result(0)

    plain = part("first", Phase.COMMIT, ["w1", "w2"])
    two = replace(plain.work[0], actions=(Command(("first",)), Command(("second",))))
    parts = (replace(plain, work=(two, plain.work[1])),)
    with pytest.raises(StepsFailed):
        run_plan(Plan(RUN, parts), execute, interrupted.set, lambda _: None, 8)
    assert "w1 second" not in order
    assert sorted(order[2:]) == ["w1 unfirst", "w2 unfirst"]


def test_ctrl_c_while_a_failure_is_taken_back_takes_it_back_once_more_from_the_start() -> None:
    order: list[str] = []

    def execute(_host: str, action: Action, _on_line: OnLine) -> Result:
        order.append(action.shell())
        if action.shell() == "una" and order.count("una") == 1:
            raise KeyboardInterrupt
        return Result(1, "it broke") if action.shell() == "b" else Result(0)

    parts = (part("a", Phase.COMMIT, ["w1"]), part("b", Phase.COMMIT, ["w1"]))
    with pytest.raises(StepsFailed) as failed:
        run_plan(Plan(RUN, parts), execute, lambda: None, lambda _: None, 8)
    assert order == ["a", "b", "unb", "una", "unb", "una"]
    assert failed.value.interrupted
    assert not failed.value.undecided
    assert [failure.error for failure in failed.value.failures] == ["it broke"]


def test_ctrl_c_beside_a_decision_whose_answer_is_lost_puts_nothing_back() -> None:
    order: list[str] = []

    def execute(host: str, action: Action, _on_line: OnLine) -> Result:
        order.append(action.shell())
        if action.shell() == "decide":
            os.kill(os.getpid(), signal.SIGINT)
            raise DeployError(f"{host} is gone")
        return Result(0)

    parts = (part("a", Phase.COMMIT, ["w1"]), deciding("w1"))
    with pytest.raises(StepsFailed) as failed:
        run_plan(Plan(RUN, parts), execute, lambda: None, lambda _: None, 8)
    assert order == ["a", "decide"]
    assert failed.value.undecided


@pytest.mark.parametrize("where", ["decide", "commit"])
def test_ctrl_c_once_the_run_is_decided_leaves_no_journal_open(where: str) -> None:
    order: list[str] = []

    def execute(host: str, action: Action, _on_line: OnLine) -> Result:
        if action.shell() == where and host == "w1":
            os.kill(os.getpid(), signal.SIGINT)
        order.append(action.shell())
        return Result(0)

    commit = part("commit", Phase.FINISH, ["w1", "w2"])
    parts = (
        part("a", Phase.COMMIT, ["w1"]),
        deciding("w1"),
        replace(commit, step=replace(commit.step, brief=True)),
        part("tidy", Phase.FINISH, ["w1"]),
    )
    with pytest.raises(StepsFailed) as failed:
        run_plan(Plan(RUN, parts), execute, lambda: None, lambda _: None, 8)
    assert order == ["a", "decide", "commit", "commit"], "and it does not tidy up"
    assert failed.value.decided


def test_who_could_not_be_told_of_the_decision_is_named_though_the_run_was_stopped() -> None:
    def execute(host: str, action: Action, _on_line: OnLine) -> Result:
        if action.shell() == "decide":
            os.kill(os.getpid(), signal.SIGINT)
        return Result(1 if (host, action.shell()) == ("w2", "commit") else 0)

    commit = part("commit", Phase.FINISH, ["w1", "w2"])
    commit = replace(commit, step=replace(commit.step, brief=True))
    parts = (part("a", Phase.COMMIT, ["w1"]), deciding("w1"), commit)
    with pytest.raises(StepsFailed) as failed:
        run_plan(Plan(RUN, parts), execute, lambda: None, lambda _: None, 8)
    assert [one.host for one in failed.value.stuck] == ["w2"]


def test_who_does_not_know_of_the_decision_is_not_forgotten_when_a_later_step_is_stopped() -> None:
    def execute(host: str, action: Action, _on_line: OnLine) -> Result:
        if action.shell() == "tidy":
            os.kill(os.getpid(), signal.SIGINT)
        return Result(1 if (host, action.shell()) == ("w2", "commit") else 0)

    finish = [part(name, Phase.FINISH, ["w1", "w2"]) for name in ("commit", "contract", "tidy")]
    with pytest.raises(StepsFailed) as failed:
        run_plan(Plan(RUN, (deciding("w1"), *finish)), execute, lambda: None, lambda _: None, 8)
    assert [(one.host, one.step) for one in failed.value.failures] == [("w2", "commit")]


@pytest.mark.parametrize(("words", "at_once"), [(("drained", "reload"), 1), (("reload",), 3)])
def test_hosts_that_a_balancer_holds_out_are_put_back_one_by_one_as_visitors_need_the_others(
    words: tuple[str, ...], at_once: int
) -> None:
    hosts = tuple(Host(f"w{number}", "", ("web",)) for number in range(3))
    step = Step("switch", "switches", ("web",), lambda _: (), Phase.COMMIT)
    works = tuple(Work(host, (Command(("a",)),), (Command(words),)) for host in hosts)
    met = threading.Barrier(at_once, timeout=10.0)
    out, most = set(), 0

    def execute(host: str, action: Action, _on_line: OnLine) -> Result:
        nonlocal most
        if action.shell() == "b":
            return Result(1, "broke")
        if action == Command(words):
            out.add(host)
            met.wait()
            most = max(most, len(out))
            met.wait()
            out.discard(host)
        return Result(0)

    failing = part("b", Phase.COMMIT, ["w1"])
    with pytest.raises(StepsFailed):
        run_plan(
            Plan(RUN, (Part(step, works), failing)), execute, lambda: None, lambda _: None, limit=8
        )
    assert most == at_once


def test_a_recovery_goes_on_with_the_hosts_that_are_left_where_one_cannot_be_brought_back() -> None:
    step = Step("recover.restore", "restores", ("web",), lambda _: (), Phase.COMMIT, thorough=True)
    hosts = Hosts({("w1", "drained a")})
    works = tuple(
        Work(Host(name, "", ("web",)), (Command(("drained", "a")),)) for name in ("w1", "w2")
    )
    with pytest.raises(StepsFailed) as failed:
        run(hosts, Part(step, works))
    assert [failure.host for failure in failed.value.failures] == ["w1"]
    assert [host for host, _ in hosts.ran] == ["w1", "w2"]
