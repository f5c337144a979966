"""Google's translation, over a real connection."""

import traceback
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from broker.errors import (
    BadOutput,
    BrokerError,
    ContextExceeded,
    CredentialRejected,
    InvalidRequest,
    ModelTimedOut,
    Rejected,
    Throttled,
    Unavailable,
)
from broker.providers import lookup
from broker.providers.wire.base import Call

from tests.unit.provider_server import ProviderServer, Script

KEY = "AIza-the-key"
WORDS = "PROVIDER-TEXT that quotes: what is my diagnosis?"
TEXT = "<b>Tom & Ann</b> 🎉"


@pytest.fixture(scope="module")
def server() -> Iterator[ProviderServer]:
    with ProviderServer() as running:
        yield running


@pytest.fixture
def call(server: ProviderServer) -> Call:
    asked = {"text": TEXT, "target_language": "zh-TW"}
    return Call("translate", "nmt", asked, {}, 20, f" {KEY}\n", f"{server.url}/")


def says(text: Any, **more: Any) -> dict[str, Any]:
    return {"data": {"translations": [{"translatedText": text, "detectedSourceLanguage": "en", **more}]}}


def failed(server: ProviderServer, call: Call, script: Script, asked: int = 1) -> BrokerError:
    """The error, which tells neither the key nor the provider's words nor the text."""
    server.answer(script)
    with pytest.raises(BrokerError) as caught:
        lookup("google_translate").invoke(call)
    assert len(server.asked) == asked
    shown = "".join(traceback.format_exception(caught.value)) + caught.value.cause()
    assert not any(secret in shown for secret in (KEY, "PROVIDER-TEXT", "diagnosis", "Tom"))
    return caught.value


def test_a_text_is_translated_as_plain_text(server: ProviderServer, call: Call) -> None:
    server.answer(Script(says("<b>湯姆 & 安</b> 🎉")))
    answer = lookup("google_translate").invoke(call)
    assert server.asked[0].path == "/language/translate/v2"
    assert server.asked[0].headers["x-goog-api-key"] == KEY
    assert server.asked[0].body == {"q": [TEXT], "target": "zh-TW", "format": "text"}
    assert answer.output == {"text": "<b>湯姆 & 安</b> 🎉", "source_language": "en", "target_language": "zh-TW"}
    assert answer.units == {"characters": 18}


def test_the_source_language_is_the_one_that_was_said(server: ProviderServer, call: Call) -> None:
    server.answer(Script({"data": {"translations": [{"translatedText": "x" * 100_000}]}}))
    said = replace(call, input=call.input | {"source_language": "fr"}, options={"model": "nmt"})
    answer = lookup("google_translate").invoke(said)
    assert (server.asked[0].body["source"], server.asked[0].body["model"]) == ("fr", "nmt")
    assert (answer.output["source_language"], len(answer.output["text"])) == ("fr", 100_000)


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"task": "chat"}, "task"),
        ({"input": {"target_language": "de"}}, "input.text"),
        ({"input": {"text": "", "target_language": "de"}}, "input.text"),
        ({"input": {"text": "Tom"}}, "input.target_language"),
    ],
)
def test_what_cannot_be_asked_is_not_sent(
    server: ProviderServer, call: Call, changes: dict[str, Any], param: str
) -> None:
    error = failed(server, replace(call, **changes), Script(), asked=0)
    assert (type(error), error.param) == (Rejected if param == "task" else InvalidRequest, param)


def test_a_key_that_no_header_can_carry_is_not_quoted(server: ProviderServer, call: Call) -> None:
    for key in (f"{KEY}\nx: y", f"{KEY}ü"):
        assert type(failed(server, replace(call, secret=key), Script(), asked=0)) is CredentialRejected


def test_malformed_replies_are_bad_output(server: ProviderServer, call: Call) -> None:
    bodies: list[Any] = [b"", b"[]", b"null", b"[[", b"\xff", WORDS.encode(), {}, {"data": 5}, {"data": {}}]
    bodies += [{"data": {"translations": rows}} for rows in ([], [5], 5, [{}], [{"translatedText": "a"}] * 2)]
    bodies += [
        says(""),
        says(5),
        says("a", detectedSourceLanguage=None),
        b'{"data": {"translations": [{"translatedText": "\\ud800"}]}}',
    ]
    for body in bodies:
        error = failed(server, call, Script(body))
        assert (type(error), error.maybe_paid) == (BadOutput, True), str(body)[:80]


def error(code: int, reason: str, detail: str | None = None) -> dict[str, Any]:
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": detail}] if detail else []
    errors = [{"message": WORDS, "domain": "global", "reason": reason}]
    return {"error": {"code": code, "message": WORDS, "errors": errors, "status": "X", "details": details}}


ERRORS: list[tuple[int, Any, type[BrokerError], bool]] = [
    (400, error(400, "invalid"), Rejected, False),
    (400, error(400, "badRequest", "API_KEY_INVALID"), CredentialRejected, False),
    (400, error(400, "keyInvalid"), CredentialRejected, False),
    (401, error(401, "required"), CredentialRejected, False),
    (403, error(403, "forbidden"), CredentialRejected, False),
    (403, error(403, "dailyLimitExceeded"), Throttled, False),
    (403, error(403, "userRateLimitExceeded"), Throttled, False),
    (429, error(429, "rateLimitExceeded"), Throttled, False),
    (429, WORDS.encode(), Throttled, False),
    (413, error(413, "invalid"), ContextExceeded, False),
    (400, {"error": {"code": 400, "message": f"Text is too long. {WORDS}"}}, ContextExceeded, False),
    (500, error(500, "backendError"), Unavailable, True),
    (503, {"error": {"errors": [5], "details": 5}}, Unavailable, False),
    (503, {"error": WORDS}, Unavailable, False),
    (504, b"", ModelTimedOut, True),
]


def test_each_error_has_its_class(server: ProviderServer, call: Call) -> None:
    for status, body, kind, maybe_paid in ERRORS:
        error = failed(server, call, Script(body, status))
        assert (type(error), error.maybe_paid) == (kind, maybe_paid), (status, body)


@pytest.mark.parametrize("how", ["cut", "cut_body", "hang"])
def test_a_lost_connection_may_have_been_paid_for(server: ProviderServer, call: Call, how: str) -> None:
    error = failed(server, replace(call, timeout=0.5), Script(says("a"), how=how))
    assert (type(error), error.maybe_paid) == (ModelTimedOut if how == "hang" else Unavailable, True)
