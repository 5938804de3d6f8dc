"""When Ctrl-C ends a run, and when it comes too late to."""

import os
import signal

import pytest

from deploy.signals import as_interrupts, deferred, too_late


def test_sigterm_is_ctrl_c_while_a_run_lasts() -> None:
    with pytest.raises(KeyboardInterrupt), as_interrupts():
        os.kill(os.getpid(), signal.SIGTERM)


def test_a_deferred_ctrl_c_waits_for_the_end_of_its_block() -> None:
    reached = []

    def interrupted() -> None:
        with as_interrupts(), deferred():
            os.kill(os.getpid(), signal.SIGINT)
            reached.append("the end")

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert reached


def test_once_the_end_of_a_run_is_known_ctrl_c_does_not_turn_it_into_an_interruption() -> None:
    before = signal.getsignal(signal.SIGINT)
    with as_interrupts():
        too_late()
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGINT) is before


def test_what_comes_after_that_run_can_be_interrupted_again() -> None:
    with as_interrupts():
        with as_interrupts():
            too_late()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
