"""What services of OpenAI's format say of what their models thought."""

from broker.providers.wire import exchange, reasoning
from broker.providers.wire.exchange import Json
from broker.providers.wire.http_client import ProviderReply


def thoughts_of(message: Json) -> list[Json]:
    """What a server says that the model thought: beside the text, or in parts of it."""
    content = message.get("content")
    parts = [part.get("thinking") for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    beside = [message.get(name) for name in ("reasoning_content", "reasoning")]
    texts = [
        "".join(str(exchange.field(each, "text") or "") for each in part) for part in parts if isinstance(part, list)
    ]
    said = next((each for each in [*beside, *parts] if isinstance(each, str) and each.strip()), None)
    return [reasoning.thought(each) for each in [*([said] if said else []), *texts] if each.strip()]


def reasoned_in(reply: ProviderReply) -> int | None:
    """Tokens that were thought, as far as the service tells."""
    return exchange.counted(exchange.field(reply.body, "usage", "completion_tokens_details", "reasoning_tokens"))


def written(reply: ProviderReply) -> int | None:
    """Tokens that went out; some servers count what was thought beside them, which their sum of all tells."""
    read, out, whole = (_tokens(reply, f"{name}_tokens") for name in ("prompt", "completion", "total"))
    beside = reasoned_in(reply)
    if beside and out is not None and whole is not None and whole == (read or 0) + out + beside:
        return out + beside
    return out


def _tokens(reply: ProviderReply, name: str) -> int | None:
    return exchange.counted(exchange.field(reply.body, "usage", name))
