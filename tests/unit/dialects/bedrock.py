"""Amazon Bedrock's Converse."""

import base64
from typing import Any

import botocore.session
from botocore.validate import ParamValidator
from broker.errors import (
    BrokerError,
    ContextExceeded,
    CredentialRejected,
    ModelGone,
    ModelTimedOut,
    Refused,
    Rejected,
    Throttled,
    Unavailable,
)
from broker.providers.bedrock.provider import Bedrock
from broker.providers.wire.base import Blob

from local.model_server.rules import converse as rules
from tests.unit.dialects.base import MODEL, WORDS, Case, Dialect, Json

DENIED = "User: arn:aws:sts::1:assumed-role/x is not authorized to perform: bedrock:InvokeModel on resource"
BUSY = "Too many tokens, please wait before trying again."
GONE = [
    "Invocation of model ID a.b-v1:0 with on-demand throughput isn\u2019t supported. Retry your request with the ID",
    "The provided model identifier is invalid.",
    "This model version has reached the end of its life. Please refer to",
]


class BedrockDialect(Dialect):
    """Converse; requests and replies are held against botocore's model of the service."""

    signed = True

    def __init__(self) -> None:
        self.provider = Bedrock()
        self.operation = botocore.session.get_session().get_service_model("bedrock-runtime").operation_model("Converse")

    def endpoint(self, url: str) -> str:
        return "us-east-1"

    def says(self, text: str, finish: str = "stop", tool: tuple[str, Any] | None = None) -> Json:
        content: list[Any] = [{"reasoningContent": {"reasoningText": {"text": "Hm."}}}]
        content += [{"text": text}] if text else []
        content += [{"toolUse": {"toolUseId": "call_1", "name": tool[0], "input": tool[1]}}] if tool else []
        reason = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}.get(finish, finish)
        reply = {
            "output": {"message": {"role": "assistant", "content": content}},
            "stopReason": reason,
            "usage": {"inputTokens": 7, "outputTokens": 3, "totalTokens": 10},
            "metrics": {"latencyMs": 1},
        }
        self._valid(reply, self.operation.output_shape)
        return reply

    def refuses(self) -> list[Json]:
        return [self.says(WORDS, "guardrail_intervened"), self.says(WORDS, "content_filtered")]

    def malformed(self) -> list[Any]:
        return [{"output": 5}, {"output": {"message": {"content": [None]}}}]

    def errors(self) -> list[Case]:
        def error(code: str, message: str = WORDS) -> Any:
            return {"__type": f"com.amazon.coral#{code}", "message": message}

        known = {each.name: each.metadata["error"]["httpStatusCode"] for each in self.operation.error_shapes}
        meaning: dict[str, tuple[type[BrokerError], bool]] = {
            "AccessDeniedException": (ModelGone, False),
            "ThrottlingException": (Throttled, False),
            "ResourceNotFoundException": (ModelGone, False),
            "ModelTimeoutException": (ModelTimedOut, True),
            "InternalServerException": (Unavailable, True),
            "ServiceUnavailableException": (Unavailable, False),
            "ValidationException": (Rejected, False),
            "ModelNotReadyException": (Unavailable, False),
            "ModelErrorException": (Unavailable, True),
        }
        return [
            *[(status, error(name), *meaning[name]) for name, status in known.items()],
            (400, error("ValidationException", f"Input is Too Long for {WORDS}"), ContextExceeded, False),
            (400, error("ValidationException", f"the Maximum Context is 5, {WORDS}"), ContextExceeded, False),
            (400, error("ServiceQuotaExceededException"), Throttled, False),
            (403, error("UnrecognizedClientException"), CredentialRejected, False),
            (403, error("ExpiredTokenException"), CredentialRejected, False),
            (403, error("BrandNewException"), CredentialRejected, False),
            (500, error("BrandNewException"), Unavailable, True),
            (503, WORDS.encode(), Unavailable, False),
            (504, WORDS.encode(), ModelTimedOut, True),
            *[(400, error("ValidationException", f"{gone} {WORDS}"), ModelGone, False) for gone in GONE],
            # A prompt that says the same, and is quoted, closes no model to others.
            (400, error("ValidationException", f"Malformed input: {WORDS} {GONE[1]}"), Rejected, False),
            (400, error("ValidationException", f"{BUSY} {WORDS}"), Throttled, False),
            (429, error("ThrottlingException", f"{BUSY} {WORDS}"), Throttled, False),
            (
                400,
                error("ValidationException", f"The maximum tokens you requested exceeds the model limit of 9 {WORDS}"),
                Rejected,
                False,
            ),
            (400, error("ValidationException", f"Blocked by our content filters. {WORDS}"), Refused, False),
            (
                403,
                error("AccessDeniedException", f"User: x is not authorized to perform: bedrock:InvokeModel {WORDS}"),
                CredentialRejected,
                False,
            ),
        ]

    def check(self, body: Any, path: str) -> None:
        assert path == "/model/some.model%3A0/converse"
        self._valid(body | {"modelId": MODEL}, self.operation.input_shape)
        roles = [turn["role"] for turn in body["messages"]]
        assert roles == [("user", "assistant")[place % 2] for place in range(len(roles))]
        self.judge(body)

    def judge(self, body: Any) -> None:
        rules.check(body, MODEL)

    @staticmethod
    def _valid(value: Any, shape: Any) -> None:
        report = ParamValidator().validate(value, shape)
        assert not report.has_errors(), report.generate_report()

    def pictures(self, body: Any) -> list[Blob]:
        images = [block["image"] for turn in body["messages"] for block in turn["content"] if "image" in block]
        return [Blob(base64.b64decode(each["source"]["bytes"]), f"image/{each['format']}") for each in images]
