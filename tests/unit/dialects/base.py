"""How a test speaks a provider's wire format, and what all of these tests say."""

import base64
import json
from typing import Any, ClassVar

from broker.errors import BrokerError
from broker.providers.wire.base import Blob, Provider

SECRET = "sk-the-key-itself"
WORDS = "PROVIDER-TEXT that quotes: what is my diagnosis?"
MODEL = "some.model:0"
SCHEMA = {
    "type": "object",
    "properties": {"age": {"type": "integer"}},
    "required": ["age"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "function": {"name": "look_up", "description": "Looks up.", "parameters": SCHEMA}}
HISTORY = [
    {"role": "system", "content": "Be brief."},
    {"role": "developer", "content": "In English."},
    {"role": "user", "content": "How old is Ann?"},
    {"role": "user", "content": [{"type": "text", "text": "And Ben?"}]},
    {
        "role": "assistant",
        "tool_calls": [
            {"id": "t1", "type": "function", "function": {"name": "look_up", "arguments": '{"age": 1}'}},
            {"id": "t2", "type": "function", "function": {"name": "look_up", "arguments": '{"age": 2}'}},
        ],
    },
    {"role": "tool", "tool_call_id": "t1", "content": "30"},
    {"role": "tool", "tool_call_id": "t2", "content": "40"},
]
PNG = Blob(b"\x89PNG\r\n\x1a\n and what follows", "image/png")
JPEG = Blob(b"\xff\xd8\xff and what follows", "image/jpeg")

Json = dict[str, Any]
Case = tuple[int, Any, type[BrokerError], bool]
"""A status, a body, what the two mean, and whether the call may have been paid for."""


class Dialect:
    """One wire format. A provider's own file fills in what is left open here."""

    provider: Provider
    usage: ClassVar[str] = "usage"
    """The field of a reply that counts its tokens."""
    secret_header: ClassVar[tuple[str, str]] = ("authorization", f"Bearer {SECRET}")
    vision: ClassVar[bool] = True
    embeds: ClassVar[bool] = False
    keeps_ids: ClassVar[bool] = True
    """Whether a tool call's id is sent as it was given."""
    signed: ClassVar[bool] = False
    """Whether requests are signed; else they carry a key."""
    passes_on: ClassVar[bool] = False
    """Whether the service takes OpenAI's form, so that tools and `data:` URLs go to it as they came."""

    def endpoint(self, url: str) -> str:
        """The endpoint that a model on the test's server has."""
        raise NotImplementedError

    def says(self, text: str, finish: str = "stop", tool: tuple[str, Any] | None = None) -> Json:
        """A reply: 7 tokens in, 3 out, `finish` in the broker's words; a tool call's id is `call_1`."""
        raise NotImplementedError

    def refuses(self) -> list[Json]:
        """Replies that are refusals."""
        raise NotImplementedError

    def malformed(self) -> list[Any]:
        """Replies that are of another shape than the service's."""
        raise NotImplementedError

    def errors(self) -> list[Case]:
        """Each error of the service."""
        raise NotImplementedError

    def check(self, body: Any, path: str) -> None:
        """That a request is one which the service takes."""
        raise NotImplementedError

    def judge(self, body: Any) -> None:
        """The service's own refusals, as the local model server has them: raises Problem."""
        raise NotImplementedError

    def schema(self, body: Any) -> Any:
        """The schema that a request holds in the service's own field; None for a service without."""
        return None

    def pictures(self, body: Any) -> list[Blob]:
        """The pictures of a request, in order."""
        raise NotImplementedError

    def vectors(self, vectors: list[Any]) -> Any:
        """A reply with embeddings."""
        raise NotImplementedError


def decoded(url: str) -> Blob:
    """The bytes of a `data:` URL."""
    head, _, content = url.partition(",")
    return Blob(base64.b64decode(content), head.removeprefix("data:").removesuffix(";base64"))


def calling(name: str, arguments: Any) -> Json:
    """A tool call in OpenAI's form."""
    return {"id": "call_1", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
