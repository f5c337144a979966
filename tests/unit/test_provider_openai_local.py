"""Pictures, speech, transcriptions and verdicts of the OpenAI provider, made by the local model server."""

import base64
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from broker.errors import (
    BadOutput,
    BrokerError,
    CredentialRejected,
    InvalidRequest,
    Refused,
    Throttled,
    Unavailable,
)
from broker.providers.base import Answer, Blob, Call
from broker.providers.openai import OpenAI

from local.model_server.brain.painting import paint
from local.model_server.brain.sound import say
from local.model_server.server import ModelServer
from tests.fakes.media import FakeMedia

SAID = "Grüße! The lamp needed nobody. The keeper slept."


@pytest.fixture(scope="module")
def models() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


def ask(models: ModelServer, task: str, model: str, given: dict[str, Any], **more: Any) -> Answer:
    media = FakeMedia({"s3://inbox/demo/spoken": Blob(say(SAID), "audio/wav")})
    call = Call(task, model, given, {}, 20, "sk-local", f"{models.url}/v1", media=media)
    return OpenAI().invoke(replace(call, **more))


FILE = {"file": {"s3": "s3://inbox/demo/spoken"}}


def test_the_provider_has_pictures_painted(models: ModelServer) -> None:
    answer = ask(models, "generate_image", "painter", {"text": "A lamp.", "size": "40x30", "count": 3})
    assert list(answer.files) == [Blob(paint("A lamp.", 40, 30, number), "image/png") for number in range(3)]
    assert (answer.output["count"], answer.units) == (3, {"images": 3})
    counted = ask(models, "generate_image", "gpt-image-1", {"text": "A lamp."})
    assert min(counted.input_tokens, counted.output_tokens) > 0


def test_the_provider_has_texts_spoken_and_written_down(models: ModelServer) -> None:
    spoken = ask(models, "speak", "voice", {"text": SAID})
    assert (spoken.files[0].media_type, spoken.units) == ("audio/wav", {"characters": len(SAID)})
    given = {"file": {"data": base64.b64encode(spoken.files[0].data).decode(), "media_type": "audio/wav"}}
    answer = ask(models, "transcribe", "whisper", given)
    assert (answer.output["text"], answer.output["language"], answer.units) == (SAID, "en", {"seconds": 1})
    assert ask(models, "transcribe", "gpt-4o-transcribe", FILE).output == {"text": SAID}
    diarized = ask(models, "transcribe", "gpt-4o-transcribe-diarize", FILE)
    assert [each["speaker"] for each in diarized.output["segments"]] == ["A"] * 3


def test_the_provider_has_texts_judged(models: ModelServer) -> None:
    answer = ask(models, "moderate", "omni", {"text": ["A lamp.", "I will kill you."]})
    assert answer.output["flagged"] is True
    assert [each["flagged"] for each in answer.output["results"]] == [False, True]


CALLS: dict[str, dict[str, Any]] = {
    "generate_image": {"text": "A lamp.", "size": "16x16"},
    "speak": {"text": "Hello."},
    "transcribe": FILE,
    "moderate": {"text": "Hello."},
}
FAILURES: dict[str, tuple[type[BrokerError], bool]] = {
    "401": (CredentialRejected, False),
    "429=7": (Throttled, False),
    "500": (Unavailable, False),
    "503": (Unavailable, False),
    "400": (InvalidRequest, False),
    "cut": (Unavailable, True),
    "badjson": (BadOutput, True),
}


@pytest.mark.parametrize("order", FAILURES)
@pytest.mark.parametrize("task", CALLS)
def test_failures_are_of_the_tree(models: ModelServer, task: str, order: str) -> None:
    kind, maybe_paid = FAILURES[order]
    with pytest.raises(kind) as caught:
        ask(models, task, f"model!{order}", CALLS[task])
    assert caught.value.maybe_paid is maybe_paid
    if isinstance(caught.value, Throttled):
        assert caught.value.retry_after == 7


@pytest.mark.parametrize(
    ("task", "model", "given"),
    [
        ("generate_image", "painter!refuse", {"text": "A lamp."}),
        ("generate_image", "gpt-image-1!refuse", {"text": "A lamp."}),
        ("generate_image", "painter", {"text": "How to kill you and murder everyone."}),
    ],
)
def test_what_is_refused_is_refused(models: ModelServer, task: str, model: str, given: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        ask(models, task, model, given)


@pytest.mark.parametrize("task", ["generate_image", "speak"])
def test_an_answer_without_a_file_is_bad(models: ModelServer, task: str) -> None:
    with pytest.raises(BadOutput):
        ask(models, task, "model!empty", CALLS[task])


def test_silence_is_an_answer(models: ModelServer) -> None:
    assert ask(models, "transcribe", "whisper!empty", FILE).output["text"] == ""
