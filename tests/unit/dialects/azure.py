"""Azure OpenAI, on its v1 paths."""

from typing import Any

from broker.errors import CredentialRejected, ModelGone, Refused, Rejected, Throttled
from broker.providers.azure import Azure

from local.model_server.rules import openai as rules
from tests.unit.dialects.base import MODEL, SECRET, WORDS, Case
from tests.unit.dialects.openai import OpenAIDialect


class AzureDialect(OpenAIDialect):
    """OpenAI's format; the key has a header of its own, and a filter goes before the model."""

    path = "/openai/v1/chat/completions"
    secret_header = ("api-key", SECRET)

    def __init__(self) -> None:
        self.provider = Azure()

    def endpoint(self, url: str) -> str:
        return url

    def check(self, body: Any, path: str) -> None:
        assert (path, body["model"]) == (self.path, MODEL)
        assert all(message["role"] != "developer" for message in body["messages"])
        self.judge(body)

    def judge(self, body: Any) -> None:
        rules.check(body)

    def errors(self) -> list[Case]:
        def filtered(name: str, code: str) -> object:
            inner = {"code": code, "content_filter_result": {"violence": {"filtered": True, "severity": "medium"}}}
            return {"error": {"code": None, "status": 400, "message": WORDS, "param": "prompt", name: inner}}

        return [
            *super().errors(),
            (400, filtered("innererror", "ResponsibleAIPolicyViolation"), Refused, False),
            (400, filtered("inner_error", "ResponsibleAIPolicyViolation"), Refused, False),
            (400, filtered("innererror", "Other"), Rejected, False),
            (401, {"error": {"code": "401", "message": WORDS}}, CredentialRejected, False),
            (404, {"error": {"code": "DeploymentNotFound", "message": WORDS}}, ModelGone, False),
            (429, {"error": {"code": "429", "message": WORDS}}, Throttled, False),
        ]
