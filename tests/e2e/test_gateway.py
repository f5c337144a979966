"""What API Gateway does before a function runs: its errors have the contract's form, and bodies are texts."""

from typing import Any

import pytest

from local.client import Client, HttpReply
from tests.e2e.stack import Stack
from tests.e2e.test_admin import signed


def error_of(answer: HttpReply) -> dict[str, Any]:
    """The error, which has all that the contract promises, and no more."""
    error: dict[str, Any] = answer.body["error"]
    beside = {name: value for name, value in answer.body.items() if name != "error"}
    assert beside in ({}, {"type": "error", "request_id": error["request_id"]}), (
        "the gateway's own speaks to all clients"
    )
    assert error.keys() == {"type", "code", "message", "param", "request_id"}
    assert error["message"] and len(error["request_id"]) > 8
    assert answer.headers["x-request-id"] == answer.headers["request-id"] == error["request_id"]
    assert answer.headers["x-should-retry"] == "false"
    return error


@pytest.mark.parametrize("known", [False, None], ids=["a wrong key", "no key"])
def test_a_bad_credential_is_told_in_the_errors_form(stack: Stack, known: bool | None) -> None:
    client = Client(stack.base_url, None if known is None else stack.unknown_key())
    for method, path in (("GET", "/jobs"), ("POST", "/jobs"), ("GET", "/models")):
        answer = client.call(method, path, {} if method == "POST" else None)
        error = error_of(answer)
        assert (answer.status, error["type"], error["code"]) == (401, "unauthorized", "unauthorized")
        assert error["param"] == "Authorization"
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "unknown_route"),
        ("POST", "/jobs/a/b/c", 404, "unknown_route"),
        ("DELETE", "/models", 405, "method_not_allowed"),
        ("PUT", "/jobs", 405, "method_not_allowed"),
        ("POST", "/threads/thread_1/runs", 400, "unsupported_call"),
        ("POST", "/responses/compact", 400, "unsupported_call"),
        ("DELETE", "/batches/estimate", 404, "not_found"),
    ],
)
def test_a_route_that_is_none_is_told_in_the_errors_form(
    stack: Stack, method: str, path: str, status: int, code: str
) -> None:
    answer = stack.api.call(method, path)
    assert (answer.status, error_of(answer)["code"]) == (status, code)
    assert (answer.headers.get("allow") is not None) == (status == 405)
    nobody = Client(stack.base_url, None).call(method, path)
    assert (nobody.status, error_of(nobody)["code"]) == (401, "unauthorized"), "who has no key cannot look for paths"


def test_an_operators_route_that_is_none_is_none_whether_signed_or_not(stack: Stack) -> None:
    for answer in (signed(stack, "GET", "/admin/nowhere"), Client(stack.base_url, None).call("GET", "/admin/nowhere")):
        assert (answer.status, error_of(answer)["code"]) == (404, "unknown_route")
    assert signed(stack, "PUT", "/admin/plan", {}).headers["allow"] == "OPTIONS, POST"


def test_a_job_is_looked_at_again_for_little(stack: Stack) -> None:
    job_id = stack.api.submit({"model": "echoes", "input": {"text": "Good night."}}).body["id"]
    job = stack.api.finished(job_id)
    path = f"/jobs/{job_id}"
    tag = stack.api.call("GET", path).headers["etag"]
    again = stack.api.call("GET", path, headers={"if-none-match": tag})
    assert (again.status, again.body, again.headers["etag"]) == (304, None, tag)
    head = stack.api.call("HEAD", path)
    assert (head.status, head.body, head.headers["etag"]) == (200, None, tag)
    assert job["status"] == "succeeded"
    stranger = stack.as_tenant("stranger").call("GET", path, headers={"if-none-match": tag})
    assert stranger.status == 404, "a tag opens nothing"
    colleague = stack.as_tenant("demo").call("GET", path, headers={"if-none-match": tag})
    assert colleague.status == 200, "nor does it say anything to another of the tenant's keys"


def test_an_error_is_problem_details_for_who_takes_them(stack: Stack) -> None:
    answer = stack.api.call("GET", "/jobs/job_0", headers={"accept": "application/problem+json"})
    assert (answer.status, answer.headers["content-type"]) == (404, "application/problem+json")
    assert (answer.body["status"], answer.body["code"], answer.body["param"]) == (404, "not_found", "id")
    assert answer.body["request_id"] == answer.headers["x-request-id"]


def test_two_refusals_have_two_ids(stack: Stack) -> None:
    answers = [Client(stack.base_url, stack.unknown_key()).call("GET", "/jobs") for _ in range(2)]
    first, second = (error_of(answer)["request_id"] for answer in answers)
    assert first != second


def test_what_is_no_utf8_reaches_the_job_as_a_text(stack: Stack) -> None:
    answer = stack.api.call("POST", "/jobs", b'{"model": "echoes", "input": {"text": "caf\xe9 or caf\xc3\xa9"}}')
    assert answer.status == 202, answer.body
    assert stack.api.finished(answer.body["id"])["output"]["text"] == "caf\ufffd or caf\u00e9"


def test_an_answer_is_compressed_for_a_client_that_takes_it(stack: Stack) -> None:
    said = "The lamp needed nobody, and the keeper slept. " * 50
    job_id = stack.api.submit({"model": "echoes", "input": {"text": said}}).body["id"]
    assert said.strip() in stack.api.finished(job_id)["output"]["text"]
    answers = [stack.api.call("GET", f"/jobs/{job_id}", headers={"accept-encoding": each}) for each in ("gzip", "*")]
    assert [answer.headers.get("content-encoding") for answer in answers] == ["gzip", None]
    sizes = [int(answer.headers["content-length"]) for answer in answers]
    assert sizes[0] < sizes[1] / 2
    assert answers[0].body["output"] == answers[1].body["output"]  # what is delivered goes on meanwhile


def test_a_page_that_nobody_allowed_is_told_of_no_origin(stack: Stack) -> None:
    unknown = Client(stack.base_url, stack.unknown_key())
    for client, path in ((stack.api, "/models"), (unknown, "/jobs"), (stack.api, "/nowhere")):
        assert "access-control-allow-origin" not in client.call("GET", path).headers, path
