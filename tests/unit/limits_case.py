"""What tests of limits by REST begin with: two tenants, and calls by the handler's own way."""

import json
from dataclasses import dataclass, field
from typing import Any

from broker.registry.applying import apply
from broker.registry.document import parse_registry
from broker.rest.http import Reply, Request
from handlers.answering import answered

from tests.contract.world import NOW, World

HELLO = {"input": {"text": "Hello"}, "parameters": {"max_output_tokens": 100}}
CHAT = {"model": "small", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 100}


@dataclass
class Limited:
    """A broker whose tenant `acme` has limits; `other` has none."""

    world: World = field(default_factory=World)

    def limit(self, tenant: str = "acme", **said: int) -> None:
        entry = {"id": tenant, **({"limits": said} if said else {})}
        apply(self.world.registry, parse_registry({"tenants": [entry]}), by="tests", now=NOW)
        self.world.api.tenants.forget(tenant)

    def __post_init__(self) -> None:
        self.limit("other")

    def __call__(
        self,
        method: str = "POST",
        resource: str = "/jobs",
        body: Any = HELLO,
        tenant: str = "acme",
        key: str = "",
        limits: dict[str, int] | None = None,
        path: dict[str, str] | None = None,
        **headers: str,
    ) -> Reply:
        """One call, by an API key with these limits of its own."""
        event = {
            "httpMethod": method,
            "resource": resource,
            "pathParameters": path or {},
            "headers": {name.replace("_", "-"): value for name, value in headers.items()},
            "body": body if isinstance(body, str) or body is None else json.dumps(body),
            "requestContext": {
                "requestId": "req-1",
                "apiId": "abc123",
                "authorizer": {
                    "tenant": tenant,
                    "principal": "ci",
                    "scopes": "*",
                    **({"key": key, "limits": json.dumps(limits)} if limits else {}),
                },
            },
        }
        request = Request.of(event, "https://api.example.com/v1")
        return answered(request, self.world.api)
