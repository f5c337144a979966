"""Textract's asynchronous work: what is checked before it starts, and what becomes of it where questions fail."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError
from broker.errors import BadOutput, BrokerError, Rejected, Throttled, Unavailable
from broker.providers.aws.textract import LARGEST_OBJECT, MOST_PAUSES, Textract
from broker.providers.wire.base import Answer, Blob, OperationStarted

from tests.fakes.aws import Reply, Wire, aws_environment
from tests.fakes.media import FakeMedia
from tests.unit.aws_case import make_call

ADDRESS = "s3://inbox/acme/scan.pdf"
GIVEN = {"file": {"s3": ADDRESS, "media_type": "application/pdf"}, "features": ["forms"]}
WORK = {"job": "j-1", "kind": "analysis"}
LINE = {"BlockType": "LINE", "Id": "l", "Text": "Lamps", "Page": 1}
BUSY = Reply({"__type": "ProvisionedThroughputExceededException"}, 400)
DOWN = Reply({"__type": "InternalServerError"}, 500)


def part(token: str | None = None) -> Reply:
    more = {"NextToken": token} if token else {}
    return Reply({"JobStatus": "SUCCEEDED", "DocumentMetadata": {"Pages": 1}, "Blocks": [LINE], **more})


@pytest.fixture
def wire() -> Iterator[Wire]:
    with aws_environment():
        yield Wire()


@pytest.fixture
def media() -> FakeMedia:
    return FakeMedia({ADDRESS: Blob(b"%PDF-1.7", "application/pdf")})


def started(wire: Wire, media: FakeMedia, **more: Any) -> Answer | OperationStarted:
    wire.script([Reply({"JobId": "j-1"})])
    call = replace(make_call("extract_text", GIVEN), media=media, **more)
    return Textract(wire.make).invoke(call)


def checked(wire: Wire, *replies: Reply) -> tuple[Answer | OperationStarted, list[float]]:
    pauses: list[float] = []
    wire.script(list(replies))
    done = Textract(wire.make, pauses.append).check(make_call("extract_text", GIVEN), WORK)
    return done, pauses


@pytest.mark.parametrize("size", [0, LARGEST_OBJECT + 1])
def test_a_file_that_is_too_large_or_empty_is_refused_before_anything_is_started(
    size: int, wire: Wire, media: FakeMedia
) -> None:
    media.sizes[ADDRESS] = size
    with pytest.raises(Rejected) as caught:
        started(wire, media)
    assert (caught.value.code, caught.value.param, wire.asked) == ("bad_size", "input.file", [])
    assert not caught.value.maybe_paid


def test_a_file_of_another_region_than_the_models_is_refused_with_both(wire: Wire, media: FakeMedia) -> None:
    with pytest.raises(Rejected, match=r"region eu-west-1, and reads no files of us-east-1") as caught:
        started(wire, media, endpoint="eu-west-1")
    assert (caught.value.code, wire.asked) == ("other_region", [])
    for same in (None, "us-east-1"):
        assert isinstance(started(wire, media, endpoint=same), OperationStarted)


def test_a_repeat_of_the_same_call_has_the_same_token_and_another_call_another(wire: Wire, media: FakeMedia) -> None:
    tokens = []
    for token in ("job_1-1-1", "job_1-1-1", "job_1-1-2", "job_2-1-1"):
        started(wire, media, token=token)
        tokens += [asked["ClientRequestToken"] for _, asked in wire.asked]
    assert tokens[0] == tokens[1] and len(set(tokens)) == 3


def test_a_result_that_is_throttled_while_it_is_read_is_read_on_after_pauses(wire: Wire) -> None:
    done, pauses = checked(wire, part("n-1"), BUSY, BUSY, part())
    assert isinstance(done, Answer) and done.output["text"] == "Lamps\nLamps"
    assert len(pauses) == 2 and all(0 < each <= 5 for each in pauses)


def test_one_that_stays_throttled_is_asked_for_later_and_costs_nothing(wire: Wire) -> None:
    with pytest.raises(Throttled) as caught:
        checked(wire, part("n-1"), *[BUSY] * (MOST_PAUSES + 1))
    assert not caught.value.maybe_paid


@pytest.mark.parametrize(
    "replies", [(BUSY,), (DOWN,), (part("n-1"), DOWN), (Reply(fault=ConnectionClosedError(endpoint_url="x")),)]
)
def test_where_only_the_question_fails_the_work_goes_on(wire: Wire, replies: tuple[Reply, ...]) -> None:
    """Who asks takes it for such where nothing was paid by it (`steps.exchanging`)."""
    with pytest.raises(BrokerError) as caught:
        checked(wire, *replies)
    assert isinstance(caught.value, Throttled | Unavailable) and not caught.value.maybe_paid


def test_results_that_are_over_after_seven_days_end_the_call_and_count_as_paid(wire: Wire) -> None:
    with pytest.raises(Unavailable) as caught:
        checked(wire, Reply({"__type": "InvalidJobIdException"}, 400))
    assert caught.value.maybe_paid, "else it would be asked for until the job's deadline"


def test_what_it_failed_at_is_an_error_and_not_a_document_without_text(wire: Wire) -> None:
    with pytest.raises(BrokerError) as caught:
        checked(wire, Reply({"JobStatus": "FAILED", "StatusMessage": "INVALID_IMAGE_TYPE"}))
    assert caught.value.code == "job_failed"


@pytest.mark.parametrize("token", [" ", "\n", "x" * 256])
def test_an_answer_that_names_no_place_where_it_goes_on_is_none(wire: Wire, token: str) -> None:
    with pytest.raises(BadOutput):
        checked(wire, replace(part(token), valid=False), part())
    assert len(wire.asked) == 1
