"""Splitting when a line fails or hangs, or the time is over: the other lines go on."""

import json
from typing import Any

import pytest
from broker.batches.tries import Pass
from broker.bounds import Overrun
from broker.inbox.files import MAX_LINES

from tests.fakes.inbox import Files, chat, jsonl
from tests.fakes.world import MINUTE, NOW
from tests.unit.splitting_case import KEY, lines_of_jobs


@pytest.fixture
def files() -> Files:
    return Files()


def poisoned(files: Files) -> dict[str, Any]:
    """A line that hangs while its webhook's address is looked at. Lines have less time now."""
    files.line_s = 0.3

    def hangs(url: str) -> None:
        while "never" in url:
            pass

    files.world.check_webhook = hangs
    return {**chat("Poison."), "webhook": {"url": "https://never.example/"}}


def ends(files: Files, batch_id: str) -> dict[int, str]:
    """How each line that has ended did, by number: a status, or the code of its error."""
    lines = files.world.database.query("jobs", f"BATCH#{batch_id}", "LINE#")
    return {item["line"]: item["error"]["code"] if "error" in item else item["status"] for item in lines}


def test_a_line_that_fails_as_nobody_foresaw_is_rejected_and_the_others_are_done(files: Files) -> None:
    poison = {**chat("Poison."), "webhook": {"url": "https://hooks.example/poison"}}

    def fails(url: str) -> None:
        raise ZeroDivisionError

    files.world.check_webhook = fails
    taken = files.taken(KEY, jsonl(chat("One."), poison, chat("Three.")))
    assert lines_of_jobs(files, taken.batch_id) == [1, 3], "nobody waits for it"
    assert (taken.accepted, taken.error, ends(files, taken.batch_id)) == (2, None, {})
    waited_s = files.go_on()
    assert 60 <= waited_s <= 900, "a pause for what passes by itself, and minutes in all"
    assert ends(files, taken.batch_id) == {2: "line_failed"}
    assert files.failed == [(2, "ZeroDivisionError")] * 4
    files.finish(taken.batch_id)
    files.collect(taken.batch_id)
    assert [row["line"] for row in files.rows(f"{KEY}.results.jsonl")] == [1, 2, 3]


def test_a_line_that_hangs_is_rejected_and_a_file_of_another_tenant_goes_on(files: Files) -> None:
    files.world.tenant("careful")
    careless = files.taken(KEY, jsonl(chat("One."), poisoned(files), chat("Three.")))
    careful = files.taken("careful/a.jsonl", jsonl(chat("One."), chat("Two.")))
    assert lines_of_jobs(files, careless.batch_id) == [1, 3]
    assert (careful.accepted, files.batch(careful.batch_id).split) == (2, True)
    files.go_on()
    assert ends(files, careless.batch_id) == {2: "line_failed"}
    assert {error for _, error in files.failed} == {"Overrun"}


def test_a_line_that_failed_and_works_again_is_a_job(files: Files) -> None:
    down = iter([True])

    def fails_once(url: str) -> None:
        if next(down, False):
            raise ZeroDivisionError

    files.world.check_webhook = fails_once
    hooked = {**chat("One."), "webhook": {"url": "https://hooks.example/"}}
    taken = files.taken(KEY, jsonl(hooked, chat("Two.")))
    files.go_on()
    assert (lines_of_jobs(files, taken.batch_id), ends(files, taken.batch_id)) == ([1, 2], {})
    assert files.batch(taken.batch_id).split


def test_a_file_that_is_one_request_which_fails_is_rejected_as_a_whole(files: Files) -> None:
    def fails(url: str) -> None:
        raise ZeroDivisionError

    files.world.check_webhook = fails
    hooked = {**chat("One."), "webhook": {"url": "https://hooks.example/"}}
    taken = files.taken("acme/a.json", json.dumps(hooked))
    files.go_on()
    error = json.loads(files.outbox.objects["acme/a.json.error.json"])
    assert (error["error"]["code"], files.batch(taken.batch_id).state) == ("line_failed", "rejected")
    assert files.bus.kinds == ["RequestRejected"]


def test_a_file_goes_on_in_another_message_when_the_time_is_over(files: Files) -> None:
    left = iter([True] * 4)
    event = files.inbox.put(KEY, jsonl(*(chat(f"Number {number}.") for number in range(10))))
    taken = files.split(event, time_left=lambda: next(left, False))
    assert taken is not None
    assert (taken.accepted, files.batch(taken.batch_id).split) == (4, False)
    assert files.go_on() == 0, "at once"
    assert lines_of_jobs(files, taken.batch_id) == list(range(1, 11))
    assert files.batch(taken.batch_id).split


def test_what_failed_before_the_time_was_over_is_tried_again(files: Files) -> None:
    left = iter([True] * 2)
    event = files.inbox.put(KEY, jsonl(poisoned(files), *(chat(f"Number {number}.") for number in range(3))))
    taken = files.split(event, time_left=lambda: next(left, False))
    assert taken is not None
    files.go_on()
    assert lines_of_jobs(files, taken.batch_id) == [2, 3, 4]
    assert ends(files, taken.batch_id) == {1: "line_failed"}


def test_lines_that_hang_are_given_ever_less_time(files: Files) -> None:
    event = {"detail": {}}
    way, spent = Pass.of(event), 0.0
    for line in range(MAX_LINES):
        spent += way.patience_s
        way.fail(line, Overrun())
        if line % 100 == 0:
            way = Pass.of(json.loads(json.dumps(way.cut([]))))
    assert spent < 1_200, "a file of nothing but lines that hang ends all the same, in minutes"
    assert len(way.failed) == MAX_LINES


def test_a_line_that_goes_well_restores_the_time_of_the_next() -> None:
    way = Pass.of({"detail": {}})
    first = way.patience_s
    way.fail(1, Overrun())
    way.fail(2, ValueError())
    assert way.patience_s == first / 2
    way.succeed()
    assert way.patience_s == first


def test_who_stands_behind_lines_that_hang_comes_first_in_the_next_pass(files: Files) -> None:
    taken = files.taken(KEY, jsonl(poisoned(files), poisoned(files)))
    ((event, _),) = files.collects.later
    files.split(event, NOW + MINUTE)
    assert [line for line, _ in files.failed] == [1, 2, 2, 1]
    assert not files.batch(taken.batch_id).split
