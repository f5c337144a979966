"""OpenAI beside chat, and Azure: pictures, moderation, speech and transcription, over a real connection."""

import base64
import traceback
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
from broker.providers import lookup
from broker.providers.base import Answer, Blob, Call
from broker.providers.openai import OpenAI
from broker.providers.openai_format import MORE

from tests.fakes.media import FakeMedia
from tests.unit.provider_server import Asked, ProviderServer, Script

WORDS = "PROVIDER-TEXT that quotes: what is my diagnosis?"
PNG, WEBP = b"\x89PNG\r\n\x1a\n and more", b"RIFF1234WEBP and more"
SOUND = {"s3": "s3://inbox/acme/call.wav"}
MEDIA = FakeMedia(
    {
        "s3://inbox/acme/call.wav": Blob(b"RIFF\x00\r\n--\xff", "audio/wav"),
        "s3://inbox/acme/call.MP3": Blob(b"ID3", "binary/octet-stream"),
        "s3://inbox/acme/call.txt": Blob(b"Hello", "text/plain"),
    }
)
INPUTS: dict[str, dict[str, Any]] = {
    "generate_image": {"text": "A lamp, 日本語 🎉"},
    "moderate": {"text": "A lamp, 日本語 🎉"},
    "speak": {"text": "A lamp, 日本語 🎉"},
    "transcribe": {"file": SOUND},
}
PATHS = {
    "generate_image": "/v1/images/generations",
    "moderate": "/v1/moderations",
    "speak": "/v1/audio/speech",
    "transcribe": "/v1/audio/transcriptions",
}
MODELS = {"generate_image": "gpt-image-1", "moderate": "omni", "speak": "tts-1", "transcribe": "whisper-1"}


@pytest.fixture(scope="module")
def server() -> Iterator[ProviderServer]:
    with ProviderServer() as running:
        yield running


@pytest.fixture(
    params=[(each, task) for each in ("openai", "azure") for task in sorted(MORE) if task in lookup(each).tasks]
)
def asked_of(request: pytest.FixtureRequest) -> tuple[str, str]:
    found: tuple[str, str] = request.param
    return found


@pytest.fixture
def provider(asked_of: tuple[str, str]) -> str:
    return asked_of[0]


@pytest.fixture
def task(asked_of: tuple[str, str]) -> str:
    return asked_of[1]


def call(server: ProviderServer, task: str, **more: Any) -> Call:
    made = Call(task, MODELS[task], INPUTS[task], {}, 20, "sk-the-key", f"{server.url}/v1", media=MEDIA)
    return replace(made, **more)


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def pictures(*contents: bytes, **more: Any) -> dict[str, Any]:
    return {"created": 1, "data": [{"b64_json": b64(each)} for each in contents], **more}


def verdict(flagged: bool, **scores: float) -> dict[str, Any]:
    return {"flagged": flagged, "categories": {name: flagged for name in scores}, "category_scores": scores}


