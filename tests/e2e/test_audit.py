"""The audit trail of a deployed stack: each act is in it, with who it was and without what it was about."""

import json
import uuid
from typing import Any

import pytest
from broker.audit.appending import end_of
from broker.audit.chain import verify
from broker.audit.reading import Asked, Trail
from broker.cli.stack import create_key, tables_of
from broker.clock import now_ms
from broker.cloud.audit_bucket import AuditBucket
from broker.tenants.api_keys import key_hash, key_id, revocation

from local.client import Client
from tests.e2e.stack import Stack, chat, until

SECRET = f"canary-{uuid.uuid4().hex}"


class Operators:
    """What operators read of the trail."""

    def __init__(self, stack: Stack) -> None:
        self.bucket = AuditBucket(stack.outputs["AuditBucket"], stack.cloud.client("s3"))
        self.tables = tables_of(stack.cloud, stack.outputs)
        self.trail = Trail(self.tables, self.bucket)

    def find(self, wanted: int = 1, **facts: Any) -> list[dict[str, Any]]:
        """The newest records with these facts, once there are so many of them."""
        found: list[dict[str, Any]] = []

        def there() -> bool:
            page = self.trail.page(Asked(), 1_000, None)["data"]
            found[:] = [each for each in page if facts.items() <= each.items()]
            return len(found) >= wanted

        assert until(there, 60), facts
        return found


@pytest.fixture(scope="module")
def operators(stack: Stack) -> Operators:
    return Operators(stack)


def test_a_job_is_on_record_from_its_door_to_its_erasure(stack: Stack, operators: Operators) -> None:
    job = stack.run({"input": {"text": f"Echo {SECRET}"}, "model": "echoes"})
    assert stack.api.call("GET", f"/jobs/{job['id']}").body["output"]
    assert stack.api.call("DELETE", f"/jobs/{job['id']}").status == 204
    about = {"subject": job["id"], "tenant": "demo"}
    (submitted,) = operators.find(kind="job.submitted", **about)
    (ended,) = operators.find(kind="job.ended", **about)
    (erased,) = operators.find(kind="erase.asked", **about)
    read = operators.find(kind="payload.read", **about)[0]
    assert (submitted["door"], ended["outcome"]) == ("rest", "succeeded")
    assert {each["by"] for each in (submitted, ended, erased, read)} == {submitted["by"]}
    assert read["key"] == key_id(key_hash(stack.seeded.api_key))
    assert read["route"] == "GET /jobs/{id}"


def test_who_is_refused_and_another_tenants_look_are_told_apart(stack: Stack, operators: Operators) -> None:
    key = create_key(operators.tables, "demo", "reader-of-limits", ("usage:read",))
    refused = Client(stack.base_url, key).call("POST", "/jobs", chat())
    assert refused.status == 403
    (denied,) = operators.find(kind="call.denied", by="reader-of-limits")
    assert (denied["reason"], denied["route"], denied["tenant"]) == ("missing_scope", "POST /jobs", "demo")


def test_keys_are_on_record_by_whatever_way_they_come_and_go(stack: Stack, operators: Operators) -> None:
    key = create_key(operators.tables, "demo", "short-lived", ("jobs:read",), by="arn:operator")
    named = key_id(key_hash(key))
    item = operators.tables.get("registry", f"KEY#{key_hash(key)}", "KEY")
    assert item is not None
    operators.tables.write(*revocation(item, by="arn:operator", now=now_ms()))
    (made,) = operators.find(kind="key.made", key=named)
    (revoked,) = operators.find(kind="key.revoked", key=named)
    assert (made["by"], revoked["by"], made["details"]["scopes"]) == ("arn:operator", "arn:operator", "jobs:read")
    used = operators.find(kind="key.used_elsewhere", tenant="demo")
    assert all(each["details"]["place"] for each in used)


def test_operators_changes_and_reads_are_on_record(stack: Stack, operators: Operators) -> None:
    name = f"audited-{uuid.uuid4().hex[:8]}"
    stack.register({"tenants": [{"id": name}]})
    (changed,) = operators.find(kind="registry.changed", subject=f"tenant/{name}")
    assert (changed["outcome"], changed["tenant"]) == ("added", name)


def test_the_trail_is_whole_and_no_text_is_in_it(stack: Stack, operators: Operators) -> None:
    job = stack.run({"input": {"text": f"Echo {SECRET}"}, "model": "echoes", "metadata": {"note": SECRET}})
    operators.find(kind="job.ended", subject=job["id"])
    end = end_of(operators.tables, operators.bucket.name)
    found = [each for each in operators.bucket.all() if each.key <= f"blocks/{end.number:012}.jsonl.gz"]
    assert found and verify(found, end, now_ms(), 365) == []
    everything = json.dumps([operators.trail.page(Asked(), 1_000, None)])
    assert SECRET not in everything and stack.seeded.api_key not in everything
