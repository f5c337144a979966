"""The operators' door of a broker in memory."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from broker.errors import BrokerError
from broker.rest.admin import Admin
from broker.rest.http import Reply, Request

from tests.fakes.database import FakeDatabase
from tests.fakes.reviews import reviews_of
from tests.fakes.texts import FakeTexts
from tests.fakes.world import World

ARN = "arn:aws:sts::123456789012:assumed-role/operator/ada"
ENTRY = "/admin/registry/{kind}/{id}"


@dataclass
class Door:
    """The operators' door of a broker in memory."""

    database: FakeDatabase = field(default_factory=FakeDatabase)
    texts: FakeTexts = field(default_factory=FakeTexts)

    def __call__(
        self,
        method: str,
        resource: str,
        body: Any = None,
        *,
        kind: str = "tenants",
        entry_id: str = "acme",
        label: str = "production",
        query: dict[str, str] | None = None,
        by: str = ARN,
        **headers: str,
    ) -> Reply:
        named = {"kind": kind, "id": entry_id, "label": label}
        path = {name: value for name, value in named.items() if f"{{{name}}}" in resource}
        event = {
            "httpMethod": method,
            "resource": resource,
            "pathParameters": path,
            "queryStringParameters": query,
            "headers": {name.replace("_", "-"): value for name, value in headers.items()},
            "body": None if body is None else json.dumps(body),
            "requestContext": {"requestId": "r-1", "identity": {"userArn": by or None}},
        }
        world = World(self.database, texts=self.texts)
        admin = Admin(self.database, world.registry(), reviews_of(world, world.queue))
        return admin(Request.signed(event))

    def fails(self, *arguments: Any, **options: Any) -> BrokerError:
        before = dict(self.database._items)
        with pytest.raises(BrokerError) as failure:
            self(*arguments, **options)
        assert self.database._items == before, "a call that failed wrote something"
        return failure.value
