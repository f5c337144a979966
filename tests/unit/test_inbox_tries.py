"""A request of a file that fails or hangs is tried again after pauses, and keeps no other file waiting."""

import json
from typing import Any

import pytest

from tests.fakes.inbox import Files, chat

HOOKED = {**chat("One."), "webhook": {"url": "https://hooks.example/"}}


@pytest.fixture
def files() -> Files:
    return Files()


def test_a_file_that_is_one_request_which_fails_is_rejected_as_a_whole(files: Files) -> None:
    def fails(url: str) -> None:
        raise ZeroDivisionError

    files.world.check_webhook = fails
    taken = files.taken("acme/a.json", json.dumps(HOOKED))
    waited_s = files.go_on()
    assert 60 <= waited_s <= 900, "a pause for what passes by itself, and minutes in all"
    assert files.failed == [(1, "ZeroDivisionError")] * 4
    error = json.loads(files.outbox.objects["acme/a.json.error.json"])
    assert (error["error"]["code"], files.batch(taken.batch_id).state) == ("line_failed", "rejected")
    assert files.bus.kinds == ["RequestRejected"]


def test_one_that_failed_and_works_again_is_a_job(files: Files) -> None:
    down = iter([True])

    def fails_once(url: str) -> None:
        if next(down, False):
            raise ZeroDivisionError

    files.world.check_webhook = fails_once
    taken = files.taken("acme/a.json", json.dumps(HOOKED))
    assert files.jobs(taken.batch_id) == []
    files.go_on()
    assert len(files.jobs(taken.batch_id)) == 1
    assert files.batch(taken.batch_id).split


def test_one_that_hangs_is_rejected_and_a_file_of_another_tenant_goes_on(files: Files) -> None:
    files.line_s = 0.2

    def hangs(url: str) -> None:
        while True:
            pass

    files.world.check_webhook = hangs
    files.world.tenant("careful")
    careless: Any = files.taken("acme/a.json", json.dumps(HOOKED))
    careful = files.taken("careful/a.json", json.dumps(chat("One.")))
    assert (careful.accepted, files.batch(careful.batch_id).split) == (1, True)
    files.go_on()
    assert files.batch(careless.batch_id).state == "rejected"
    assert {error for _, error in files.failed} == {"Overrun"}
