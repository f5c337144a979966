"""Rules for answers through the whole workflow: repair, fallback, guardrails, cache, and jobs without any."""

import json
from typing import Any

import pytest
from broker.jobs.head import Status
from broker.providers.wire.base import Answer
from broker.registry.applying import apply
from broker.registry.document import parse_registry

from tests.fakes.flow import Flow
from tests.fakes.world import NOW, a_model

CITED = {"id": "cited", "user": "{{question}}\n\n[1] {{document}}", "postprocess": {"citations": {"at_least": 1}}}
PLAIN = {"id": "plain", "query_type": "plain", "models": ["small"], "postprocess": {"strip_html": True, "trim": True}}
ASK = {"prompt": {"id": "cited", "variables": {"question": "When was it lit?", "document": "The lamp was lit."}}}
ON_ROUTE = {"routing": {"query_type": "plain"}}


@pytest.fixture
def flow() -> Flow:
    made = Flow()
    register(made, {"prompts": [CITED], "routes": [PLAIN]})
    return made


def register(flow: Flow, document: dict[str, Any]) -> None:
    # The models and routes are those of the fakes, which no document registered.
    for kind, entries in document.items():
        for each in entries:
            if kind == "routes":
                flow.world.register(parse_registry({kind: [each]}).routes[0].item() | {"version": 1})
            else:
                apply(flow.world.registry(), parse_registry({kind: [each]}), by="tests", now=NOW)


def says(flow: Flow, *texts: str, **more: Any) -> None:
    flow.stage.provider.script.extend(
        Answer({"text": text, "finish_reason": "stop", **more}, input_tokens=7, output_tokens=3) for text in texts
    )


def outcomes(flow: Flow, job_id: str) -> list[tuple[str, str]]:
    return [(each["model"], each["outcome"]) for each in flow.look(job_id)["attempts"]]


def test_an_answer_is_processed_before_anybody_sees_it(flow: Flow) -> None:
    says(flow, " <p>Lit <b>at dusk</b>.</p> ")
    job = flow({"input": {"text": "When?"}, **ON_ROUTE})
    assert flow.look(job.id)["output"]["text"] == "Lit at dusk."
    assert "<b>" not in flow.kept()


def test_prompt_and_route_both_hold_the_prompts_first(flow: Flow) -> None:
    says(flow, "<p>See [1].</p>")
    assert flow.look(flow(ASK | ON_ROUTE).id)["output"]["text"] == "See [1]."


def test_a_bad_answer_is_repaired_once_and_the_model_is_told_the_fault(flow: Flow) -> None:
    says(flow, "See [2].", "See [1].")
    job = flow(ASK | {"model": "small"})
    assert outcomes(flow, job.id) == [("small", "BadOutput"), ("small", "succeeded")]
    first, second = flow.stage.provider.calls
    assert (first.repair, second.repair) == (False, True)
    assert second.fault == "The model's answer cites [2], which is not in the input."
    assert [each["paid"] for each in flow.look(job.id)["attempts"]] == ["yes", "yes"]
    assert job.usage == {"input_tokens": 7, "output_tokens": 3}
    assert job.spent == 2 * (7 * 1 + 3 * 2), "the bad answer was paid for as told"


def test_after_the_repair_the_next_candidate_is_asked(flow: Flow) -> None:
    says(flow, "See [2].", "Lit.", "See [1].")
    job = flow(ASK | {"model": "small", "routing": {"fallbacks": ["large"]}})
    assert outcomes(flow, job.id) == [("small", "BadOutput"), ("small", "BadOutput"), ("large", "succeeded")]


def test_what_the_limit_on_tokens_cut_off_is_asked_for_once(flow: Flow) -> None:
    picks = {"id": "picks", "query_type": "picks", "models": ["small", "large"], "postprocess": {"pick": "$.when"}}
    register(flow, {"routes": [picks]})
    says(flow, '{"who": {"when": "never"}, "when": "at du', finish_reason="length")
    job = flow({"input": {"text": "When?"}, "routing": {"query_type": "picks"}})
    assert (job.status, (job.error or {})["code"]) == (Status.FAILED, "output_truncated")
    assert outcomes(flow, job.id) == [("small", "Truncated")]
    assert job.spent == 7 * 1 + 3 * 2


def test_where_no_model_gives_a_good_one_the_job_fails_and_keeps_none(flow: Flow) -> None:
    says(flow, "See [2].", "Nobody knows.")
    job = flow(ASK | {"model": "small"})
    assert (job.status, (job.error or {})["code"]) == (Status.FAILED, "unfounded_citation")
    assert "[2]." not in flow.kept() and "Nobody" not in flow.kept()


