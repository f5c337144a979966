"""Records of a batch: one that fails or hangs costs its neighbours nothing."""

import signal
from dataclasses import dataclass, field
from typing import Any

import pytest
from broker.bounds import Overrun
from handlers.batch import LEAST_S, MARGIN_S, MOST_S, each_record, in_turn


@dataclass
class Clock:
    """A context of Lambda's, whose time is spent by the work."""

    left_s: float = 60.0
    asked: list[float] = field(default_factory=list)

    def get_remaining_time_in_millis(self) -> int:
        self.asked.append(self.left_s)
        return int(self.left_s * 1000)


def record(number: int, body: str = "", times: int = 1) -> dict[str, Any]:
    return {"messageId": str(number), "body": body, "attributes": {"ApproximateReceiveCount": str(times)}}


def failed(reply: dict[str, Any]) -> list[str]:
    return [each["itemIdentifier"] for each in reply["batchItemFailures"]]


def test_only_what_failed_of_a_batch_comes_again(caplog: pytest.LogCaptureFixture) -> None:
    done: list[str] = []

    def work(each: dict[str, Any]) -> None:
        if each["body"] == "bad":
            raise ValueError("the prompt")
        done.append(each["body"])

    records = [record(number, body) for number, body in enumerate(["a", "bad", "b", "bad"])]
    reply = each_record({"Records": records}, Clock(), work)
    assert reply == {"batchItemFailures": [{"itemIdentifier": "1"}, {"itemIdentifier": "3"}]}
    assert done == ["a", "b"]
    assert [vars(line)["error"] for line in caplog.records] == ["ValueError"] * 2
    assert "the prompt" not in str([vars(line) for line in caplog.records])
    assert each_record({"Records": []}, Clock(), work) == {"batchItemFailures": []}


def test_one_that_hangs_is_broken_off_and_the_nine_others_are_done(caplog: pytest.LogCaptureFixture) -> None:
    done: list[str] = []

    def work(each: dict[str, Any]) -> None:
        while each["body"] == "hangs":
            pass
        done.append(each["messageId"])

    records = [record(number, "hangs" if number == 3 else "") for number in range(10)]
    reply = each_record({"Records": records}, Clock(MARGIN_S + 10 * LEAST_S), work)
    assert (failed(reply), done) == (["3"], [str(number) for number in range(10) if number != 3])
    assert [vars(line)["error"] for line in caplog.records] == ["Overrun"]


def test_time_is_shared_out_and_what_one_spares_is_for_those_after_it() -> None:
    clock, shares = Clock(MARGIN_S + 40), []

    def work(each: dict[str, Any]) -> None:
        shares.append((clock.left_s - MARGIN_S) / (4 - len(shares)))
        clock.left_s -= float(each["body"])

    # The second is broken off when its share is over; the two after it have no less than the first had.
    assert failed(each_record({"Records": [record(n, s) for n, s in enumerate("1911")]}, clock, work)) == []
    assert shares == [10.0, 13.0, 15.0, 29.0]


def test_all_of_a_batch_that_hangs_get_their_turn() -> None:
    begun: list[str] = []
    clock = Clock(MARGIN_S + 10)

    def work(each: dict[str, Any]) -> None:
        begun.append(each["messageId"])
        clock.left_s -= (clock.left_s - MARGIN_S) / (6 - len(begun))
        raise Overrun

    reply = each_record({"Records": [record(number) for number in range(5)]}, clock, work)
    assert begun == failed(reply) == ["0", "1", "2", "3", "4"]


def test_what_there_is_no_time_for_comes_again_untouched() -> None:
    done: list[str] = []
    clock = Clock(MARGIN_S + 3 * LEAST_S)

    def work(each: dict[str, Any]) -> None:
        done.append(each["messageId"])
        clock.left_s -= 2 * LEAST_S  # such as a call into the C library that could not be broken off

    reply = each_record({"Records": [record(number) for number in range(3)]}, clock, work)
    assert (done, failed(reply)) == (["0"], ["1", "2"])


@pytest.mark.parametrize(("most", "bound"), [({}, MOST_S), ({"most_s": 99.0}, 60 - MARGIN_S)], ids=["usual", "a file"])
def test_one_alone_has_no_more_time_than_makes_sense(most: dict[str, float], bound: float) -> None:
    left: list[float] = []
    work = lambda each: left.append(signal.getitimer(signal.ITIMER_REAL)[0])  # noqa: E731
    each_record({"Records": [record(1)]}, Clock(60), work, **most)
    assert left == [pytest.approx(bound, abs=1)]


def turns(times: dict[int, int]) -> list[int]:
    return [int(each["messageId"]) for each in in_turn([record(n, times=count) for n, count in times.items()])]


def test_what_came_before_is_taken_last() -> None:
    assert turns({3: 1, 2: 2, 1: 1, 0: 3}) == [3, 1, 2, 0], "new ones as they came"
    assert turns({}) == []


@pytest.mark.parametrize(("killers", "others"), [(1, 1), (2, 1), (3, 1), (1, 2), (1, 3)])
def test_one_that_ends_the_process_does_not_have_the_same_ones_behind_it_each_time(killers: int, others: int) -> None:
    killer, done = 4, set()
    for time in range(6 - max(killers, others)):  # after five times they are dead letters
        order = turns({number: time + (killers if number == killer else others) for number in range(10)})
        done |= set(order[: order.index(killer)])
    assert done == set(range(10)) - {killer}
