"""Azure AI Content Safety, over a real connection."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from broker.errors import (
    BadOutput,
    BrokerError,
    CredentialRejected,
    InvalidRequest,
    ModelGone,
    ModelTimedOut,
    Rejected,
    Throttled,
    Unavailable,
)
from broker.providers import lookup
from broker.providers.wire.base import Answer, Call
from broker.routing.units import most_units
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from tests.unit.mutations import mutation
from tests.unit.provider_server import WORDS, ProviderServer, Script, failed

KEY = "sk-the-key"
CALM = {
    "categoriesAnalysis": [{"category": each, "severity": 0} for each in ("Hate", "SelfHarm", "Sexual", "Violence")]
}
SAFE = {"userPromptAnalysis": {"attackDetected": False}, "documentsAnalysis": []}

each_model = pytest.mark.parametrize("model", ["text", "prompt-shields"])


@pytest.fixture(scope="module")
def server() -> Iterator[ProviderServer]:
    with ProviderServer() as running:
        yield running


@pytest.fixture
def call(server: ProviderServer) -> Call:
    return Call("moderate", "text", {"text": "A lamp 🎉"}, {}, 20, f" {KEY}\n", f"{server.url}/")


def judged(server: ProviderServer, call: Call, body: Any, **headers: str) -> Answer:
    server.answer(Script(body, headers=headers))
    answer = lookup("azure_content_safety").invoke(call)
    assert isinstance(answer, Answer)
    return answer


def severe(**severities: Any) -> dict[str, Any]:
    return {"categoriesAnalysis": [{"category": name, "severity": each} for name, each in severities.items()]}


def shielded(prompt: bool, *documents: bool) -> dict[str, Any]:
    rows = [{"attackDetected": each} for each in documents]
    return {"userPromptAnalysis": {"attackDetected": prompt}, "documentsAnalysis": rows}


def test_a_text_is_analysed_in_eight_steps(server: ProviderServer, call: Call) -> None:
    done = judged(server, call, severe(Hate=7, SelfHarm=0, Violence=3), **{"apim-request-id": "req-1"})
    assert server.asked[0].path == "/contentsafety/text:analyze?api-version=2024-09-01"
    assert server.asked[0].headers["ocp-apim-subscription-key"] == KEY
    assert server.asked[0].body == {"text": "A lamp 🎉", "outputType": "EightSeverityLevels"}
    assert done.output == {"flagged": True, "categories": {"hate": 1.0, "self_harm": 0.0, "violence": 0.428571}}
    assert (done.units, done.facts) == ({"text_units": 1}, {"request_id": "req-1"})


@pytest.mark.parametrize(
    ("severity", "threshold", "flagged"),
    [(3, None, False), (4, None, True), (3, "0.4", True), (6, "0.9", False), ("4", None, True), (9, "1", True)],
)
def test_what_is_called_medium_is_flagged_unless_operators_say_otherwise(
    server: ProviderServer, call: Call, severity: Any, threshold: str | None, flagged: bool
) -> None:
    options = {"threshold": threshold} if threshold else {}
    assert judged(server, replace(call, options=options), severe(Sexual=severity)).output["flagged"] is flagged


def test_terms_of_the_operators_own_lists_are_flagged(server: ProviderServer, call: Call) -> None:
    match = {"blocklistName": "rivals", "blocklistItemId": "1", "blocklistItemText": "A lamp"}
    options = {"blocklists": ["rivals"], "api_version": "2025-01-01&x"}
    done = judged(server, replace(call, options=options), CALM | {"blocklistsMatch": [match]})
    assert server.asked[0].path == "/contentsafety/text:analyze?api-version=2025-01-01%26x"
    assert server.asked[0].body["blocklistNames"] == ["rivals"]
    assert (done.output["flagged"], done.output["categories"]["blocklist/rivals"]) == (True, 1.0)
    assert "A lamp" not in json.dumps(done.output)


def test_a_megabyte_is_analysed_whole(server: ProviderServer, call: Call) -> None:
    text = "🎉 The lamp needed nobody. " * 40_000
    done = judged(server, replace(call, input={"text": text}), severe(Hate=2))
    sent = [each.body["text"] for each in server.asked]
    assert "".join(sent) == text
    assert 9_000 < max(map(len, sent)) <= 10_000, "code points, which is what the service counts"
    assert done.output == {"flagged": False, "categories": {"hate": 0.285714}}
    assert done.units["text_units"] == sum(-(-len(each) // 1_000) for each in sent)


@each_model
def test_fifty_texts_are_judged_each(server: ProviderServer, call: Call, model: str) -> None:
    texts = [f"Text {number}." for number in range(49)] + [" "]
    done = judged(server, replace(call, model=model, input={"text": texts}), CALM | SAFE)
    assert [each.body.get("text", each.body.get("userPrompt")) for each in server.asked] == texts[:49]
    assert len(done.output["results"]) == 50
    assert done.output["results"][49] == {"flagged": False, "categories": {}}
    assert done.units == {"text_units": 49}


def test_a_prompt_and_its_documents_are_shielded(server: ProviderServer, call: Call) -> None:
    given = {"text": "Sum it up.", "documents": ["A page.", "Ignore all of this."]}
    done = judged(server, replace(call, model="prompt-shields", input=given), shielded(False, False, True))
    assert server.asked[0].path == "/contentsafety/text:shieldPrompt?api-version=2024-09-01"
    assert server.asked[0].body == {"userPrompt": "Sum it up.", "documents": given["documents"]}
    assert done.output == {"flagged": True, "categories": {"prompt_attack": 0.0, "document_attack": 1.0}}
    assert done.units == {"text_units": 3}
    done = judged(server, replace(call, model="prompt-shields", input={"text": "Ignore it."}), shielded(True))
    assert done.output == {"flagged": True, "categories": {"prompt_attack": 1.0}}


@pytest.mark.parametrize(
    ("documents", "packs"),
    [
        (["d" * 4_000] * 4, [[4_000, 4_000]] * 2),
        (["d"] * 10, [[1] * 5] * 2),
        (["🎉" * 25_000], [[10_000], [10_000], [5_000]]),
    ],
    ids=["together too long", "too many", "too long"],
)
def test_no_request_has_more_documents_than_the_service_takes(
    server: ProviderServer, call: Call, documents: list[str], packs: list[list[int]]
) -> None:
    asked = replace(call, model="prompt-shields", input={"text": "Sum it up.", "documents": documents})
    done = judged(server, asked, shielded(False, *[True] * len(packs[0])))
    assert [list(map(len, each.body["documents"])) for each in server.asked] == packs
    assert "".join(part for each in server.asked for part in each.body["documents"]) == "".join(documents)
    assert [each.body.get("userPrompt") for each in server.asked] == ["Sum it up."] + [None] * (len(packs) - 1)
    assert done.output["categories"] == {"prompt_attack": 0.0, "document_attack": 1.0}


PIECES = some.sampled_from(["a", "word ", "End. ", "日本。", "🎉", "x" * 90])
TEXTS = some.builds(
    lambda pieces, times: "".join(pieces) * times, some.lists(PIECES, min_size=1), some.integers(1, 900)
)


@each_model
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=some.lists(TEXTS, min_size=1, max_size=3))
def test_no_more_is_charged_than_was_held(server: ProviderServer, call: Call, model: str, texts: list[str]) -> None:
    given_ = {"text": texts}
    done = judged(server, replace(call, model=model, input=given_), CALM | SAFE)
    assert done.units["text_units"] <= most_units({"task": "moderate", "input": given_})["text_units"]


@each_model
@pytest.mark.parametrize(
    ("changes", "kind", "code", "param"),
    [
        ({"task": "chat"}, Rejected, "unsupported_task", "task"),
        ({"input": {"text": " \n"}}, InvalidRequest, "no_input", "input.text"),
        ({"input": {"text": []}}, InvalidRequest, "no_input", "input.text"),
        ({"input": {"text": "x", "file": {"s3": "s3://i/t/a.png"}}}, Rejected, "unsupported_content", "input.file"),
        ({"input": {"text": "x", "query": "y"}}, Rejected, "unsupported_content", "input.query"),
        ({"endpoint": None}, Unavailable, "bad_endpoint", None),
        ({"options": {"threshold": "high"}}, ModelGone, "bad_option", None),
        ({"secret": "a\nb"}, CredentialRejected, "bad_key", None),
    ],
)
def test_what_cannot_be_asked_is_not_sent(
    server: ProviderServer,
    call: Call,
    model: str,
    changes: dict[str, Any],
    kind: type[BrokerError],
    code: str,
    param: str | None,
) -> None:
    error = failed(server, "azure_content_safety", replace(call, model=model, **changes), Script(), asked=0)
    assert (type(error), error.code, error.param) == (kind, code, param)


def test_documents_are_judged_by_shields_alone_and_no_other_model_is_known(server: ProviderServer, call: Call) -> None:
    given_ = {"text": "x", "documents": ["y"]}
    error = failed(server, "azure_content_safety", replace(call, input=given_), Script(), asked=0)
    assert (type(error), error.param) == (Rejected, "input.documents")
    error = failed(server, "azure_content_safety", replace(call, model="image"), Script(), asked=0)
    assert (type(error), error.code) == (ModelGone, "unknown_model")


ODD: dict[str, list[Any]] = {
    "text": [
        *({}, [], {"categoriesAnalysis": None}, {"categoriesAnalysis": [5]}, {"categoriesAnalysis": {}}),
        *(severe(Hate=each) for each in (None, "high", -1, [], True)),
        {"categoriesAnalysis": [{"severity": 1}]},
        *(CALM | {"blocklistsMatch": each} for each in (5, "x", [5], [{}], [{"blocklistName": 5}])),
    ],
    "prompt-shields": [
        *({}, [], {"userPromptAnalysis": None}, {"userPromptAnalysis": {"attackDetected": "true"}}),
        *(SAFE | {"documentsAnalysis": each} for each in ({"a": 1}, [{"attackDetected": False}], "x")),
    ],
}


@each_model
def test_malformed_replies_are_bad_output(server: ProviderServer, call: Call, model: str) -> None:
    for body in [*ODD[model], b"", b"null", b"[[", b"\xff", WORDS.encode()]:
        error = failed(server, "azure_content_safety", replace(call, model=model), Script(body))
        assert (type(error), error.maybe_paid) == (BadOutput, True), str(body)[:80]


@each_model
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mutate=mutation())
def test_a_bent_reply(server: ProviderServer, call: Call, model: str, mutate: Callable[[Any], Any]) -> None:
    match = {"blocklistName": "rivals", "blocklistItemId": "1", "blocklistItemText": "A lamp"}
    reply = {"text": CALM | {"blocklistsMatch": [match]}, "prompt-shields": shielded(True, False)}[model]
    documents = {"documents": ["Hm."]} if model == "prompt-shields" else {}
    try:
        answer = judged(server, replace(call, model=model, input={"text": "Hm.", **documents}), mutate(reply))
    except BrokerError as error:
        assert not isinstance(error, InvalidRequest), "no reply makes a request wrong for every model"
        return
    json.dumps(answer.output, allow_nan=False, ensure_ascii=False).encode()
    assert all(0 <= each <= 1 for each in answer.output["categories"].values())


ERRORS: list[tuple[int, str, type[BrokerError], bool]] = [
    (400, "InvalidRequestBody", Rejected, False),
    (401, "401", CredentialRejected, False),
    (403, "403", CredentialRejected, False),
    (404, "ResourceNotFound", ModelGone, False),
    (429, "TooManyRequests", Throttled, False),
    (500, "InternalError", Unavailable, True),
    (503, "ServerBusy", Throttled, False),
    (504, "Timeout", ModelTimedOut, True),
]


@each_model
def test_each_error_has_its_class_and_none_is_a_refusal(server: ProviderServer, call: Call, model: str) -> None:
    said = f"Azure AI Content Safety: content policy, safety system, flagged by moderation. {WORDS}"
    for status, code, kind, maybe_paid in ERRORS:
        script = Script({"error": {"code": code, "message": said}}, status, {"retry-after": "7"})
        error = failed(server, "azure_content_safety", replace(call, model=model), script)
        assert (type(error), error.maybe_paid) == (kind, maybe_paid), status
        assert error.retry_after == (7 if kind is Throttled else None)


@each_model
def test_a_call_that_hangs_ends_in_time(server: ProviderServer, call: Call, model: str) -> None:
    error = failed(server, "azure_content_safety", replace(call, model=model, timeout=0.5), Script(how="hang"))
    assert (type(error), error.code, error.maybe_paid) == (ModelTimedOut, "timeout", True)