def test_guardrails_see_what_callers_will_see(flow: Flow) -> None:
    flow.hold({"check": "denied_terms", "action": "block", "terms": ["blue bird"], "stages": ["output"]})
    says(flow, "<p>A blue</p> bird", "A <i>blue</i> <!-- --> bird", "A <script>blue bird</script> sang")
    states = [flow({"input": {"text": text}, **ON_ROUTE}).status for text in ("1", "2", "3")]
    assert states == [Status.BLOCKED, Status.BLOCKED, Status.SUCCEEDED]


def test_a_tool_call_of_a_conversation_and_its_answer_are_processed_alike(flow: Flow) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "look", "arguments": json.dumps({"q": "<b>"})}}
    says(flow, "<i>I look.</i>", tool_calls=[call])
    says(flow, "<i>Lit.</i>")
    body = {"conversation_id": "c-1", **ON_ROUTE}
    tools = {"tools": [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]}
    flow.world.register(a_model("small", capabilities=["tools"]))
    first = flow(body | {"input": {"text": "When?"} | tools})
    result = {"role": "tool", "tool_call_id": "1", "content": "at dusk"}
    second = flow(body | {"input": {"messages": [result]} | tools})
    shown = [flow.look(each.id)["output"] for each in (first, second)]
    assert [each["text"] for each in shown] == ["I look.", "Lit."]
    assert shown[0]["tool_calls"] == [call]


def test_the_cache_keeps_the_processed_answer_for_the_same_rules_alone(flow: Flow) -> None:
    body = {"input": {"text": "When?"}, "cache": {}, **ON_ROUTE}
    says(flow, "<p>One</p>", "<p>Two</p>", "<p>Three</p>")
    first = [flow.look(flow(body).id) for _ in range(2)]
    register(flow, {"routes": [PLAIN | {"postprocess": {"strip_html": True}}]})
    other = [flow.look(flow(body).id) for _ in range(2)]
    bare = flow.look(flow({"input": {"text": "When?"}, "cache": {}, "model": "small"}).id)
    shown = [(each["output"]["text"], each["cache"]["hit"]) for each in [*first, *other, bare]]
    assert shown == [("One", False), ("One", True), ("Two\n", False), ("Two\n", True), ("<p>Three</p>", False)]


@pytest.mark.parametrize(("query_type", "kind"), [("plain", "semantic"), ("founded", None)])
def test_no_answer_to_a_similar_question_is_given_where_citations_are_checked(
    flow: Flow, query_type: str, kind: str | None
) -> None:
    """Its citations are those of another input."""
    founded = {"id": "founded", "query_type": "founded", "models": ["small"], "postprocess": {"citations": True}}
    register(flow, {"routes": [founded]})
    flow.world.register(a_model("embedder", tasks=["embed"]))
    flow.tenant(cache_embedding_model="embedder")
    body: dict[str, Any] = {"cache": {"similarity": 0.9}, "routing": {"query_type": query_type}}
    flow(body | {"input": {"text": "[1] It was lit at dusk. [2] And out at dawn."}})
    again = flow.look(flow(body | {"input": {"text": "[1] It was lit at dusk."}}).id)
    assert (again["cache"].get("kind"), again["status"]) == (kind, "succeeded")


def test_rules_are_those_of_when_the_job_was_accepted(flow: Flow) -> None:
    says(flow, "<p>One</p>")
    waiting = flow.submit({"input": {"text": "When?"}, **ON_ROUTE})
    register(flow, {"routes": [{name: value for name, value in PLAIN.items() if name != "postprocess"}]})
    assert flow.look(flow.run(waiting).id)["output"]["text"] == "One"


def test_placeholders_of_a_redaction_go_through(flow: Flow) -> None:
    flow.hold({"check": "denied_terms", "action": "redact", "terms": ["Ann Lee"]})
    says(flow, "<DENIED_TERM_1> and &lt;DENIED_TERM_1&gt; lit it, <b>she</b> did.")
    job = flow({"input": {"text": "Did Ann Lee light it?"}, **ON_ROUTE})
    assert flow.look(job.id, "jobs:read pii:read")["output"]["text"] == "Ann Lee and Ann Lee lit it, she did."


def test_callers_cannot_bring_rules_of_their_own(flow: Flow) -> None:
    with pytest.raises(Exception, match="there is no such field"):
        flow.submit({"input": {"text": "When?"}, "postprocess": [{"trim": True}]})


def test_a_job_without_rules_loads_none_of_this(flow: Flow) -> None:
    job = flow.submit({"input": {"text": "When?"}, "model": "small"})
    assert "postprocess" not in (flow.world.payloads.load(job.id, "BODY") or {})
