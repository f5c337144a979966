"""The operators' routes, signed with IAM credentials, from the gateway to the table that the functions read."""

import json
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from broker.routing.catalog import Models

from local.client import Client, HttpReply
from local.servers import REGION
from tests.e2e.stack import Stack

NOW = 0
"""The test's own process reads the registry once."""


def signed(stack: Stack, method: str, path: str, body: Any = None, **headers: str) -> HttpReply:
    """Call an operators' route as an IAM user would."""
    data = None if body is None else json.dumps(body).encode()
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    sent |= {"content-type": "application/json"} if body is not None else {}
    request = AWSRequest(method, f"{stack.base_url}{path}", headers=sent, data=data)
    SigV4Auth(Credentials("test", "test"), "execute-api", REGION).add_auth(request)
    return Client(stack.base_url, None).call(method, path, data, dict(request.headers.items()))


def test_an_entry_is_changed_seen_and_rolled_back(stack: Stack) -> None:
    path = "/admin/registry/models/answers"
    before = signed(stack, "GET", path)
    assert (before.status, before.body["id"]) == (200, "answers")
    version = before.body["version"]
    entry = before.body["entry"] | {"rank": 901}

    changed = signed(stack, "PUT", path, entry, if_match=before.headers["etag"])
    assert (changed.status, changed.body["version"], changed.body["fields"]) == (200, version + 1, ["rank"])
    assert changed.body["by"]
    assert Models(stack.database).get("answers", NOW).rank == 901
    assert signed(stack, "PUT", path, entry | {"rank": 1}, if_match=before.headers["etag"]).status == 409
    assert signed(stack, "PUT", path, entry).body["version"] == version + 1, "nothing changed, so nothing was written"

    back = signed(stack, "POST", f"{path}/rollback", {"version": version})
    assert (back.status, back.body["entry"]) == (200, before.body["entry"])
    versions = signed(stack, "GET", f"{path}/versions").body["data"]
    assert [each["version"] for each in versions[:2]] == [version + 2, version + 1]


def test_a_document_is_planned_and_applied(stack: Stack) -> None:
    document = {"aliases": [{"id": "spoken", "models": ["answers", "echoes"]}]}
    plan = signed(stack, "POST", "/admin/plan", document)
    assert (plan.status, [each["action"] for each in plan.body["changes"]]) == (200, ["added"])
    assert signed(stack, "GET", "/admin/registry/aliases/spoken").status == 404
    assert signed(stack, "POST", "/admin/apply", document).body["changes"] == plan.body["changes"]
    assert signed(stack, "POST", "/admin/plan", document).body["changes"] == []
    listed = signed(stack, "GET", "/admin/registry/aliases").body["data"]
    assert "spoken" in [each["id"] for each in listed]


def test_an_error_names_the_field(stack: Stack) -> None:
    refused = signed(stack, "POST", "/admin/apply", {"aliases": [{"id": "a", "models": ["nobody"]}]})
    assert (refused.status, refused.body["error"]["param"]) == (400, "aliases.0.models.0")


@pytest.mark.parametrize("path", ["/admin/registry/models", "/admin/registry/tenants/demo"])
def test_no_tenant_gets_in(stack: Stack, path: str) -> None:
    assert Client(stack.base_url, None).call("GET", path).status in (401, 403, 404)
