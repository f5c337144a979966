"""Identity and isolation."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from local.client import Client
from tests.e2e.issuer import Issuer
from tests.e2e.stack import Stack, chat


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/jobs/{id}"),
        ("DELETE", "/jobs/{id}"),
        ("POST", "/jobs/{id}/cancel"),
        ("GET", "/jobs/{id}/events"),
        ("POST", "/jobs/{id}/redeliver"),
    ],
)
def test_another_tenants_job_is_not_found(stack: Stack, method: str, path: str) -> None:
    job = stack.run(chat())
    other = Client(stack.base_url, stack.seeded.other_key)
    answer = other.call(method, path.replace("{id}", job["id"]))
    nowhere = other.call(method, path.replace("{id}", "job_00000000000000000000000000000000"))
    assert (answer.status, answer.body["error"]["type"]) == (404, "not_found")
    assert {**answer.body["error"], "request_id": ""} == {**nowhere.body["error"], "request_id": ""}
    assert job["id"] not in str(other.call("GET", "/jobs?limit=100").body)


def test_a_cursor_of_another_tenant_shows_nothing_of_it(stack: Stack) -> None:
    for _ in range(2):
        stack.run(chat())
    cursor = stack.api.call("GET", "/jobs?limit=1").body["next_cursor"]
    other = Client(stack.base_url, stack.seeded.other_key)
    page = other.call("GET", f"/jobs?limit=100&cursor={cursor}").body
    mine = {each["id"] for each in stack.api.call("GET", "/jobs?limit=100").body["data"]}
    assert not mine & {each["id"] for each in page["data"]}


Credential = Callable[[Stack, Issuer], str | None]

BAD: dict[str, Credential] = {
    "none": lambda stack, issuer: None,
    "not a key": lambda stack, issuer: "wrong",
    "a key with a typo": lambda stack, issuer: stack.seeded.api_key[:-1] + "~",
    "an unknown key": lambda stack, issuer: stack.unknown_key(),
    "an expired key": lambda stack, issuer: stack.as_tenant("demo", days=-1).key,
    "an expired token": lambda stack, issuer: issuer.token(exp=int(time.time()) - 120),
    "a token for others": lambda stack, issuer: issuer.token(aud="others"),
    "a token of an unknown issuer": lambda stack, issuer: issuer.token(iss="https://stranger.example"),
    "a token with an unknown key id": lambda stack, issuer: issuer.token(kid="two"),
    "a token without a tenant": lambda stack, issuer: issuer.token(org=None),
    "a token that was changed": lambda stack, issuer: _changed(issuer.token()),
}


def _changed(token: str) -> str:
    head, body, signature = token.split(".")
    return f"{head}.{body}.{signature[:-6]}AAAAAA"


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_credential_gets_401(stack: Stack, issuer: Issuer, kind: str) -> None:
    answer = Client(stack.base_url, BAD[kind](stack, issuer)).call("GET", "/jobs")
    assert answer.status == 401


def test_a_token_of_a_registered_issuer_speaks_for_its_tenant(stack: Stack, issuer: Issuer) -> None:
    client = Client(stack.base_url, issuer.token())
    job = stack.run(chat(model="answers"), client)
    assert job["status"] == "succeeded"
    assert Client(stack.base_url, stack.seeded.api_key).call("GET", f"/jobs/{job['id']}").status == 404


@pytest.mark.parametrize(
    ("scope", "method", "path", "body"),
    [("jobs:read", "POST", "/jobs", chat()), ("jobs:write", "GET", "/jobs", None), ("", "GET", "/models", None)],
)
def test_a_missing_scope_is_forbidden_and_named(
    stack: Stack, issuer: Issuer, scope: str, method: str, path: str, body: Any
) -> None:
    answer = Client(stack.base_url, issuer.token(scope=scope)).call(method, path, body)
    assert (answer.status, answer.body["error"]["code"]) == (403, "missing_scope")


def test_a_model_that_the_tenant_may_not_use_is_forbidden(stack: Stack, issuer: Issuer) -> None:
    client = Client(stack.base_url, issuer.token(scope="*"))
    answer = client.submit(chat(model="local-small"))
    assert (answer.status, answer.body["error"]["code"]) == (403, "model_not_allowed")
    assert [each["id"] for each in client.call("GET", "/models").body["data"]] == ["answers"]


def test_a_tenant_that_is_not_registered_may_do_nothing(stack: Stack, issuer: Issuer) -> None:
    answer = Client(stack.base_url, issuer.token(org="strangers")).submit(chat())
    assert (answer.status, answer.body["error"]["code"]) == (403, "unknown_tenant")
