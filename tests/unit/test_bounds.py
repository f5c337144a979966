"""The bound on a piece of work: it breaks into whatever hangs, and leaves nothing behind."""

import re
import signal
import threading
import time

import pytest
from broker.bounds import AGAIN_S, Overrun, within

SHORT_S = 0.02
LONG_S = 60.0


def hang_in_a_regular_expression() -> None:
    re.search("^(a+)+$", "a" * 60 + "!")


def hang_in_a_loop() -> None:
    while True:
        pass


def hang_in_a_lock() -> None:
    lock = threading.Lock()
    with lock:
        lock.acquire()


def hang_and_catch_all_that_is_an_exception() -> None:
    while True:
        try:
            time.sleep(LONG_S)
        except Exception:  # noqa: S112 - what must not keep the alarm
            continue


@pytest.mark.parametrize(
    "hang",
    [
        hang_in_a_regular_expression,
        hang_in_a_loop,
        hang_in_a_lock,
        hang_and_catch_all_that_is_an_exception,
        lambda: time.sleep(LONG_S),
    ],
    ids=["regular expression", "loop", "lock", "catches exceptions", "sleep"],
)
def test_what_hangs_is_broken_off(hang: object) -> None:
    assert callable(hang)
    with pytest.raises(Overrun), within(SHORT_S):
        hang()


def test_what_is_done_in_time_is_left_alone() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with within(LONG_S):
        done = 1 + 1
    assert done == 2
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0), "nothing rings later, into somebody else's work"
    assert signal.getsignal(signal.SIGALRM) is before


def test_an_error_of_the_work_goes_through() -> None:
    with pytest.raises(ValueError, match="mine"), within(LONG_S):
        raise ValueError("mine")
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_an_alarm_that_a_finalizer_swallowed_rings_again() -> None:
    with within(LONG_S):
        assert signal.getitimer(signal.ITIMER_REAL)[1] == AGAIN_S


def test_an_inner_bound_ends_only_what_is_in_it() -> None:
    went_on = False
    with within(LONG_S):
        with pytest.raises(Overrun), within(SHORT_S):
            hang_in_a_loop()
        went_on = True
        left = signal.getitimer(signal.ITIMER_REAL)[0]
    assert went_on
    assert 0 < left <= LONG_S, "the outer one holds again"


def test_an_inner_bound_is_no_longer_than_the_outer_one() -> None:
    with pytest.raises(Overrun), within(SHORT_S):
        with within(LONG_S):
            hang_in_a_loop()


def test_an_outer_bound_holds_though_an_inner_one_was_caught() -> None:
    with pytest.raises(Overrun), within(SHORT_S):
        try:
            with within(LONG_S):
                hang_in_a_loop()
        except Overrun:
            hang_in_a_loop()
