"""Guardrails, before and after the model."""

from tests.e2e.registered import DENIES_HERONS
from tests.e2e.stack import Stack, chat

HERON = "A heron stood by the water."


def test_a_block_before_the_model_reaches_no_model(stack: Stack) -> None:
    job = stack.run(chat("Tell me about Project  Nightjar."))
    assert (job["status"], job["error"]["code"], job["error"]["source"]) == ("blocked", "blocked_input", "policy")
    assert job["attempts"] == []
    assert job["guardrails"][0]["rule"] == "denied_terms"
    assert "ightjar" not in str(job)


def test_a_block_after_the_model_shows_no_answer_and_is_paid_for(stack: Stack) -> None:
    body = chat("What is the sentiment of: I love it", model="answers")
    job = stack.run(body, stack.as_tenant("noting"))
    assert (job["status"], job["error"]["code"]) == ("blocked", "blocked_output")
    assert job["output"] is None
    assert job["usage"]["cost_usd"] > 0
    assert stack.run(body)["output"]["text"] == "positive"


def test_what_a_policy_does_not_block_is_noted(stack: Stack) -> None:
    job = stack.run(chat("4111 1111 1111 1111", model="echoes"), stack.as_tenant("noting"))
    assert job["status"] == "succeeded"
    assert [(each["stage"], each["action"]) for each in job["guardrails"]] == [("input", "flag"), ("output", "flag")]


def test_a_tenants_policy_holds_for_it_alone_and_one_in_the_shadow_only_notes(stack: Stack) -> None:
    guarded, trying, other = (
        stack.run(chat(HERON, model="echoes"), stack.as_tenant(name)) for name in ("guarded", "trying", "noting")
    )
    assert (guarded["status"], guarded["error"]["code"], guarded["attempts"]) == ("blocked", "blocked_input", [])
    assert [(each["policy"], each["shadow"]) for each in guarded["guardrails"]] == [("herons@1", False)]
    assert trying["status"] == "succeeded"
    assert [(each["policy"], each["stage"], each["shadow"]) for each in trying["guardrails"]] == [
        ("herons-tried@1", "input", True),
        ("herons-tried@1", "output", True),
    ]
    assert (other["status"], other["guardrails"]) == ("succeeded", [])


def test_a_prompts_policy_holds_for_what_is_filled_from_it(stack: Stack) -> None:
    prompt = {"prompt": {"id": "of-ponds", "variables": {"what": "the pond is deep"}}, "model": "echoes"}
    job = stack.run(prompt | {"cache": {}})
    assert (job["status"], job["error"]["code"]) == ("blocked", "blocked_output")
    assert [each["policy"] for each in job["guardrails"]] == ["ponds@1"]
    assert stack.run(chat("Repeat: the pond is deep", model="echoes"))["status"] == "succeeded"


def test_a_text_is_tried_without_a_job(stack: Stack) -> None:
    def check(tenant: str, **body: object) -> dict[str, object]:
        answer = stack.as_tenant(tenant).call("POST", "/guardrails/check", body)
        assert answer.status == 200, answer.body
        return {name: answer.body[name] for name in ("blocked", "rules", "redacted")} | {
            "policies": [each["policy"] for each in answer.body["findings"]]
        }

    before = stack.as_tenant("noting").call("GET", "/jobs").body
    nothing = {"redacted": None, "rules": [], "blocked": False, "policies": []}
    assert check("guarded", input=HERON) == nothing | {
        "blocked": True,
        "rules": ["denied_terms"],
        "policies": ["herons@1"],
    }
    assert check("noting", input=HERON) == nothing
    assert check("noting", input=HERON, policies=["herons-tried"]) == nothing | {"policies": ["herons-tried@1"]}
    refused = stack.as_tenant("noting").call("POST", "/guardrails/check", {"input": HERON, "policies": ["herons"]})
    assert (refused.status, refused.body["error"]["param"]) == (404, "policies.0")
    assert stack.as_tenant("noting").call("GET", "/jobs").body == before, "there is no job of it"


def test_a_policy_that_is_gone_fails_the_job_before_any_model(stack: Stack) -> None:
    stack.register({"guardrails": [{"id": "fleeting", "rules": [DENIES_HERONS]}]})
    stack.register({"tenants": [{"id": "left-alone", "guardrails": ["fleeting"]}]})
    stack.drop("registry", [("GUARDRAIL#fleeting", "GUARDRAIL")])
    job = stack.run(chat("Hello.", model="echoes"), stack.as_tenant("left-alone"))
    assert (job["status"], job["error"]["code"], job["attempts"]) == ("failed", "policy_missing", [])
