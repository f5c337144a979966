"""Tokens as OpenAI's newer endpoints tell them: `{"usage": {"input_tokens", "output_tokens"}}`."""

from typing import Any


def tokens(body: dict[str, Any]) -> tuple[int, int]:
    """Input and output; 0 where none are told, as of models that are paid for by other units."""
    usage = body.get("usage")
    told = usage if isinstance(usage, dict) else {}
    into, out = (told.get(name) for name in ("input_tokens", "output_tokens"))
    return _count(into), _count(out)


def _count(told: Any) -> int:
    return told if type(told) is int and told >= 0 else 0
