"""Limits as operators register them, for tenants and for keys, and what the authorizer makes of a key's."""

import json
from typing import Any

import pytest
from broker.cli import main, registry_of, stack_outputs
from broker.errors import InvalidRequest
from broker.registry.applying import apply
from broker.registry.document import parse_registry
from broker.rest.http import Request
from broker.tenants.api_keys import key_hash, key_id
from broker.tenants.limits import MOST, NAMES

from tests.unit import test_cli
from tests.unit.registry_case import TENANT
from tests.unit.test_cli import identity, run

session = test_cli.session
"""The fixture: a shell with credentials, and a deployed stack."""


@pytest.mark.parametrize(
    ("limits", "param"),
    [
        ({"requests_per_hour": 5}, "requests_per_hour"),
        ({"requests_per_minute": 0}, "requests_per_minute"),
        ({"requests_per_minute": -1}, "requests_per_minute"),
        ({"requests_per_minute": 1.5}, "requests_per_minute"),
        ({"requests_per_minute": "60"}, "requests_per_minute"),
        ({"requests_per_minute": True}, "requests_per_minute"),
        ({"requests_per_second": 501}, "requests_per_second"),
        ({"tokens_per_second": 5}, "tokens_per_second"),
        ({"tokens_per_month": 10**14}, "tokens_per_month"),
        ({"body_bytes": 0}, "body_bytes"),
        ({"body_bytes": 10**9}, "body_bytes"),
        ("many", ""),
    ],
)
def test_a_limit_at_fault_is_named(limits: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as failure:
        parse_registry({"tenants": [TENANT | {"limits": limits}]})
    assert failure.value.param == f"tenants.0.limits{'.' if param else ''}{param}"


def test_all_limits_are_taken_at_their_most() -> None:
    said = {name: MOST[NAMES[name]] for name in NAMES} | {"body_bytes": 1_000}
    entry = parse_registry({"tenants": [TENANT | {"limits": said}]})
    assert entry.tenants is not None and entry.tenants[0].item()["limits"] == said


def test_a_key_has_the_limits_that_it_was_given(session: Any, capsys: pytest.CaptureFixture[str]) -> None:
    registry = registry_of(session, stack_outputs(session, "my-broker"))
    apply(registry, parse_registry({"tenants": [{"id": "acme"}]}), by="tests", now=1)
    said = ("--limit", "requests_per_minute=60", "--limit", "tokens_per_day=10000")
    (key,) = run(capsys, "key", "acme", "--principal", "ci", *said)
    (free,) = run(capsys, "key", "acme", "--principal", "ci")
    known = identity(session, key)
    named = key_id(key_hash(key))
    assert (known.key, known.limits) == (named, {"requests_per_minute": 60, "tokens_per_day": 10_000})
    assert (identity(session, free).key, identity(session, free).limits) == (key_id(key_hash(free)), {})
    assert any(line.endswith("requests_per_minute=60  tokens_per_day=10000") for line in run(capsys, "key", "list"))
    run(capsys, "key", "limit", "acme", named, "--limit", "requests_per_second=5")
    assert identity(session, key).limits == {"requests_per_second": 5}
    assert any("requests_per_second=5" in line for line in run(capsys, "key", "list", "acme"))
    run(capsys, "key", "limit", "acme", named)
    assert identity(session, key).limits == {}


@pytest.mark.parametrize(
    "said", ["requests_per_hour=5", "requests_per_minute=many", "requests_per_minute", "=5", "body_bytes=0"]
)
def test_a_keys_limit_at_fault_is_named(session: Any, capsys: pytest.CaptureFixture[str], said: str) -> None:
    registry = registry_of(session, stack_outputs(session, "my-broker"))
    apply(registry, parse_registry({"tenants": [{"id": "acme"}]}), by="tests", now=1)
    assert main(["key", "acme", "--principal", "ci", "--limit", said]) == 3
    assert said.partition("=")[0] in capsys.readouterr().err
    assert run(capsys, "key", "list") == ["0 keys"]


def test_a_request_has_its_keys_limits_from_the_authorizer_alone() -> None:
    event: dict[str, Any] = {
        "httpMethod": "POST",
        "resource": "/jobs",
        "headers": {"key": "k9", "limits": "{}"},
        "requestContext": {
            "requestId": "r",
            "apiId": "a",
            "authorizer": {"tenant": "acme", "principal": "ci", "scopes": "*"},
        },
    }
    free = Request.of(event, "https://x/v1")
    assert (free.key, free.limits) == ("", {})
    event["requestContext"]["authorizer"] |= {"key": "k1", "limits": json.dumps({"requests_per_day": 5})}
    assert (Request.of(event, "https://x/v1").key, Request.of(event, "https://x/v1").limits) == (
        "k1",
        {"requests_per_day": 5},
    )
