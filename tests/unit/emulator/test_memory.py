"""The emulator forgets what nobody needs any more, and nothing else."""

from collections.abc import Iterator
from typing import Any

import pytest
from ministack.services import cloudwatch, cloudwatch_logs, dynamodb, eventbridge, lambda_svc, stepfunctions

from local.emulator import memory

HERE = ("000000000000", "us-east-1")
STREAM = "arn:aws:dynamodb:us-east-1:000000000000:table/jobs/stream/1"


@pytest.fixture(autouse=True)
def empty(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """All stores empty, and a few of each kind kept."""
    for name in ("RECORDS", "EXECUTIONS", "LOG_STREAMS", "LOG_EVENTS", "POINTS", "EVENTS"):
        monkeypatch.setattr(memory, name, 3)
    stores = [
        (cloudwatch, "_metrics"),
        (cloudwatch_logs, "_log_groups"),
        (dynamodb, "_stream_records"),
        (dynamodb, "_stream_trimmed"),
        (eventbridge, "_events_log"),
        (lambda_svc, "_esms"),
        (lambda_svc, "_dynamodb_stream_positions"),
        (stepfunctions, "_executions"),
    ]
    for module, name in stores:
        monkeypatch.setattr(module, name, type(getattr(module, name))())
    yield


def a_stream(records: int, **readers: int) -> None:
    dynamodb._stream_records.set_scoped(*HERE, "jobs", [{"number": number} for number in range(records)])
    for name, position in readers.items():
        lambda_svc._esms.set_scoped(*HERE, name, {"UUID": name, "EventSourceArn": STREAM})
        lambda_svc._dynamodb_stream_positions.set_scoped(*HERE, name, position)


def read_from(position: int) -> list[int]:
    return [
        each["number"]
        for each in dynamodb.stream_records_since("jobs", position, 100, account_id=HERE[0], region=HERE[1])
    ]


@pytest.mark.parametrize(
    ("readers", "left"),
    [
        ({"publish": 10, "clean": 10}, [7, 8, 9]),
        ({"publish": 10, "clean": 2}, [2, 3, 4, 5, 6, 7, 8, 9]),
        ({"publish": 8, "clean": 9}, [7, 8, 9]),
        ({"publish": 0, "clean": 10}, list(range(10))),
        ({}, [7, 8, 9]),
    ],
)
def test_a_stream_keeps_what_somebody_has_not_read(readers: dict[str, int], left: list[int]) -> None:
    a_stream(10, **readers)
    for _ in range(2):
        memory.trim()
        assert read_from(0) == left
        assert read_from(9) == [9], "a position means the same record as before"


def test_a_reader_without_a_position_has_read_nothing() -> None:
    a_stream(10, publish=10)
    lambda_svc._esms.set_scoped(*HERE, "new", {"UUID": "new", "EventSourceArn": STREAM})
    memory.trim()
    assert read_from(0) == list(range(10))


def test_executions_that_run_are_kept() -> None:
    for number in range(10):
        status = "RUNNING" if number == 0 else "SUCCEEDED"
        stepfunctions._executions.set_scoped(*HERE, f"e{number}", {"status": status})
    memory.trim()
    assert [key[2] for key, _ in stepfunctions._executions.all_items()] == ["e0", "e7", "e8", "e9"]


def test_of_logs_metrics_and_events_the_newest_are_kept() -> None:
    streams: dict[str, Any] = {f"s{number}": {"events": list(range(number))} for number in range(10)}
    cloudwatch_logs._log_groups.set_scoped(*HERE, "g", {"streams": streams})
    cloudwatch._metrics.set_scoped(*HERE, "m", list(range(10)))
    eventbridge._events_log.set_scoped(*HERE, "entries", list(range(10)))
    memory.trim()
    assert {name: stream["events"] for name, stream in streams.items()} == {
        "s7": [4, 5, 6],
        "s8": [5, 6, 7],
        "s9": [6, 7, 8],
    }
    assert cloudwatch._metrics.get_scoped(*HERE, "m") == [7, 8, 9]
    assert eventbridge._events_log.get_scoped(*HERE, "entries") == [7, 8, 9]
