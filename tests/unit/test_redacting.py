"""Redaction through the whole workflow: what goes out, what is kept, who sees what."""

import json
from dataclasses import replace
from typing import Any

import pytest
from broker.errors import Conflict
from broker.jobs.ending import cancel_job
from broker.jobs.erasing import erase
from broker.jobs.head import Status
from broker.jobs.store import REDACTED
from broker.providers.wire.base import Answer

from tests.fakes.flow import Flow
from tests.fakes.world import a_model

ANN, BOB, EVE = "Ann Lee", "Bob Ray", "Eve Fox"
PEOPLE = (ANN, BOB, EVE)


def people(action: str) -> dict[str, Any]:
    return {"check": "denied_terms", "action": action, "terms": list(PEOPLE)}


def ask(text: str, **more: Any) -> dict[str, Any]:
    return {"input": {"messages": [{"role": "user", "content": text}]}, "model": "small", **more}


@pytest.fixture
def flow() -> Flow:
    return Flow([people("redact")])


PII = "jobs:read pii:read"


def test_the_model_gets_placeholders_and_the_caller_with_the_scope_the_values(flow: Flow) -> None:
    job = flow(ask(f"Write to {ANN}, then to {BOB}, then to {ANN}."))
    (sent,) = flow.sent
    assert "Write to <DENIED_TERM_1>, then to <DENIED_TERM_2>, then to <DENIED_TERM_1>." in sent
    assert not any(name in sent for name in PEOPLE)
    shown = {scopes: flow.look(job.id, scopes)["output"]["text"] for scopes in ("jobs:read", "*", PII)}
    assert (
        shown["jobs:read"]
        == shown["*"]
        == ("You: Write to <DENIED_TERM_1>, then to <DENIED_TERM_2>, then to <DENIED_TERM_1>.")
    )
    assert shown[PII] == f"You: Write to {ANN}, then to {BOB}, then to {ANN}."


def test_an_answer_is_filled_in_wherever_the_model_put_a_placeholder(flow: Flow) -> None:
    arguments = json.dumps({"to": "<DENIED_TERM_1>", "note": 'say "hi"'})
    output = {
        "text": "To <b>&lt;DENIED_TERM_1&gt;</b>, not to <DENIED_TERM_9>.",
        "json": {"people": ["<DENIED_TERM_1>"], "n": 1},
        "tool_calls": [{"id": "1", "type": "function", "function": {"name": "mail", "arguments": arguments}}],
    }
    flow.stage.provider.script.append(Answer(output))
    shown = flow.look(flow(ask(f"Write to {ANN}.")).id, PII)["output"]
    assert shown["text"] == f"To <b>{ANN}</b>, not to <DENIED_TERM_9>."
    assert shown["json"] == {"people": [ANN], "n": 1}
    assert json.loads(shown["tool_calls"][0]["function"]["arguments"]) == {"to": ANN, "note": 'say "hi"'}


EVERYTHING: dict[str, Any] = {
    "conversation_id": "c-1",
    "cache": {"similarity": 0.9},
    "coalesce": True,
    "parameters": {"stop": [f"Dear {ANN}"]},
    "output_schema": {"type": "object", "properties": {"name": {"const": BOB}}},
}


def test_nothing_that_is_redacted_is_anywhere_but_in_the_jobs_own_payloads(
    flow: Flow, capsys: pytest.CaptureFixture[str]
) -> None:
    flow.world.register(a_model("titan", tasks=["embed"]), a_model("small"))
    flow.tenant(cache_embedding_model="titan")
    for text in (f"Write to {ANN}.", f"And to {BOB}, as to {ANN}.", f"And {EVE}?"):
        job = flow(ask(text, **EVERYTHING))
        assert job.status is Status.SUCCEEDED, job.error
    assert {call.task for call in flow.stage.provider.calls} == {"chat", "embed"}
    told = "".join(flow.sent) + flow.kept() + capsys.readouterr().out
    assert "<DENIED_TERM_3>" in told
    assert not any(name in told for name in PEOPLE)
    assert flow.look(job.id, PII)["output"]["text"] == f"You: And {EVE}?"


def test_a_job_without_findings_keeps_nothing_more(flow: Flow) -> None:
    job = flow(ask("Write to <DENIED_TERM_1>."))
    assert flow.world.payloads.load(job.id, REDACTED) is None
    assert "redacted" not in str(flow.travelled)
    assert flow.look(job.id, PII)["output"]["text"] == "You: Write to <DENIED_TERM_1>."


