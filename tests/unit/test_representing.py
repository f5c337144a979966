"""How replies go out: tags, `304`, links to pages, and errors as problem details."""

import json
from dataclasses import replace
from typing import Any

import pytest
from broker.errors import NotFound
from broker.rest.http import Reply, Request, error_reply
from broker.rest.representing import represented

BASE = "https://api.example.com/v1"


def asking(method: str = "GET", **changes: Any) -> Request:
    facts: dict[str, Any] = {
        "resource": "/jobs/{id}",
        "path": {"id": "job_1"},
        "query": {},
        "headers": {},
        "body": None,
        "tenant": "acme",
        "principal": "ci",
        "scopes": frozenset({"jobs:read"}),
        "request_id": "r-1",
        "base_url": BASE,
    }
    return Request(method=method, **facts | changes)


JOB = {"id": "job_1", "object": "job", "status": "queued"}


def tag_of(body: dict[str, Any], **changes: Any) -> str:
    return represented(Reply(200, body), asking(**changes)).headers["etag"]


def test_a_poll_with_nothing_new_is_304_and_has_no_body() -> None:
    first = represented(Reply(200, JOB, {"retry-after": "3"}), asking())
    assert json.loads(first.body) == JOB
    again = represented(Reply(200, JOB, {"retry-after": "4"}), asking(headers={"if-none-match": first.headers["etag"]}))
    assert (again.status, again.body) == (304, None)
    assert again.headers == {"etag": first.headers["etag"], "retry-after": "4"}


def test_a_poll_with_something_new_is_the_whole_job_under_another_tag() -> None:
    first = tag_of(JOB)
    ended = represented(Reply(200, JOB | {"status": "succeeded"}), asking(headers={"if-none-match": first}))
    assert ended.status == 200
    assert json.loads(ended.body)["status"] == "succeeded"
    assert ended.headers["etag"] != first


@pytest.mark.parametrize("other", [{"tenant": "evil"}, {"principal": "b"}, {"scopes": frozenset({"pii:read"})}])
def test_a_tag_is_for_who_got_it(other: dict[str, Any]) -> None:
    """What redacted readers were shown says nothing to others, and the other way round."""
    assert tag_of(JOB) != tag_of(JOB, **other)
    theirs = represented(Reply(200, JOB), asking(headers={"if-none-match": tag_of(JOB)}, **other))
    assert theirs.status == 200


@pytest.mark.parametrize("header", ['"x", {tag}', "{tag}", "{strong}", "*", ' W/"y" ,{tag} '])
def test_a_tag_is_found_among_several_and_compared_weakly(header: str) -> None:
    tag = tag_of(JOB)
    sent = header.format(tag=tag, strong=tag.removeprefix("W/"))
    assert represented(Reply(200, JOB), asking(headers={"if-none-match": sent})).status == 304


@pytest.mark.parametrize("header", ["", '""', 'W/""', "W/", ",", '"x"', "x" * 9000])
def test_what_is_no_tag_of_ours_brings_the_job(header: str) -> None:
    assert represented(Reply(200, JOB), asking(headers={"if-none-match": header})).status == 200


def test_an_estimate_that_shrinks_with_the_clock_is_nothing_new() -> None:
    assert tag_of(JOB | {"eta_seconds": 9}) == tag_of(JOB | {"eta_seconds": 8})
    assert tag_of(JOB | {"eta_seconds": 9, "position": 1}) != tag_of(JOB | {"eta_seconds": 8, "position": 2})


def test_only_what_is_read_has_a_tag() -> None:
    for method, status in (("POST", 200), ("POST", 202), ("GET", 404), ("DELETE", 204)):
        reply = Reply(status, {"error": {"code": "x", "type": "y", "message": "z"}} if status > 400 else JOB)
        sent = asking(method, headers={"if-none-match": "*"})
        assert represented(reply, sent) == reply, "a write was done, whatever the caller knows"


