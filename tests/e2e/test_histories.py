"""A conversation that goes from provider to provider, each of which is as strict as its service."""

from typing import Any

from tests.e2e.stack import Stack

TOOL = {
    "type": "function",
    "function": {
        "name": "weather.now",
        "description": "Tells the weather.",
        "parameters": {"anyOf": [{"type": "object", "properties": {"city": {"type": "string"}}}, {"type": "null"}]},
    },
}
PROVIDERS = ("of-anthropic", "of-gemini", "of-mistral", "of-openai", "of-cohere", "of-azure", "haiku")


def said(model: str, messages: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"model": model, "input": {"messages": messages, **more}, "parameters": {"max_output_tokens": 50}}


def test_each_provider_goes_on_with_what_the_others_answered(stack: Stack) -> None:
    history: list[dict[str, Any]] = [{"role": "system", "content": "Be brief."}]
    for model in PROVIDERS[:-1]:
        history += [{"role": "user", "content": f"What is the weather in {model}?"}]
        job = stack.run(said(model, history, tools=[TOOL], tool_choice="required"))
        assert job["status"] == "succeeded", (model, job["error"])
        calls = job["output"]["tool_calls"]
        assert calls[0]["function"]["name"] == "weather.now", "the caller's own name, which few services take"
        history += [{"role": "assistant", "content": None, "tool_calls": calls}]
        history += [{"role": "tool", "tool_call_id": calls[0]["id"], "content": "Sunny."}]
    for model in PROVIDERS:
        job = stack.run(said(model, [*history, {"role": "user", "content": "And tomorrow?"}]))
        assert job["status"] == "succeeded", (model, job["error"])
        assert job["output"]["text"]


def test_a_call_whose_result_another_job_brings_stays_in_the_conversation(stack: Stack) -> None:
    kept = {"conversation_id": "weather-1"}
    question = [{"role": "user", "content": "What is the weather?"}]
    first = stack.run(said("of-gemini", question, tools=[TOOL], tool_choice="required") | kept)
    assert first["status"] == "succeeded", first["error"]
    result = {"role": "tool", "tool_call_id": first["output"]["tool_calls"][0]["id"], "content": "Sunny."}
    for model in ("of-mistral", "of-anthropic"):
        job = stack.run(said(model, [result, {"role": "user", "content": "And tomorrow?"}], tools=[TOOL]) | kept)
        assert job["status"] == "succeeded", (model, job["error"])