def test_a_placeholder_that_came_in_stays_what_it_was(flow: Flow) -> None:
    job = flow(ask(f"Is <DENIED_TERM_1> {ANN}?"))
    assert "Is <DENIED_TERM_1> <DENIED_TERM_2>?" in flow.sent[0]
    assert flow.look(job.id, PII)["output"]["text"] == f"You: Is <DENIED_TERM_1> {ANN}?"


def test_a_later_run_gives_the_same_placeholders(flow: Flow) -> None:
    head = flow.submit(ask(f"{BOB} and {ANN}"))
    flow.world.jobs.change(head.id, lambda current: replace(current, run=1, rev=current.rev + 1))
    mapping = {"DENIED_TERM_1": ANN, "DENIED_TERM_2": "gone"}
    flow.world.payloads.save(head, REDACTED, {"request": {}, "mapping": mapping})
    job = flow.run(flow.world.jobs.get(head.id))
    assert "<DENIED_TERM_3> and <DENIED_TERM_1>" in flow.sent[0]
    assert flow.look(job.id, PII)["output"]["text"] == f"You: {BOB} and {ANN}"


def test_an_answer_whose_values_are_gone_keeps_its_placeholders(flow: Flow) -> None:
    job = flow(ask(f"Write to {ANN}."))
    flow.world.payloads.drop(job.id, REDACTED)
    assert flow.look(job.id, PII)["output"]["text"] == "You: Write to <DENIED_TERM_1>."


def test_a_mask_has_no_way_back() -> None:
    flow = Flow([people("mask")])
    job = flow(ask(f"Write to {ANN}."))
    assert "Write to *** ***." in flow.sent[0]
    assert flow.look(job.id, PII)["output"]["text"] == "You: Write to *** ***."


HASHES = {"redaction/acme": "k1", "redaction/other": "k2"}


def hashing() -> Flow:
    flow = Flow([people("hash")], HASHES)
    for tenant in ("acme", "other"):
        flow.tenant(tenant, redaction_secret=f"redaction/{tenant}")
    return flow


def test_a_hash_is_the_same_within_a_tenant_and_for_no_other() -> None:
    flow = hashing()
    jobs = [flow(ask(f"Write to {ANN}."), tenant) for tenant in ("acme", "acme", "other")]
    first, again, other = flow.sent
    assert first == again != other
    assert all("<DENIED_TERM:" in sent and ANN not in sent for sent in flow.sent)
    assert "<DENIED_TERM:" in flow.look(jobs[0].id, PII)["output"]["text"]


@pytest.mark.parametrize(
    "settings", [{}, {"redaction_secret": "redaction/empty"}, {"redaction_secret": "redaction/no"}]
)
def test_a_hash_without_a_key_blocks(settings: dict[str, str]) -> None:
    flow = Flow([people("hash")], {"redaction/empty": ""})
    flow.tenant(**settings)
    job = flow(ask(f"Write to {ANN}."))
    assert (job.status, flow.sent) == (Status.BLOCKED, [])
    (finding,) = flow.look(job.id)["guardrails"]
    assert (finding["rule"], finding["kind"], finding["action"]) == ("denied_terms", "check_failed", "error")


def test_what_is_taken_out_of_an_answer_is_never_kept_as_it_was(flow: Flow) -> None:
    flow.stage.provider.script.append(Answer({"text": f"<DENIED_TERM_1> knows {BOB} and {ANN}."}, 10, 20))
    job = flow(ask(f"Who knows {ANN}?"))
    assert flow.look(job.id)["output"]["text"] == "<DENIED_TERM_1> knows <DENIED_TERM_2> and <DENIED_TERM_1>."
    assert flow.look(job.id, PII)["output"]["text"] == f"{ANN} knows {BOB} and {ANN}."
    assert not any(name in flow.kept() for name in PEOPLE)
    assert (job.usage, job.spent) == ({"input_tokens": 10, "output_tokens": 20}, 50)


