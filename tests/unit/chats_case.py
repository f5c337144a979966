"""What tests of single chat providers begin with: schemas, a picture's address, and one call."""

from dataclasses import replace
from typing import Any

from broker.providers import lookup
from broker.providers.wire.base import Answer, Call

from tests.unit.provider_server import ProviderServer, Script

OPEN = {"type": "object", "properties": {"age": {"type": "integer", "minimum": 0}}}
LIST = {"type": "array", "items": {"type": "integer"}}
LINK = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]}


def ask(
    server: ProviderServer,
    provider: str,
    script: Any,
    path: str = "",
    options: dict[str, Any] | None = None,
    **more: Any,
) -> Answer:
    """Make a call whose endpoint is a path of the server, with one script for all requests of it."""
    call = Call("chat", "some-model", {"text": "Hm?"}, {}, 20, "sk-1", f"{server.url}{path}", options=options or {})
    server.answer(script if isinstance(script, Script) else Script(script))
    answer = lookup(provider).invoke(replace(call, **more))
    assert isinstance(answer, Answer)
    return answer


def body(server: ProviderServer) -> Any:
    return server.asked[0].body
