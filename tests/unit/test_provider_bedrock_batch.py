"""Bedrock's batches beyond what all services have alike (`test_aws_services`): records, and how a batch ends."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from broker.errors import (
    BadOutput,
    BrokerError,
    ContextExceeded,
    InvalidRequest,
    ModelGone,
    Refused,
    Rejected,
    Throttled,
    Unavailable,
)
from broker.providers.bedrock.batch_inference import BedrockBatch
from broker.providers.wire.base import Answer, Call

from tests.fakes.aws import Reply, Wire, aws_environment
from tests.fakes.media import FakeMedia
from tests.unit.aws_batches import (
    BATCH_ID,
    BATCH_STARTED,
    CHATS,
    CONVERSED,
    EMBEDS,
    FOLDER,
    batch_gave,
    batch_is,
    embedded,
)
from tests.unit.aws_case import PNG

PICTURE = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"


@pytest.fixture
def wire() -> Iterator[Wire]:
    with aws_environment():
        yield Wire()


def begun(wire: Wire, call: Call) -> tuple[list[Any], FakeMedia]:
    """The records that were handed over, and where."""
    media = FakeMedia()
    wire.script([BATCH_STARTED])
    BedrockBatch(wire.make).invoke(replace(call, media=media))
    handed = media.handed[f"{FOLDER}/input.jsonl"] or b""
    return [json.loads(line) for line in handed.splitlines()], media


def ended(wire: Wire, call: Call, *replies: Reply) -> Any:
    wire.script(list(replies))
    return BedrockBatch(wire.make).check(call, BATCH_ID)


def failed(wire: Wire, call: Call, *replies: Reply) -> BrokerError:
    with pytest.raises(BrokerError) as caught:
        ended(wire, call, *replies)
    return caught.value


def test_each_text_is_a_record_as_its_model_wants_it(wire: Wire) -> None:
    call = replace(EMBEDS, options=EMBEDS.options | {"dimensions": 256})
    records, media = begun(wire, call)
    assert records == [
        {"recordId": "00000000000", "modelInput": {"inputText": "a", "dimensions": 256}},
        {"recordId": "00000000001", "modelInput": {"inputText": "b", "dimensions": 256}},
    ]
    written = {f"{FOLDER}/abcdefghij12/{name}" for name in ("input.jsonl.out", "manifest.json.out")}
    assert {key for key, data in media.handed.items() if data is None} == written, "so that they go with the job"


def test_a_model_of_cohere_gets_one_text_in_each_record(wire: Wire) -> None:
    records, _ = begun(wire, replace(EMBEDS, model="cohere.embed-multilingual-v3"))
    assert [each["modelInput"]["texts"] for each in records] == [["a"], ["b"]]


def test_a_chat_is_one_record_with_its_pictures(wire: Wire) -> None:
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": PICTURE}}]
    given = {"messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": parts}]}
    records, _ = begun(wire, replace(CHATS, input=given, parameters={"max_output_tokens": 9}))
    assert records == [
        {
            "recordId": "00000000000",
            "modelInput": {
                "system": [{"text": "Be kind."}],
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"text": "What is this?"},
                            {"image": {"format": "png", "source": {"bytes": base64.b64encode(PNG).decode()}}},
                        ],
                    }
                ],
                "inferenceConfig": {"maxTokens": 9},
            },
        }
    ]


TOOL = {"type": "function", "function": {"name": "look", "parameters": {}}}


@pytest.mark.parametrize(
    ("call", "kind", "code", "param"),
    [
        (replace(EMBEDS, options={}), ModelGone, "no_role", "model"),
        (replace(EMBEDS, options=EMBEDS.options | {"guardrail": {"id": "g"}}), ModelGone, "bad_guardrail", "model"),
        (replace(EMBEDS, input={"text": ["x"] * 1_000}), Rejected, "too_many_texts", "input.text"),
        (replace(EMBEDS, input={"text": ["x"] * 112}), Rejected, "too_many_texts", "input.text"),
        (replace(EMBEDS, input={}), InvalidRequest, "no_input", "input.text"),
        (replace(EMBEDS, model="meta.llama"), ModelGone, "unknown_family", "model"),
        (replace(CHATS, input={"text": "x", "tools": [TOOL]}), Rejected, "unsupported_tools", "input.tools"),
    ],
    ids=["no role", "guardrail", "too many", "for the memory", "no text", "no embeddings", "tools"],
)
def test_what_batches_cannot_do_is_said_before_anything_is_paid_for(
    wire: Wire, call: Call, kind: type[BrokerError], code: str, param: str
) -> None:
    media = FakeMedia()
    with pytest.raises(BrokerError) as caught:
        BedrockBatch(wire.make).invoke(replace(call, media=media))
    assert type(caught.value) is kind
    assert (caught.value.code, caught.value.param, caught.value.maybe_paid) == (code, param, False)
    assert (wire.asked, media.handed) == ([], {})


def test_as_many_fit_as_the_documentation_says(wire: Wire) -> None:
    assert len(begun(wire, replace(EMBEDS, input={"text": ["x"] * 110}))[0]) == 110


def test_more_texts_fit_where_their_embeddings_are_shorter_and_the_memory_is_larger(wire: Wire) -> None:
    options = EMBEDS.options | {"dimensions": 256, "largest_reply": 16_000_000}
    records, _ = begun(wire, replace(EMBEDS, input={"text": ["x"] * 2_000}, options=options))
    assert len(records) == 2_000


@pytest.mark.parametrize(
    ("status", "code", "paid"),
    [("Failed", "batch_failed", False), ("Stopped", "batch_stopped", True), ("Expired", "batch_expired", True)],
)
def test_a_batch_that_was_not_finished_leaves_the_job_to_the_next_model(
    wire: Wire, status: str, code: str, paid: bool
) -> None:
    error = failed(wire, EMBEDS, batch_is(status))
    assert (type(error), error.code, error.maybe_paid) == (Unavailable, code, paid)


def test_what_was_done_before_a_batch_failed_may_have_been_paid_for(wire: Wire) -> None:
    reply = batch_is("Failed")
    assert failed(wire, EMBEDS, replace(reply, body=reply.body | {"processedRecordCount": 1})).maybe_paid


@pytest.mark.parametrize("status", ["Submitted", "Validating", "Scheduled", "Stopping"])
def test_a_batch_that_goes_on_is_asked_after_again(wire: Wire, status: str) -> None:
    assert ended(wire, EMBEDS, batch_is(status)).operation_id == BATCH_ID


def test_a_batch_is_stopped_where_it_runs(wire: Wire) -> None:
    wire.script([Reply({})])
    BedrockBatch(wire.make).stop(replace(EMBEDS, input={}, endpoint="eu-central-1"), BATCH_ID)
    assert wire.asked == [("StopModelInvocationJob", {"jobIdentifier": BATCH_ID["job"]})]
    assert wire.regions == ["eu-central-1"]


@pytest.mark.parametrize("code", ["ConflictException", "ResourceNotFoundException"])
def test_a_batch_that_has_ended_cannot_be_stopped(wire: Wire, code: str) -> None:
    wire.script([Reply({"message": "SECRET"}, 400, {"x-amzn-errortype": code})])
    with pytest.raises(Unavailable) as caught:
        BedrockBatch(wire.make).stop(EMBEDS, BATCH_ID)
    assert caught.value.code == code
    assert "SECRET" not in str(caught.value)


def test_tokens_are_those_that_the_records_tell(wire: Wire) -> None:
    lines = batch_gave(embedded(0, [0.5]), embedded(1, [0.25]))
    answer = ended(wire, EMBEDS, batch_is("Completed"), lines)
    assert (answer.input_tokens, answer.output_tokens) == (4, 0)
    chat = {"recordId": f"{0:011}", "modelInput": {}, "modelOutput": CONVERSED}
    said: Answer = ended(wire, CHATS, batch_is("PartiallyCompleted"), batch_gave(chat))
    assert (said.input_tokens, said.output_tokens) == (7, 3)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"errorCode": 400, "errorMessage": "bad request"}, Rejected),
        ({"errorCode": 400, "errorMessage": "Input is too long for this model"}, ContextExceeded),
        ({"errorCode": 400, "errorMessage": "It was blocked by our content filters"}, Refused),
        ({"errorCode": 429, "errorMessage": "slow down"}, Throttled),
        ({"errorCode": 500, "errorMessage": "?"}, Unavailable),
        ({"errorCode": "x"}, Unavailable),
        ("?", Unavailable),
    ],
)
def test_a_record_that_failed_has_the_errors_of_a_call(wire: Wire, error: Any, kind: type[BrokerError]) -> None:
    bad = {"recordId": f"{1:011}", "modelInput": {"inputText": "SECRET"}, "error": error}
    found = failed(wire, EMBEDS, batch_is("Completed"), batch_gave(embedded(0, [0.5]), bad))
    assert (type(found), found.maybe_paid) == (kind, True)
    assert "SECRET" not in str(found)


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [embedded(0, [0.5])],
        [embedded(0, [0.5]), embedded(7, [0.5])],
        [embedded(0, [0.5]), embedded(1, [])],
        [embedded(0, [0.5]), {"recordId": f"{1:011}"}],
    ],
    ids=["none", "one missing", "another", "no vector", "no output"],
)
def test_a_batch_with_other_records_is_bad_output(wire: Wire, lines: list[Any]) -> None:
    found = failed(wire, EMBEDS, batch_is("Completed"), batch_gave(*lines))
    assert (type(found), found.maybe_paid) == (BadOutput, True)