def form(asked: Asked) -> dict[str, bytes]:
    """The parts of a form by name; a file's name and type stand before its content."""
    boundary = asked.headers["content-type"].partition("boundary=")[2].encode()
    assert asked.headers["content-type"].startswith("multipart/form-data; ")
    parts: dict[str, bytes] = {}
    for part in asked.body.split(b"--" + boundary)[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        name = head.partition(b'name="')[2].partition(b'"')[0].decode()
        told = [line for line in (head.partition(b'filename="')[2].partition(b'"')[0],) if line]
        kind = head.partition(b"Content-Type: ")[2].partition(b"\r\n")[0] if told else b""
        parts[name] = b"|".join([*told, *([kind] if told else []), content.removesuffix(b"\r\n")])
    return parts


def failed(server: ProviderServer, made: Call, script: Script, asked: int = 1, provider: str = "openai") -> BrokerError:
    """The error, which tells neither the key nor the provider's words nor the request's."""
    server.answer(script)
    with pytest.raises(BrokerError) as caught:
        lookup(provider).invoke(made)
    assert len(server.asked) == asked
    shown = "".join(traceback.format_exception(caught.value)) + caught.value.cause()
    assert not any(secret in shown for secret in ("sk-the-key", "PROVIDER-TEXT", "diagnosis", "A lamp"))
    return caught.value


def test_gpt_image_is_asked_in_its_own_words(server: ProviderServer) -> None:
    usage = {"input_tokens": 11, "output_tokens": 4160, "total_tokens": 4171}
    server.answer(Script(pictures(WEBP, WEBP, usage=usage), headers={"x-request-id": "req_1"}))
    asked = {"text": "A lamp", "size": "1536x1024", "count": 2, "format": "webp"}
    answer = OpenAI().invoke(call(server, "generate_image", input=asked, options={"image": {"quality": "low"}}))
    assert server.asked[0].path == "/v1/images/generations"
    assert server.asked[0].headers["authorization"] == "Bearer sk-the-key"
    assert server.asked[0].body == {
        "model": "gpt-image-1",
        "prompt": "A lamp",
        "n": 2,
        "size": "1536x1024",
        "output_format": "webp",
        "quality": "low",
    }
    assert answer.files == (Blob(WEBP, "image/webp"),) * 2
    assert (answer.output, answer.units) == ({"count": 2}, {"images": 2})
    assert (answer.input_tokens, answer.output_tokens, answer.facts) == (11, 4160, {"request_id": "req_1"})


@pytest.mark.parametrize(
    ("model", "size", "asked"),
    [
        ("dall-e-3", "1024x1024", [1, 1, 1, 1, 1]),
        ("gpt-image-1", "1024x1024", [4, 1]),
        ("gpt-image-1", None, [2, 2, 1]),
        ("gpt-image-1", "4096x4096", [1, 1, 1, 1, 1]),
        ("stable-diffusion", "512x512", [5]),
    ],
)
def test_no_more_pictures_are_asked_for_at_once_than_a_reply_holds(
    server: ProviderServer, model: str, size: str | None, asked: list[int]
) -> None:
    usage = {"input_tokens": 3, "output_tokens": 5}
    server.answer(Script(pictures(PNG, usage=usage)))
    given = {"text": "A lamp", "count": 5} | ({"size": size} if size else {})
    answer = OpenAI().invoke(call(server, "generate_image", model=model, input=given))
    assert [each.body["n"] for each in server.asked] == asked
    assert (answer.input_tokens, answer.output_tokens) == (3 * len(asked), 5 * len(asked))
    assert answer.units == {"images": len(asked)}, "what came"


@pytest.mark.parametrize("model", ["dall-e-3", "stable-diffusion", "my-deployment"])
def test_others_are_told_to_send_the_picture_itself(server: ProviderServer, model: str) -> None:
    body = pictures(PNG)
    body["data"][0]["revised_prompt"] = "A brass lamp"
    server.answer(Script(body))
    answer = OpenAI().invoke(call(server, "generate_image", model=model))
    assert server.asked[0].body == {
        "model": model,
        "prompt": INPUTS["generate_image"]["text"],
        "n": 1,
        "response_format": "b64_json",
    }
    assert answer.output == {"count": 1, "revised_prompts": ["A brass lamp"]}
    assert answer.files == (Blob(PNG, "image/png"),)
    assert (answer.input_tokens, answer.output_tokens) == (0, 0)


def test_the_family_of_a_deployment_is_an_option(server: ProviderServer) -> None:
    server.answer(Script(pictures(PNG)))
    OpenAI().invoke(call(server, "generate_image", model="my-deployment", options={"family": "gpt-image-1"}))
    assert server.asked[0].body["output_format"] == "png"
    assert "response_format" not in server.asked[0].body


@pytest.mark.parametrize(
    ("options", "query"),
    [
        ({}, "/openai/v1/{path}"),
        ({"api_version": "2025-04-01"}, "/openai/deployments/ours/{path}?api-version=2025-04-01"),
    ],
)
def test_azure_is_asked_at_its_deployments(server: ProviderServer, options: dict[str, Any], query: str) -> None:
    replies = {"generate_image": pictures(PNG), "speak": b"ID3", "transcribe": {"text": "Hi.", "duration": 2}}
    paths = {"generate_image": "images/generations", "speak": "audio/speech", "transcribe": "audio/transcriptions"}
    for task, reply in replies.items():
        server.answer(Script(reply))
        family = {"family": "whisper"} if task == "transcribe" else {}
        made = call(server, task, model="ours", endpoint=server.url, options=options | family)
        answer = lookup("azure").invoke(made)
        assert isinstance(answer, Answer)
        assert server.asked[0].path == query.format(path=paths[task])
        assert server.asked[0].headers["api-key"] == "sk-the-key"
        if task == "generate_image":
            assert server.asked[0].body["output_format"] == "png"
            assert "response_format" not in server.asked[0].body
        if task == "transcribe":
            assert form(server.asked[0])["response_format"] == b"verbose_json"


@pytest.mark.parametrize(
    ("task", "model", "asked", "param"),
    [
        ("generate_image", "dall-e-3", {"text": "A lamp", "format": "webp"}, "input.format"),
        ("generate_image", "gpt-image-1", {"text": "A lamp", "format": "gif"}, "input.format"),
        ("generate_image", "gpt-image-1", {"text": " "}, "input.text"),
        ("moderate", "omni", {}, "input.text"),
        ("speak", "tts-1", {"text": "A lamp", "format": "midi"}, "input.format"),
        ("speak", "tts-1", {"text": ""}, "input.text"),
        ("transcribe", "whisper-1", {}, "input.file"),
        ("transcribe", "whisper-1", {"file": {"s3": "s3://inbox/acme/call.txt"}}, "input.file"),
    ],
)
def test_what_cannot_be_asked_is_not_sent(
    server: ProviderServer, task: str, model: str, asked: dict[str, Any], param: str
) -> None:
    error = failed(server, call(server, task, model=model, input=asked), Script(), asked=0)
    assert (type(error), error.param, error.maybe_paid) == (InvalidRequest, param, False)


def test_one_text_is_moderated(server: ProviderServer) -> None:
    server.answer(Script({"id": "modr-1", "results": [verdict(True, violence=0.9, hate=0)]}))
    answer = OpenAI().invoke(call(server, "moderate"))
    assert server.asked[0].path == "/v1/moderations"
    assert server.asked[0].body == {"model": "omni", "input": [INPUTS["moderate"]["text"]]}
    assert answer.output == {"flagged": True, "categories": {"violence": 0.9, "hate": 0}}
    assert answer.units == {"requests": 1}
    assert answer.input_tokens > 0


def test_several_texts_are_moderated_each(server: ProviderServer) -> None:
    results = [verdict(False, violence=0.1, hate=0.3), verdict(True, violence=0.9, sexual=0.2)]
    server.answer(Script({"results": results}))
    answer = OpenAI().invoke(call(server, "moderate", input={"text": ["one", "two"]}))
    assert answer.output == {
        "flagged": True,
        "categories": {"violence": 0.9, "hate": 0.3, "sexual": 0.2},
        "results": [
            {"flagged": False, "categories": {"violence": 0.1, "hate": 0.3}},
            {"flagged": True, "categories": {"violence": 0.9, "sexual": 0.2}},
        ],
    }


def test_speech_comes_as_it_was_asked_for(server: ProviderServer) -> None:
    server.answer(Script(b"OggS\x00\xff", headers={"content-type": "application/octet-stream"}))
    asked = {"text": "Grüße 🎉", "voice": "nova", "format": "opus"}
    answer = OpenAI().invoke(call(server, "speak", input=asked, options={"speech": {"instructions": "Softly."}}))
    assert server.asked[0].path == "/v1/audio/speech"
    assert server.asked[0].body == {
        "model": "tts-1",
        "input": "Grüße 🎉",
        "voice": "nova",
        "response_format": "opus",
        "instructions": "Softly.",
    }
    assert answer.files == (Blob(b"OggS\x00\xff", "audio/ogg"),)
    assert (answer.output, answer.units) == ({"voice": "nova"}, {"characters": 7})
    assert answer.input_tokens > 0


def test_speech_is_what_the_server_says_it_is(server: ProviderServer) -> None:
    server.answer(Script(b"RIFF", headers={"content-type": "audio/wav; rate=8000"}))
    answer = OpenAI().invoke(call(server, "speak", options={"voice": "anna"}))
    assert answer.files == (Blob(b"RIFF", "audio/wav"),)
    assert (server.asked[0].body["voice"], server.asked[0].body["response_format"]) == ("anna", "mp3")


def test_a_transcript_has_all_that_whisper_tells(server: ProviderServer) -> None:
    segments = [{"id": 0, "start": 0, "end": 4.2, "text": " Good morning.", "tokens": [1]}]
    told = {"task": "transcribe", "language": "english", "duration": 8.47, "text": " Good morning. 日本", "x": 1}
    server.answer(Script(told | {"segments": segments, "usage": {"type": "duration", "seconds": 9}}))
    asked = {"file": SOUND, "source_language": "en-US", "text": "Names: Ann"}
    answer = OpenAI().invoke(call(server, "transcribe", input=asked, parameters={"temperature": 0.0}))
    assert server.asked[0].path == "/v1/audio/transcriptions"
    assert form(server.asked[0]) == {
        "file": b"sound.wav|audio/wav|RIFF\x00\r\n--\xff",
        "model": b"whisper-1",
        "response_format": b"verbose_json",
        "language": b"en",
        "prompt": b"Names: Ann",
        "temperature": b"0.0",
    }
    assert answer.output == {
        "text": "Good morning. 日本",
        "language": "en",
        "seconds": 8.47,
        "segments": [{"start": 0, "end": 4.2, "text": "Good morning."}],
    }
    assert (answer.units, answer.input_tokens) == ({"seconds": 9}, 0)


def test_newer_models_count_tokens(server: ProviderServer) -> None:
    usage = {"type": "tokens", "input_tokens": 14, "output_tokens": 45, "total_tokens": 59}
    server.answer(Script({"text": "Hi.", "usage": usage}))
    asked = {"file": {"s3": "s3://inbox/acme/call.MP3"}}
    answer = OpenAI().invoke(call(server, "transcribe", model="gpt-4o-transcribe", input=asked))
    sent = form(server.asked[0])
    assert (sent["response_format"], sent["file"]) == (b"json", b"sound.mp3|binary/octet-stream|ID3")
    assert (answer.output, answer.units) == ({"text": "Hi."}, {})
    assert (answer.input_tokens, answer.output_tokens) == (14, 45)


def test_speakers_are_told_apart(server: ProviderServer) -> None:
    segments = [{"type": "transcript.text.segment", "start": 0, "end": 1, "text": "Hi.", "speaker": "A"}]
    server.answer(Script({"text": "Hi.", "duration": "2.5", "segments": segments}))
    answer = OpenAI().invoke(call(server, "transcribe", model="gpt-4o-transcribe-diarize"))
    sent = form(server.asked[0])
    assert (sent["response_format"], sent["chunking_strategy"]) == (b"diarized_json", b"auto")
    assert answer.output["segments"] == [{"start": 0, "end": 1, "text": "Hi.", "speaker": "A"}]
    assert (answer.output["seconds"], answer.units) == (2.5, {"seconds": 3})


def test_silence_is_an_empty_transcript(server: ProviderServer) -> None:
    server.answer(Script({"text": "", "usage": {"type": "duration", "seconds": 3}}))
    answer = OpenAI().invoke(call(server, "transcribe", options={"transcription": {"response_format": "json"}}))
    assert (answer.output, answer.units) == ({"text": "", "seconds": 3}, {"seconds": 3})
    assert form(server.asked[0])["response_format"] == b"json"


MALFORMED: dict[str, list[Any]] = {
    "generate_image": [
        *({}, {"data": []}, {"data": 5}, {"data": [5]}, {"data": [{}]}, {"data": [{"url": "https://x.example/a"}]}),
        *({"data": [{"b64_json": ""}]}, {"data": [{"b64_json": "%%"}]}, {"data": [{"b64_json": 5}]}),
        {"data": [{"b64_json": b64(PNG)}, {"b64_json": None}]},
    ],
    "moderate": [
        *({}, {"results": []}, {"results": [5]}, {"results": [{}]}, {"results": [verdict(True)] * 2}),
        *({"results": [verdict(True, a=value)]} for value in (2, -1, True, "0.5", None)),
        {"results": [verdict(True, a=0.5) | {"flagged": 1}]},
        b'{"results": [{"flagged": true, "category_scores": {"a": 1e999}}]}',
    ],
    "speak": [b"", {"error": WORDS}],
    "transcribe": [
        *({}, {"text": 5}, {"text": None}, b'{"text": "\\ud800"}', {"text": "", "segments": [5]}),
        *({"text": "a", "segments": [{"start": 0, "end": 1}]}, {"text": "a", "segments": [{"text": "a", "end": "x"}]}),
    ],
}


def test_malformed_replies_are_bad_output(server: ProviderServer, task: str, provider: str) -> None:
    broken = [] if task == "speak" else [b"", b"[]", b"null", b"[[", b"\xff\xfe", b"[" * 100_000, WORDS.encode()]
    for body in [*MALFORMED[task], *broken]:
        script = Script(body, headers={"content-type": "application/json"})
        error = failed(server, call(server, task), script, provider=provider)
        assert (type(error), error.maybe_paid) == (BadOutput, True), str(body)[:60]


ERRORS: list[tuple[int, Any, type[BrokerError], bool]] = [
    *[(status, {"error": {"message": WORDS, "code": None}}, InvalidRequest, False) for status in (400, 404, 413, 422)],
    *[(status, {"error": {"message": WORDS}}, CredentialRejected, False) for status in (401, 402, 403)],
    *[(status, WORDS.encode(), Unavailable, False) for status in (307, 408, 500, 503)],
    (504, WORDS.encode(), Unavailable, True),
    (429, {"error": {"code": "rate_limit_exceeded"}}, Throttled, False),
    (429, {"error": {"code": "insufficient_quota"}}, CredentialRejected, False),
    (
        400,
        {"error": {"message": WORDS, "type": "image_generation_user_error", "code": "moderation_blocked"}},
        Refused,
        False,
    ),
    (400, {"error": {"message": WORDS, "code": "content_policy_violation"}}, Refused, False),
]


def test_each_error_has_its_class(server: ProviderServer, task: str, provider: str) -> None:
    for status, body, kind, maybe_paid in ERRORS:
        script = Script(body, status, {"location": "/x", "retry-after": "7"})
        error = failed(server, call(server, task), script, provider=provider)
        assert (type(error), error.maybe_paid) == (kind, maybe_paid), (status, body)
        assert error.retry_after == (7 if kind is Throttled else None)


@pytest.mark.parametrize("how", ["cut", "cut_body"])
def test_a_lost_connection_may_have_been_paid_for(server: ProviderServer, task: str, provider: str, how: str) -> None:
    error = failed(server, call(server, task), Script(b"RI", how=how), provider=provider)
    assert (type(error), error.maybe_paid) == (Unavailable, True)


def test_a_call_that_hangs_ends_in_time(server: ProviderServer, task: str, provider: str) -> None:
    error = failed(server, call(server, task, timeout=0.5), Script(how="hang"), provider=provider)
    assert (type(error), error.code, error.maybe_paid) == (Unavailable, "timeout", True)
