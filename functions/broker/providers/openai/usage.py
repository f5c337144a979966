"""Tokens as OpenAI's newer endpoints tell them: `{"usage": {"input_tokens", "output_tokens"}}`."""

from typing import Any

from broker.providers.wire.values import counted, field


def tokens(body: dict[str, Any]) -> tuple[int, int]:
    """Input and output; 0 where none are told, as of models that are paid for by other units."""
    into, out = (counted(field(body, "usage", name)) for name in ("input_tokens", "output_tokens"))
    return into or 0, out or 0
