"""Answers in form on the deployed stack: schemas that are met late or never, and rules of prompts and routes."""

import json
import uuid
from typing import Any

from local.listening import Listener
from tests.e2e.stack import Stack, chat, put_event
from tests.unit.dialects.openai import OpenAIDialect
from tests.unit.provider_server import ProviderServer, Script

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
FORM = {"query_type": "plain-texts"}


def says(*texts: str) -> list[Script]:
    return [Script(OpenAIDialect().says(text)) for text in texts]


def outcomes(job: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each["model"], each["outcome"]) for each in job["attempts"]]


def test_a_schema_that_is_missed_is_met_in_the_repair(stack: Stack, shaky: ProviderServer) -> None:
    shaky.answer(*says('{"n": "two"}', 'Sure:\n```json\n{"n": 2}\n```'))
    job = stack.run(chat(model="revised", output_schema=SCHEMA))
    assert job["output"]["json"] == {"n": 2}
    assert outcomes(job) == [("revised", "BadOutput"), ("revised", "succeeded")]
    assert "does not meet the schema" in json.dumps(shaky.asked[1].body)


def test_a_schema_that_is_never_met_is_another_models(stack: Stack, shaky: ProviderServer) -> None:
    shaky.answer(*says("No."))
    body = chat(model="revised", output_schema=SCHEMA, parameters={"max_output_tokens": 400})
    job = stack.run(body | {"routing": {"fallbacks": ["answers"]}})
    assert outcomes(job) == [("revised", "BadOutput"), ("revised", "BadOutput"), ("answers", "succeeded")]
    assert isinstance(job["output"]["json"]["n"], int)
    alone = stack.run(body)
    assert (alone["status"], alone["error"]["code"]) == ("failed", "not_json")


def test_a_routes_rules_hold_for_its_jobs_alone_and_its_cache_keeps_what_they_made(
    stack: Stack, shaky: ProviderServer
) -> None:
    shaky.answer(*says("<p>The lamp is <b>lit</b>.</p> It is so late that all of the others have gone to sleep."))
    body = chat(f"What of the lamp {uuid.uuid4()}?", routing=FORM, cache={})
    jobs = [stack.run(body) for _ in range(2)]
    assert [(each["output"]["text"], each["cache"]["hit"]) for each in jobs] == [
        ("The lamp is lit.", False),
        ("The lamp is lit.", True),
    ]
    assert "<b>" in stack.run(body | {"routing": {}, "model": "revised"})["output"]["text"]


def test_a_routes_rules_hold_for_what_comes_by_an_event(stack: Stack, shaky: ProviderServer) -> None:
    shaky.answer(*says("Das ist nicht die Lampe, und der Wärter ist auch nicht da.", " <i>Lit.</i> "))
    with Listener(stack.cloud, stack.outputs["BusName"]) as heard:
        sent = put_event(stack, chat(routing=FORM))
        event = heard.wait("JobSucceeded", lambda detail: detail["metadata"]["correlation_id"] == sent)
    assert event is not None
    job = stack.api.call("GET", f"/jobs/{event['detail']['data']['job_id']}").body
    assert (job["output"]["text"], outcomes(job)) == ("Lit.", [("revised", "BadOutput"), ("revised", "succeeded")])
    assert job["attempts"][0]["error"]["code"] == "wrong_language"


def test_a_prompts_rules_pick_and_fill(stack: Stack, shaky: ProviderServer) -> None:
    shaky.answer(*says('{"items": [{"name": "Ann"}, {}, {"name": "Bob"}], "more": 1}'))
    job = stack.run({"prompt": {"id": "of-fields", "variables": {"what": "the lamp"}}, "model": "revised"})
    assert job["output"]["json"] == {"names": ["Ann", "Bob"], "by": "nobody"}


def test_what_is_picked_takes_the_texts_place_whatever_it_is(stack: Stack, shaky: ProviderServer) -> None:
    shaky.answer(*says('So: {"answer": null, "notes": "not for anybody"}', '{"notes": {"answer": 1}, "answer": 2,}'))
    body = chat("Which?", routing={"query_type": "plain-picks"})
    job = stack.run(body)
    assert (job["output"]["text"], job["output"]["json"]) == ("null", None)
    job = stack.run(body)
    assert (job["status"], job["error"]["code"]) == ("failed", "not_json"), "a piece of broken JSON is none"
    shaky.answer(*says('{"answer": 1e999}'))
    assert stack.run(body)["error"]["code"] == "not_json"


def test_a_citation_of_nothing_is_repaired_then_another_models(stack: Stack, shaky: ProviderServer) -> None:
    variables = {"question": "When?", "text": "The lamp was lit at dusk."}
    body = {"prompt": {"id": "of-documents", "variables": variables}, "model": "revised"}
    shaky.answer(*says("At noon [2].", 'It says "the lamp was lit at dusk" [1].'))
    job = stack.run(body)
    assert job["output"]["text"] == 'It says "the lamp was lit at dusk" [1].'
    assert "cites [2]" in json.dumps(shaky.asked[1].body)
    shaky.answer(*says("At noon [2]."))
    job = stack.run(body | {"routing": {"fallbacks": ["echoes"]}})
    assert outcomes(job) == [("revised", "BadOutput"), ("revised", "BadOutput"), ("echoes", "succeeded")]