def test_also_where_the_request_had_nothing(flow: Flow) -> None:
    flow.stage.provider.script.append(Answer({"text": f"It is {BOB}.", "n": 1}))
    job = flow(ask("Who is it?", conversation_id="c-1"))
    assert flow.look(job.id)["output"] == {"text": "It is <DENIED_TERM_1>.", "n": 1}
    assert flow.look(job.id, PII)["output"]["text"] == f"It is {BOB}."
    assert BOB not in flow.kept()
    flow(ask(f"Is {ANN} like {BOB}?", conversation_id="c-1"))
    assert "Is <DENIED_TERM_2> like <DENIED_TERM_1>?" in flow.sent[1]


@pytest.mark.parametrize(("action", "left"), [("mask", "It is *** ***."), ("hash", "It is <DENIED_TERM:")])
def test_masks_and_hashes_of_answers_have_no_way_back(action: str, left: str) -> None:
    flow = hashing()
    flow.hold(people(action))
    flow.stage.provider.script.append(Answer({"text": f"It is {BOB}."}))
    job = flow(ask("Who is it?", cache={}))
    assert flow.look(job.id, PII)["output"]["text"].startswith(left)
    assert BOB not in flow.kept()
    assert BOB not in str(flow.world.payloads.load(job.id, REDACTED)), "there is nothing to fill in"


@pytest.mark.parametrize("when", ["before the model", "after it"])
def test_a_job_that_is_erased_meanwhile_keeps_nothing(flow: Flow, when: str) -> None:
    world, head = flow.world, flow.submit(ask(f"Who is {ANN}?" if when == "before the model" else "Who?"))

    def erase_it() -> None:
        ended = cancel_job(world.jobs, head.id, "acme", flow.now)
        erase(world.jobs, world.payloads, lambda job_id: None, world.turns.erase_turn, ended)

    def right_before_the_note() -> None:
        world.database.meanwhile.append(erase_it)

    if when == "before the model":
        world.database.meanwhile.append(lambda: None)  # the claim
        right_before_the_note()
    else:
        flow.stage.provider.during = right_before_the_note
        flow.stage.provider.script.append(Answer({"text": f"It is {ANN}."}))
    with pytest.raises(Conflict):
        flow.run(head)
    assert world.payloads.names(head.id) == []
    assert ANN not in flow.kept()
    assert flow.travelled == [] or when == "after it", "the step itself stops"


def test_a_cached_answer_is_filled_in_with_the_askers_own_values(flow: Flow) -> None:
    cached: dict[str, Any] = {"cache": {}}
    asked = [(ANN, "acme"), (BOB, "acme"), (EVE, "other")]
    for name, tenant in asked:
        job = flow(ask(f"Write to {name}.", **cached), tenant)
        assert flow.look(job.id, PII, tenant)["output"]["text"] == f"You: Write to {name}."
        assert flow.look(job.id, tenant=tenant)["output"]["text"] == "You: Write to <DENIED_TERM_1>."
    assert len(flow.sent) == 2, "one for each tenant"
    assert not any(name in flow.kept() for name in PEOPLE)


def test_what_only_an_answer_had_is_shown_to_nobody_else(flow: Flow) -> None:
    flow.stage.provider.script.append(Answer({"text": f"<DENIED_TERM_1> knows {EVE}."}))
    first = flow(ask(f"Who knows {ANN}?", cache={}))
    second = flow(ask(f"Who knows {BOB}?", cache={}))
    assert flow.look(first.id, PII)["output"]["text"] == f"{ANN} knows {EVE}."
    assert flow.look(second.id, PII)["output"]["text"] == f"{BOB} knows <DENIED_TERM_2>."
    assert len(flow.sent) == 1


@pytest.mark.parametrize("early", [False, True], ids=["after its moderation", "before"])
def test_a_shared_answer_is_filled_in_with_the_askers_own_values(flow: Flow, early: bool) -> None:
    flow.stage.provider.script.append(Answer(raw := {"text": f"<DENIED_TERM_1> knows {EVE}."}))
    heads = [flow.submit(ask(f"Who knows {name}?", coalesce=True)) for name in (ANN, BOB)]
    first = flow.run(heads[0])
    assert flow.look(first.id, PII)["output"]["text"] == f"{ANN} knows {EVE}."
    if early:
        flow.world.payloads.replace(first, first.output or "", raw)
    second = flow.run(heads[1])
    assert len(flow.sent) == 1
    assert flow.look(second.id)["output"]["text"] == "<DENIED_TERM_1> knows <DENIED_TERM_2>."
    assert flow.look(second.id, PII)["output"]["text"] == f"{BOB} knows {EVE if early else '<DENIED_TERM_2>'}."
