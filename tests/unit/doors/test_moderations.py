"""Bodies of moderations as jobs, and verdicts as OpenAI's package reads them."""

from typing import Any

import openai
import pytest
from broker.doors.moderations import job_of
from broker.errors import InvalidRequest

from tests.fakes.world import a_model
from tests.unit.doors.batch_case import Broker, create, row
from tests.unit.doors.case import Answering, Json, Server, a_door
from tests.unit.rest_door import Door

PIXEL = "data:image/png;base64,iVBORw0KGgo="
VERDICT: Json = {"flagged": True, "categories": {"violence": 0.9, "hate": 0.1, "PROFANITY": 0.6, "self-harm": 0.5}}
CLEAN: Json = {"flagged": False, "categories": {"violence": 0.7, "hate": 0.0}}


def judging(door: Door) -> Door:
    door.world.register(a_model("judge", tasks=["moderate"], capabilities=["vision"]))
    return door


@pytest.fixture
def door() -> Door:
    return judging(a_door())


def answer(door: Door, output: Json) -> None:
    assert isinstance(door.world.queue, Answering)
    door.world.queue.answer = lambda request: output


def test_a_text_is_judged(door: Door, client: openai.OpenAI) -> None:
    answer(door, VERDICT)
    found = client.moderations.create(input="Hello")
    (result,) = found.results
    assert (found.id[:5], found.model, result.flagged) == ("modr-", "small", True)
    assert [name for name, is_true in result.categories.to_dict().items() if is_true] == [
        "self-harm",
        "violence",
        "PROFANITY",
    ]
    assert (result.category_scores.violence, result.category_scores.sexual_minors) == (0.9, 0.0)
    assert (result.category_applied_input_types.hate, result.category_applied_input_types.sexual) == (["text"], [])
    assert result.categories.self_harm_intent is False


def test_several_texts_have_a_result_each(door: Door, client: openai.OpenAI) -> None:
    answer(door, {**VERDICT, "results": [CLEAN, VERDICT]})
    clean, bad = client.moderations.create(model="judge", input=["Hello", "Ouch"]).results
    assert (clean.flagged, bad.flagged) == (False, True)
    assert not any(clean.categories.to_dict().values()), "nothing of what is not flagged"


def test_what_is_flagged_by_low_scores_is_so_by_the_highest(door: Door, client: openai.OpenAI) -> None:
    answer(door, {"flagged": True, "categories": {"hate": 0.2, "sexual": 0.3}})
    (result,) = client.moderations.create(input=["Hello"]).results
    assert (result.categories.sexual, result.categories.hate) == (True, False)


def test_a_picture_is_judged_for_what_pictures_are(door: Door, client: openai.OpenAI) -> None:
    answer(door, VERDICT)
    part: Any = {"type": "image_url", "image_url": {"url": PIXEL}}
    (result,) = client.moderations.create(model="judge", input=[part]).results
    types = result.category_applied_input_types
    assert (types.violence, types.hate) == (["image"], [])
    assert job_of({"input": [{"type": "image_url", "image_url": {"url": "s3://inbox/acme/a.png"}}]}).job["input"] == {
        "file": {"s3": "s3://inbox/acme/a.png"}
    }
    assert job_of({"input": [{"type": "text", "text": "Hello"}]}).job["input"] == {"text": "Hello"}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "input"),
        ({"input": "Hello", "user": "me"}, "user"),
        ({"input": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, "input"),
        ({"input": [{"type": "audio"}]}, "input.0.type"),
        ({"input": [{"type": "text", "text": "a", "more": 1}]}, "input.0.more"),
        ({"input": [{"type": "image_url", "image_url": {"url": "https://a.example/b.png"}}]}, "input.0.image_url.url"),
        ({"input": [{"type": "image_url", "image_url": {"url": 7}}]}, "input.0.image_url.url"),
        ({"input": [{"type": "image_url", "image_url": "x"}]}, "input.0.image_url"),
        ({"input": [{"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}}]}, "input.0.image_url.detail"),
    ],
)
def test_what_has_no_place_is_refused_by_name(body: Json, param: str) -> None:
    with pytest.raises(InvalidRequest) as failure:
        job_of(body)
    assert failure.value.param == param


@pytest.mark.parametrize(("given", "param"), [("", "input"), ([], "input"), ([1], "input"), ({}, "input")])
def test_a_text_that_is_none_is_named_as_it_was_sent(client: openai.OpenAI, given: Any, param: str) -> None:
    with pytest.raises(openai.BadRequestError) as failure:
        client.moderations.create(input=given)
    assert str(failure.value.param).partition(".")[0] == param


def test_rows_of_a_batch_are_judged() -> None:
    broker = Broker()
    judging(broker.door)
    broker.answer = lambda request: VERDICT
    with Server(broker.door) as server, openai.OpenAI(base_url=server.url, api_key="ib_acme") as client:
        url = "/v1/moderations"
        batch = create(client, row("a") | {"url": url, "body": {"input": "Hello"}}, endpoint=url)
        broker.run_all(batch.id)
        (line,) = broker.content(client.batches.retrieve(batch.id).output_file_id)
        assert openai.types.ModerationCreateResponse.model_validate(line["response"]["body"]).results[0].flagged
