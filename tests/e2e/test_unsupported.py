"""What the real packages call and nothing answers: their own errors, by name, and no repeats."""

import anthropic
import openai
import pytest

from tests.e2e.stack import Stack


def test_openais_package_is_told_what_there_is_instead(stack: Stack) -> None:
    with openai.OpenAI(base_url=stack.base_url, api_key=stack.seeded.api_key) as client:
        for call, instead in (
            (lambda: client.fine_tuning.jobs.list(), "training"),
            (lambda: client.vector_stores.retrieve("vs_1"), "search"),
            (lambda: client.chat.completions.messages.list("chatcmpl-1"), "/v1/jobs/"),
            (lambda: client.models.delete("echoes"), "operators"),
        ):
            with pytest.raises(openai.BadRequestError) as refused:
                call()
            assert refused.value.code == "unsupported_call" and instead in refused.value.message
            assert refused.value.request_id


def test_anthropics_package_is_told_in_its_own_form(stack: Stack) -> None:
    with anthropic.Anthropic(base_url=stack.base_url.removesuffix("/v1"), api_key=stack.seeded.api_key) as client:
        with pytest.raises(anthropic.BadRequestError) as refused:
            client.get("/v1/sessions", cast_to=object)
        assert "agents that run at Anthropic" in refused.value.message
        with pytest.raises(anthropic.NotFoundError) as nowhere:
            client.get("/v1/nowhere", cast_to=object)
    for failure in (refused.value, nowhere.value):
        assert isinstance(failure.body, dict) and failure.body["type"] == "error" and failure.request_id
