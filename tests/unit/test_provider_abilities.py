"""What a provider is sent by what it can do, and by nothing that it is not told of."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from broker.providers import lookup
from broker.providers.openai.format import request
from broker.providers.openai.provider import service
from broker.providers.wire.abilities import fault
from broker.providers.wire.dialects import OPENAI
from broker.providers.wire.history import prepare

from tests.unit.dialects.anthropic import AnthropicDialect
from tests.unit.dialects.openai import OpenAIDialect
from tests.unit.history_case import ASK, a_call
from tests.unit.provider_server import ProviderServer, Script


@pytest.fixture(scope="module")
def server() -> Iterator[ProviderServer]:
    with ProviderServer() as running:
        yield running


def test_of_parameters_that_exclude_each_other_the_first_is_sent(server: ProviderServer) -> None:
    options = {"either": ["temperature", "top_p"]}
    for given, sent in (
        ({"temperature": 0.5, "top_p": 0.9}, {"temperature": 0.5}),
        ({"top_p": 0.9}, {"top_p": 0.9}),
        ({"temperature": 0.0}, {"temperature": 0.0}),
    ):
        server.answer(Script(AnthropicDialect().says("Yes.")))
        call = replace(a_call(ASK, options=options), endpoint=server.url, parameters=given)
        lookup("anthropic").invoke(call)
        body = server.asked[0].body
        assert {name: body[name] for name in ("temperature", "top_p") if name in body} == sent


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"without": ["temperatur"]}, "temperatur;"),
        ({"either": ["top_k"]}, "top_k"),
        ({"cannot": ["speak"]}, "speak"),
        ({"cannot": "prefill"}, "cannot is a list"),
        ({"cannot": [1]}, "cannot is a list"),
    ],
)
def test_an_ability_that_nobody_knows_is_a_fault(options: Any, said: str) -> None:
    assert said in str(fault(options))
    assert fault({"cannot": ["prefill"], "without": ["seed"], "anything": "else"}) is None


def test_a_provider_can_tell_callers_apart_and_not_who_they_are(server: ProviderServer) -> None:
    whose = {"scope": "acme", "token": "job_1-1-1"}
    call = replace(a_call(ASK), **whose)
    assert call.caller["job"] == "job_1"
    assert call.caller == replace(call, token="job_1-2-1").caller
    assert call.caller["tenant"] != replace(call, scope="other").caller["tenant"]
    assert "acme" not in str(call.caller)
    assert re.fullmatch("[0-9a-f]{32}", call.caller["tenant"])
    assert a_call(ASK).caller == {}
    fields = {"anthropic": "metadata", "openai": "safety_identifier"}
    says = {"anthropic": AnthropicDialect().says("Yes."), "openai": OpenAIDialect().says("Yes.")}
    for provider, field in fields.items():
        for options, sent in (({}, False), ({"caller": True}, True)):
            server.answer(Script(says[provider]))
            lookup(provider).invoke(replace(call, endpoint=server.url, options=options))
            assert (field in server.asked[0].body) is sent, "others refuse what they do not know"
            assert (call.caller["tenant"] in json.dumps(server.asked[0].body)) is sent
    official = replace(call, endpoint="https://api.openai.com/v1")
    body = request(official, service(official), prepare(official, OPENAI))
    assert body["safety_identifier"] == call.caller["tenant"]
