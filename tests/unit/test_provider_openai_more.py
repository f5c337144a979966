"""OpenAI beside chat, and Azure: pictures, moderation, speech and transcription, over a real connection."""

from collections.abc import Iterator
from typing import Any

import pytest
from broker.errors import (
    BadOutput,
    BrokerError,
    CredentialRejected,
    InvalidRequest,
    ModelGone,
    ModelTimedOut,
    Refused,
    Rejected,
    Throttled,
    Unavailable,
)
from broker.providers import lookup
from broker.providers.openai.format import MORE
from broker.providers.openai.provider import OpenAI
from broker.providers.wire.base import Answer, Blob

from tests.unit.openai_more import INPUTS, b64, call, form, pictures, verdict
from tests.unit.provider_server import WORDS, ProviderServer, Script, failed

PNG, WEBP = b"\x89PNG\r\n\x1a\n and more", b"RIFF1234WEBP and more"


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
        ("moderate", "omni", {"text": ["", " "]}, "input.text"),
        ("moderate", "omni", {"file": {"s3": "s3://inbox/acme/call.txt"}}, "input.file"),
        ("moderate", "omni", {"text": "A lamp", "documents": ["Hm."]}, "input.documents"),
        ("moderate", "omni", {"text": "A lamp", "file": {"s3": "s3://inbox/acme/call.txt"}}, "input.text"),
        ("speak", "tts-1", {"text": "A lamp", "format": "midi"}, "input.format"),
        ("speak", "tts-1", {"text": ""}, "input.text"),
        ("transcribe", "whisper-1", {}, "input.file"),
        ("transcribe", "whisper-1", {"file": {"s3": "s3://inbox/acme/call.txt"}}, "input.file"),
    ],
)
def test_what_cannot_be_asked_is_not_sent(
    server: ProviderServer, task: str, model: str, asked: dict[str, Any], param: str
) -> None:
    error = failed(server, "openai", call(server, task, model=model, input=asked), Script(), asked=0)
    kind = InvalidRequest if error.code == "no_input" else Rejected
    assert (type(error), error.param, error.maybe_paid) == (kind, param, False)


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


def test_a_long_text_is_judged_in_parts_and_the_worst_counts(server: ProviderServer) -> None:
    text = "The lamp 🎉 needed nobody. " * 2_500
    server.answer(Script({"results": [verdict(False, hate=0.2), verdict(False, hate=0.1), verdict(True, hate=0.9)]}))
    answer = OpenAI().invoke(call(server, "moderate", input={"text": text}))
    parts = server.asked[0].body["input"]
    assert "".join(parts) == text
    assert max(len(each.encode()) for each in parts) <= 30_000
    assert answer.output == {"flagged": True, "categories": {"hate": 0.9}}


def test_fifty_texts_and_a_blank_one_are_judged_at_once(server: ProviderServer) -> None:
    texts = [f"Text {number}" for number in range(49)] + [" "]
    server.answer(Script({"results": [verdict(number == 7, hate=0.1) for number in range(49)]}))
    output = OpenAI().invoke(call(server, "moderate", input={"text": texts})).output
    assert server.asked[0].body["input"] == texts[:49]
    assert [place for place, each in enumerate(output["results"]) if each["flagged"]] == [7]
    assert output["results"][49] == {"flagged": False, "categories": {}}


def test_a_picture_is_moderated(server: ProviderServer) -> None:
    server.answer(Script({"results": [verdict(True, violence=0.9, hate=0)]}))
    picture = {"data": b64(PNG), "media_type": "image/jpeg"}
    answer = OpenAI().invoke(call(server, "moderate", input={"file": picture}))
    url = {"url": f"data:image/png;base64,{b64(PNG)}"}
    assert server.asked[0].body["input"] == [{"type": "image_url", "image_url": url}]
    assert answer.output == {"flagged": True, "categories": {"violence": 0.9, "hate": 0}}


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
        *(
            {},
            {"text": 5},
            {"text": None},
            b'{"text": "\\ud800"}',
            {"text": "", "segments": [5]},
            {"text": "a", "segments": True},
        ),
        *({"text": "a", "segments": [{"start": 0, "end": 1}]}, {"text": "a", "segments": [{"text": "a", "end": "x"}]}),
    ],
}


def test_malformed_replies_are_bad_output(server: ProviderServer, task: str, provider: str) -> None:
    broken = [] if task == "speak" else [b"", b"[]", b"null", b"[[", b"\xff\xfe", b"[" * 100_000, WORDS.encode()]
    for body in [*MALFORMED[task], *broken]:
        script = Script(body, headers={"content-type": "application/json"})
        error = failed(server, provider, call(server, task), script)
        kind = Unavailable if isinstance(body, dict) and "error" in body else BadOutput
        assert (type(error), error.maybe_paid) == (kind, True), str(body)[:60]


ERRORS: list[tuple[int, Any, type[BrokerError], bool]] = [
    *[(status, {"error": {"message": WORDS, "code": None}}, Rejected, False) for status in (400, 413, 422)],
    (404, {"error": {"message": WORDS, "code": None}}, ModelGone, False),
    *[(status, {"error": {"message": WORDS}}, CredentialRejected, False) for status in (401, 402, 403)],
    *[(status, WORDS.encode(), Unavailable, False) for status in (307, 501)],
    (500, WORDS.encode(), Unavailable, True),
    (503, WORDS.encode(), Throttled, False),
    *[(status, WORDS.encode(), ModelTimedOut, True) for status in (408, 504)],
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
        error = failed(server, provider, call(server, task), script)
        assert (type(error), error.maybe_paid) == (kind, maybe_paid), (status, body)
        assert error.retry_after == (7 if kind is Throttled else None)


@pytest.mark.parametrize("how", ["cut", "cut_body"])
def test_a_lost_connection_may_have_been_paid_for(server: ProviderServer, task: str, provider: str, how: str) -> None:
    error = failed(server, provider, call(server, task), Script(b"RI", how=how))
    assert (type(error), error.maybe_paid) == (Unavailable, True)


def test_a_call_that_hangs_ends_in_time(server: ProviderServer, task: str, provider: str) -> None:
    error = failed(server, provider, call(server, task, timeout=0.5), Script(how="hang"))
    assert (type(error), error.code, error.maybe_paid) == (ModelTimedOut, "timeout", True)
