"""Bent replies to what is no chat: pictures, sounds, moderation, translations, features. See `dialects`."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from broker.errors import BrokerError, InvalidRequest
from broker.providers import lookup
from broker.providers.wire.base import Answer, Blob, Call
from hypothesis import HealthCheck, given, settings

from tests.fakes.media import FakeMedia
from tests.unit.mutations import mutation
from tests.unit.provider_server import ProviderServer, Script

PNG = "iVBORw0KGgo="
USAGE = {"input_tokens": 7, "output_tokens": 3}
INLINE = {"inlineData": {"mimeType": "image/png", "data": PNG}}
SEGMENT = {"start": 0.0, "end": 1.5, "text": "Hi.", "speaker": "A"}
TRANSLATION = {"translatedText": "Lampe", "detectedSourceLanguage": "en"}

TASKS: dict[str, tuple[str, str, dict[str, Any], Any]] = {
    "pictures": (
        "openai",
        "generate_image",
        {"text": "A lamp", "count": 2},
        {"data": [{"b64_json": PNG, "revised_prompt": "A lamp."}, {"b64_json": PNG}], "usage": USAGE},
    ),
    "moderation": (
        "openai",
        "moderate",
        {"text": ["A lamp", "Hm?"]},
        {"results": [{"flagged": False, "category_scores": {"hate": 0.1}}] * 2, "usage": {"prompt_tokens": 7}},
    ),
    "transcripts": (
        "openai",
        "transcribe",
        {"file": {"s3": "s3://inbox/acme/a.mp3"}},
        {"text": "Hi.", "language": "en", "duration": 1.5, "segments": [SEGMENT], "usage": USAGE | {"seconds": 2}},
    ),
    "gemini's pictures": (
        "gemini",
        "generate_image",
        {"text": "A lamp"},
        {
            "candidates": [{"content": {"parts": [INLINE]}, "finishReason": "STOP"}],
            "usageMetadata": {"promptTokenCount": 7},
        },
    ),
    "translations": (
        "google_translate",
        "translate",
        {"text": "A lamp", "target_language": "de"},
        {"data": {"translations": [TRANSLATION]}},
    ),
    "features": ("huggingface", "embed", {"text": ["a", "b"]}, [[1, 0.5], [2, 0.5]]),
}


@pytest.fixture(scope="module")
def server() -> Iterator[ProviderServer]:
    with ProviderServer() as running:
        yield running


@pytest.mark.parametrize("asked", TASKS.values(), ids=TASKS)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(mutate=mutation())
def test_a_bent_reply(
    server: ProviderServer, asked: tuple[str, str, dict[str, Any], Any], mutate: Callable[[Any], Any]
) -> None:
    provider, task, given_, reply = asked
    media = FakeMedia({"s3://inbox/acme/a.mp3": Blob(b"\xff\xfb\x90\x00sound", "audio/mpeg")})
    call = Call(task, "some-model", given_, {}, 20, "sk-1", server.url, media=media)
    server.answer(Script(json.dumps(mutate(reply)).encode()))
    try:
        answer = lookup(provider).invoke(call)
    except BrokerError as error:
        assert not isinstance(error, InvalidRequest), "no reply makes a request wrong for every model"
        return
    assert isinstance(answer, Answer)
    json.dumps(answer.output, allow_nan=False, ensure_ascii=False, default=list).encode()
    assert all(isinstance(file.data, bytes) and file.data for file in answer.files)
    assert min(answer.input_tokens, answer.output_tokens, *answer.units.values()) >= 0