def test_an_operators_entry_keeps_its_version_as_its_tag() -> None:
    reply = Reply(200, JOB, {"etag": '"3"'})
    assert represented(reply, asking()).headers["etag"] == '"3"'
    assert represented(reply, asking(headers={"if-none-match": '"3"'})).status == 304
    assert represented(reply, asking(headers={"if-none-match": '"2"'})).status == 200


def test_a_lone_half_of_a_letter_is_tagged_as_well() -> None:
    assert tag_of({"output": {"text": "\ud83d"}}) != tag_of({"output": {"text": "\ud83e"}})


def listed(**changes: Any) -> Reply:
    body = {"object": "list", "data": [], **changes}
    return represented(Reply(200, body), asking(resource="/jobs", path={}, query={"limit": "2", "cursor": "old"}))


def test_a_page_links_to_the_next_one() -> None:
    assert listed(next_cursor="a+b=").headers["link"] == f'<{BASE}/jobs?limit=2&cursor=a%2Bb%3D>; rel="next"'
    more = listed(has_more=True, last_id="file-1").headers["link"]
    assert more == f'<{BASE}/jobs?limit=2&after=file-1>; rel="next"'


def test_a_page_in_anthropics_form_links_as_its_clients_ask() -> None:
    body = {"data": [], "has_more": True, "first_id": "a", "last_id": "b"}
    asked = asking(resource="/models", path={}, query={"limit": "2", "after_id": "old"})
    link = represented(Reply(200, body), asked).headers["link"]
    assert link == f'<{BASE}/models?limit=2&after_id=b>; rel="next"'


@pytest.mark.parametrize("last", [{"next_cursor": None}, {"has_more": False, "last_id": "file-1"}, {}])
def test_the_last_page_links_to_none(last: dict[str, Any]) -> None:
    assert "link" not in listed(**last).headers


def test_a_link_has_the_path_as_it_was_called_and_nothing_that_ends_it() -> None:
    reply = Reply(200, {"next_cursor": "c"})
    evil = '>; rel="next", <https://evil/\r\nset-cookie: a=b'
    hostile = asking(resource="/conversations/{id}", path={"id": f"a%2F{evil}"}, query={"x": evil})
    link = represented(reply, hostile).headers["link"]
    assert link.startswith(f"<{BASE}/conversations/a%2F%3E") and link.count("<") == link.count(">") == 1
    assert link.isprintable()


ERROR = error_reply(NotFound("There is no such job.", param="id"), "r-1")


@pytest.mark.parametrize("accept", ["application/problem+json", "text/html, Application/Problem+JSON;q=0.9"])
def test_an_error_is_problem_details_for_who_takes_them(accept: str) -> None:
    reply = represented(ERROR, asking(headers={"accept": accept}))
    assert (reply.status, reply.headers["content-type"]) == (404, "application/problem+json")
    assert reply.headers["x-should-retry"] == "false"
    assert reply.body == {
        "type": "urn:inference-broker:error:not_found",
        "title": "Not found",
        "status": 404,
        "detail": "There is no such job.",
        "code": "not_found",
        "param": "id",
        "request_id": "r-1",
    }


@pytest.mark.parametrize("accept", ["", "application/json", "*/*", "application/*"])
def test_an_error_is_as_ever_for_all_others(accept: str) -> None:
    assert represented(ERROR, asking(headers={"accept": accept})) == ERROR


@pytest.mark.parametrize("more", [{"type": "error", "request_id": "r-1"}, {"id": "job_1", "object": "job"}])
def test_what_has_more_than_the_error_stays_as_it_is(more: dict[str, Any]) -> None:
    reply = replace(ERROR, body={**ERROR.body, **more})
    assert represented(reply, asking(headers={"accept": "application/problem+json"})) == reply


def test_a_success_is_as_ever_for_who_takes_problems() -> None:
    reply = represented(Reply(202, JOB), asking("POST", headers={"accept": "application/problem+json"}))
    assert reply == Reply(202, JOB)


def test_a_head_has_the_headers_of_its_get() -> None:
    get = represented(Reply(200, JOB), asking())
    head = represented(replace(Reply(200, JOB), bodiless=True), asking("HEAD"))
    assert (head.headers, head.proxy("r")["body"]) == (get.headers, "")
