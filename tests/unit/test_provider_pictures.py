"""Pictures over JSON and HTTPS: one table of what every such provider does, over a real connection."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
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
from broker.providers.wire.base import Answer, Blob, Call

from tests.unit.provider_server import WORDS, ProviderServer, Script, failed

PNG, JPEG = b"\x89PNG\r\n\x1a\n and more", b"\xff\xd8\xff and more"
TEXT = "A lamp, 日本語 🎉 " * 200
USED = {"promptTokenCount": 7, "candidatesTokenCount": 1290}


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def candidate(*parts: dict[str, Any], reason: str = "STOP", **more: Any) -> dict[str, Any]:
    made = {"content": {"role": "model", "parts": list(parts)}, "finishReason": reason}
    return {"candidates": [made], "usageMetadata": USED, "responseId": "r-1", **more}


def inline(content: bytes = PNG, kind: str = "image/png") -> dict[str, Any]:
    return {"inlineData": {"mimeType": kind, "data": b64(content)}}


@dataclass(frozen=True)
class Painter:
    """One way to pictures: how it is asked, and what it may answer."""

    provider: str
    model: str
    path: str
    good: Any
    """A reply with one picture, a PNG."""
    asked: Any
    """What is sent for `TEXT`, three by two, with the seed 7 and a further field."""
    each: bool = True
    """Whether every picture is a request of its own."""
    kinds: tuple[str, ...] = ("png",)
    tokens: tuple[int, int] = (0, 0)
    facts: dict[str, str] = field(default_factory=dict)
    refusals: tuple[Any, ...] = ()
    malformed: tuple[Any, ...] = ()


PAINTERS = {
    "gemini": Painter(
        "gemini",
        "gemini-2.5-flash-image",
        "/models/gemini-2.5-flash-image:generateContent",
        candidate({"text": "Here it is."}, inline()),
        {
            "contents": [{"role": "user", "parts": [{"text": TEXT}]}],
            "generationConfig": {
                "responseModalities": ["IMAGE"],
                "imageConfig": {"aspectRatio": "3:2", "extra": 1},
                "seed": 7,
            },
        },
        tokens=(7, 1290),
        facts={"request_id": "r-1"},
        refusals=(
            candidate(reason="IMAGE_SAFETY"),
            candidate(reason="PROHIBITED_CONTENT"),
            {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": USED},
        ),
        malformed=(
            {},
            {"candidates": []},
            candidate(reason="NO_IMAGE"),
            candidate({"text": "I made none."}),
            candidate({"inlineData": {"data": "%%"}}),
            candidate({"inlineData": 5}),
            {"candidates": [{"content": {"parts": 5}}]},
            candidate({"thought": True, **inline()}),
        ),
    ),
    "imagen": Painter(
        "gemini",
        "imagen-4.0-generate-001",
        "/models/imagen-4.0-generate-001:predict",
        {"predictions": [{"mimeType": "image/png", "bytesBase64Encoded": b64(PNG)}]},
        {
            "instances": [{"prompt": TEXT}],
            "parameters": {"sampleCount": 1, "aspectRatio": "4:3", "extra": 1},
        },
        each=False,
        refusals=({}, {"predictions": []}, {"predictions": [{"raiFilteredReason": WORDS}]}),
        malformed=(
            {"predictions": 5},
            {"predictions": [5]},
            {"predictions": [{}]},
            {"predictions": [{"bytesBase64Encoded": "%%"}]},
        ),
    ),
    "huggingface": Painter(
        "huggingface",
        "black-forest-labs/FLUX.1-schnell",
        "",
        PNG,
        {"inputs": TEXT, "parameters": {"width": 1536, "height": 1024, "seed": 7, "extra": 1}},
        kinds=("png", "jpeg", "webp"),
        facts={"request_id": "req_1"},
        malformed=(b"", b"<html>", {"error": WORDS}, b"{}"),
    ),
}
SIZES = {"imagen": "1024x768"}


@pytest.fixture(scope="module")
def server() -> Iterator[ProviderServer]:
    with ProviderServer() as running:
        yield running


@pytest.fixture(params=PAINTERS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def painter(name: str) -> Painter:
    return PAINTERS[name]


def call(server: ProviderServer, painter: Painter, **more: Any) -> Call:
    made = Call("generate_image", painter.model, {"text": TEXT}, {}, 20, "sk-the-key", server.url)
    return replace(made, **more)


def paint(painter: Painter, made: Call) -> Answer:
    answer = lookup(painter.provider).invoke(made)
    assert isinstance(answer, Answer)
    return answer


def unpainted(server: ProviderServer, painter: Painter, script: Script, asked: int = 1, **more: Any) -> BrokerError:
    return failed(server, painter.provider, call(server, painter, **more), script, asked)


def test_a_picture(server: ProviderServer, name: str, painter: Painter) -> None:
    server.answer(Script(painter.good, headers={"x-request-id": "req_1"}))
    asked = {"text": TEXT, "size": SIZES.get(name, "1536x1024")}
    made = call(server, painter, input=asked, parameters={"seed": 7}, options={"image": {"extra": 1}})
    answer = paint(painter, made)
    assert server.asked[0].path.removeprefix("/") == painter.path.removeprefix("/")
    assert server.asked[0].body == painter.asked
    assert "sk-the-key" in "".join(server.asked[0].headers.values())
    assert (answer.output, answer.units, answer.files) == ({"count": 1}, {"images": 1}, (Blob(PNG, "image/png"),))
    if name != "imagen":  # which counts none: an estimate of the text
        assert (answer.input_tokens, answer.output_tokens) == painter.tokens
    assert answer.facts == painter.facts


def test_nothing_is_sent_that_was_not_asked_for(server: ProviderServer, painter: Painter) -> None:
    server.answer(Script(painter.good))
    paint(painter, call(server, painter))
    assert not {"seed", "imageConfig", "aspectRatio", "width"} & set(str(server.asked[0].body).split("'"))


def test_several_pictures(server: ProviderServer, painter: Painter) -> None:
    good = painter.good if painter.each else {"predictions": painter.good["predictions"] * 3}
    server.answer(Script(good))
    answer = paint(painter, call(server, painter, input={"text": TEXT, "count": 3}, parameters={"seed": 7}))
    assert (answer.output, answer.units, len(answer.files)) == ({"count": 3}, {"images": 3}, 3)
    assert len(server.asked) == (3 if painter.each else 1)
    if painter.each:
        assert len({str(each.body) for each in server.asked}) == 3, "all would be the same picture"
        assert answer.output_tokens == 3 * painter.tokens[1]


def test_more_of_imagens_pictures_than_it_makes_at_once(server: ProviderServer) -> None:
    imagen = PAINTERS["imagen"]
    server.answer(Script({"predictions": imagen.good["predictions"] * 4}))
    made = call(server, imagen, model="ours", input={"text": TEXT, "count": 8}, options={"family": "imagen"})
    assert len(paint(imagen, made).files) == 8
    assert [each.body["parameters"]["sampleCount"] for each in server.asked] == [4, 4]
    server.answer(Script(imagen.good))
    paint(imagen, call(server, imagen, input={"text": TEXT, "count": 2, "size": "2048x2048"}))
    assert [each.body["parameters"]["sampleCount"] for each in server.asked] == [1, 1]


def test_what_was_held_back_is_counted(server: ProviderServer) -> None:
    imagen = PAINTERS["imagen"]
    server.answer(Script({"predictions": [*imagen.good["predictions"], {"raiFilteredReason": WORDS}]}))
    answer = paint(imagen, call(server, imagen, input={"text": TEXT, "count": 3}))
    assert (answer.output, answer.units) == ({"count": 1, "filtered": 2}, {"images": 1})


def test_the_bytes_know_what_kind_of_picture_they_are(server: ProviderServer) -> None:
    for name, reply in {"gemini": candidate(inline(JPEG)), "huggingface": JPEG}.items():
        server.answer(Script(reply))
        assert paint(PAINTERS[name], call(server, PAINTERS[name])).files == (Blob(JPEG, "image/jpeg"),)


def test_safety_settings_go_along(server: ProviderServer) -> None:
    settings = [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_ONLY_HIGH"}]
    server.answer(Script(candidate(inline())))
    paint(PAINTERS["gemini"], call(server, PAINTERS["gemini"], options={"safety_settings": settings}))
    assert server.asked[0].body["safetySettings"] == settings


@pytest.mark.parametrize(
    ("asked", "param"),
    [({}, "input.text"), ({"text": " "}, "input.text"), ({"text": TEXT, "format": "gif"}, "input.format")],
)
def test_what_cannot_be_asked_is_not_sent(
    server: ProviderServer, painter: Painter, asked: dict[str, Any], param: str
) -> None:
    error = unpainted(server, painter, Script(), asked=0, input=asked)
    kind = InvalidRequest if error.code == "no_input" else Rejected
    assert (type(error), error.param, error.maybe_paid) == (kind, param, False)


@pytest.mark.parametrize("name", ["gemini", "imagen"])
def test_a_ratio_that_is_not_made_is_not_asked_for(server: ProviderServer, name: str) -> None:
    error = unpainted(server, PAINTERS[name], Script(), asked=0, input={"text": TEXT, "size": "1000x17"})
    assert (type(error), error.param) == (Rejected, "input.size")


def test_the_kind_is_asked_for(server: ProviderServer) -> None:
    server.answer(Script(JPEG))
    flux = PAINTERS["huggingface"]
    paint(flux, call(server, flux, input={"text": TEXT, "format": "jpg"}))
    assert server.asked[0].headers["accept"] == "image/jpeg"


def test_a_refusal_is_one(server: ProviderServer, painter: Painter) -> None:
    for body in painter.refusals:
        error = unpainted(server, painter, Script(body))
        assert (type(error), error.maybe_paid) == (Refused, True), body


def test_a_prompt_that_is_blocked_is_asked_once(server: ProviderServer) -> None:
    blocked = {"promptFeedback": {"blockReason": "SAFETY"}}
    unpainted(server, PAINTERS["gemini"], Script(blocked), input={"text": TEXT, "count": 3})
    unpainted(
        server, PAINTERS["gemini"], Script(candidate(reason="IMAGE_SAFETY")), 3, input={"text": TEXT, "count": 3}
    )  # another picture may pass


def test_malformed_replies_are_bad_output(server: ProviderServer, painter: Painter) -> None:
    for body in [*painter.malformed, b"", b"[]", b"null", b"\xff\xfe", WORDS.encode()]:
        error = unpainted(server, painter, Script(body))
        kind = Unavailable if isinstance(body, dict) and "error" in body else BadOutput
        assert (type(error), error.maybe_paid) == (kind, True), str(body)[:60]


ERRORS: list[tuple[int, type[BrokerError], bool]] = [
    *[(status, Rejected, False) for status in (400, 413, 422)],
    (404, ModelGone, False),
    *[(status, CredentialRejected, False) for status in (401, 402, 403)],
    *[(status, Unavailable, False) for status in (307, 501)],
    (500, Unavailable, True),
    (503, Throttled, False),
    *[(status, ModelTimedOut, True) for status in (408, 504)],
    (429, Throttled, False),
]


def test_each_error_has_its_class(server: ProviderServer, painter: Painter) -> None:
    for status, kind, maybe_paid in ERRORS:
        body = {"error": {"message": WORDS, "code": status}}
        error = unpainted(server, painter, Script(body, status, {"location": "/x", "retry-after": "7"}))
        assert (type(error), error.maybe_paid) == (kind, maybe_paid), status
        assert error.retry_after == (7 if kind is Throttled else None)


@pytest.mark.parametrize("how", ["cut", "cut_body"])
def test_a_lost_connection_may_have_been_paid_for(server: ProviderServer, painter: Painter, how: str) -> None:
    error = unpainted(server, painter, Script(b"\x89P", how=how))
    assert (type(error), error.maybe_paid) == (Unavailable, True)


def test_a_call_that_hangs_ends_in_time(server: ProviderServer, painter: Painter) -> None:
    error = unpainted(server, painter, Script(how="hang"), timeout=0.5)
    assert (type(error), error.code, error.maybe_paid) == (ModelTimedOut, "timeout", True)
