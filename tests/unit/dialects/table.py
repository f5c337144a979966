"""The wire formats that the conformance suite is run with, and how a test makes a call in one."""

import traceback

import pytest
from broker.errors import BrokerError
from broker.providers.wire.base import Answer, Call

from tests.unit.dialects.anthropic import AnthropicDialect
from tests.unit.dialects.azure import AzureDialect
from tests.unit.dialects.base import SECRET, Dialect
from tests.unit.dialects.bedrock import BedrockDialect
from tests.unit.dialects.cohere import CohereDialect
from tests.unit.dialects.gemini import GeminiDialect
from tests.unit.dialects.huggingface import HuggingFaceDialect
from tests.unit.dialects.mistral import MistralDialect
from tests.unit.dialects.openai import OpenAIDialect
from tests.unit.provider_server import ProviderServer, Script

DIALECTS: dict[str, type[Dialect]] = {
    "anthropic": AnthropicDialect,
    "azure": AzureDialect,
    "bedrock": BedrockDialect,
    "cohere": CohereDialect,
    "gemini": GeminiDialect,
    "huggingface": HuggingFaceDialect,
    "mistral": MistralDialect,
    "openai": OpenAIDialect,
}
"""By the name in `PROVIDERS`."""

SIGHTED = [name for name, kind in DIALECTS.items() if kind.vision]
EMBEDDING = [name for name, kind in DIALECTS.items() if kind.embeds]


def for_dialects(names: list[str]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("dialect", names, indirect=True)


def answered(server: ProviderServer, dialect: Dialect, call: Call, script: Script) -> Answer:
    server.answer(script)
    answer = dialect.provider.invoke(call)
    assert isinstance(answer, Answer)
    assert len(server.asked) == 1
    dialect.check(server.asked[0].body, server.asked[0].path)
    return answer


def failed(server: ProviderServer, dialect: Dialect, call: Call, script: Script, asked: int = 1) -> BrokerError:
    """The error, which tells neither the key nor the provider's words nor the prompt."""
    server.answer(script)
    with pytest.raises(BrokerError) as caught:
        dialect.provider.invoke(call)
    assert len(server.asked) == asked, "nothing is retried"
    error = caught.value
    shown = "".join(traceback.format_exception(error)) + repr(error) + error.cause() + str(error.param)
    for secret in (SECRET, "PROVIDER-TEXT", "diagnosis"):
        assert secret not in shown
    return error
