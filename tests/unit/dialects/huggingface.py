"""Hugging Face's router and TGI."""

from typing import Any

from broker.errors import ContextExceeded, CredentialRejected, ModelGone, Refused, Rejected, Throttled, Unavailable
from broker.providers.huggingface import HuggingFace

from tests.unit.dialects.base import WORDS, Case
from tests.unit.dialects.openai import OpenAIDialect


class HuggingFaceDialect(OpenAIDialect):
    """OpenAI's format, with TGI's errors."""

    def __init__(self) -> None:
        self.provider = HuggingFace()

    def errors(self) -> list[Case]:
        def tgi(message: str, kind: str) -> Any:
            return {"error": message, "error_type": kind}

        much = f"{WORDS}: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens"
        more = f"{WORDS}: `inputs` must have less than 4095 tokens. Given: 5000"
        return [
            *super().errors(),
            (422, tgi(much, "validation"), ContextExceeded, False),
            (422, tgi(more, "validation"), ContextExceeded, False),
            (422, tgi(WORDS, "validation"), Rejected, False),
            (424, tgi(WORDS, "generation"), Unavailable, False),
            (429, tgi("Model is overloaded", "overloaded"), Throttled, False),
            (500, tgi(WORDS, "incomplete_generation"), Unavailable, True),
            (402, {"error": f"You have exceeded your monthly included credits {WORDS}"}, CredentialRejected, False),
            (503, {"error": WORDS, "estimated_time": 20.0}, Unavailable, False),
            (400, self.error("model_not_supported"), ModelGone, False),
            (403, {"error": f"Access to model meta-llama/x is restricted {WORDS}"}, ModelGone, False),
            (400, self.error("content_policy_violation"), Refused, False),
        ]
