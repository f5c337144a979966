"""Routes that API Gateway knows only as what lies below one: the function finds out which of its own a call means."""

from dataclasses import replace

import pytest
from broker.rest.api import ROUTES
from broker.rest.elsewhere import placed
from broker.rest.http import Request

ASKED = Request(
    *("GET", "/{proxy+}", {"proxy": ""}, {}, {}, None, "acme", "ci", frozenset({"*"}), "r-1"),
    base_url="https://api.example.com/v1",
)


def asking(method: str, resource: str, **path: str) -> Request:
    return replace(ASKED, method=method, resource=resource, path=path)


@pytest.mark.parametrize("route", ROUTES, ids=" ".join)
def test_each_route_is_found_from_anywhere_above_it(route: tuple[str, str]) -> None:
    method, resource = route
    parts = resource.split("/")
    called = [part.strip("{}") + "_1" if part.startswith("{") else part for part in parts]
    variables = {part.strip("{}"): part.strip("{}") + "_1" for part in parts if part.startswith("{")}
    for length in range(1, len(parts)):
        above = {part.strip("{}"): value for part, value in zip(parts, called, strict=True) if part.startswith("{")}
        above = {name: value for name, value in above.items() if f"{{{name}}}" in parts[:length]}
        rest = "/".join(called[length:])
        found = placed(asking(method, "/".join([*parts[:length], "{proxy+}"]), proxy=rest, **above), ROUTES)
        assert (found.resource, found.path) == (resource, variables)


@pytest.mark.parametrize(
    ("method", "resource", "path"),
    [
        ("GET", "/batches/{proxy+}", {"proxy": "b/none"}),
        ("PUT", "/batches/{proxy+}", {"proxy": "b"}),
        ("GET", "/batches/{proxy+}", {"proxy": ""}),
        ("POST", "/jobs/{id}/{proxy+}", {"id": "j", "proxy": "cancel/more"}),
        ("POST", "/jobs/{id}/{proxy+}", {"id": "", "proxy": "cancel"}),
        ("GET", "/{proxy+}", {"proxy": "admin/registry/models"}),
    ],
)
def test_what_is_none_of_them_stays_what_it_is(method: str, resource: str, path: dict[str, str]) -> None:
    asked = asking(method, resource, **path)
    assert placed(asked, ROUTES) == asked


def test_a_fixed_name_goes_before_a_variable() -> None:
    assert placed(asking("POST", "/batches/{proxy+}", proxy="estimate"), ROUTES).resource == "/batches/estimate"
    assert (
        placed(asking("POST", "/responses/{proxy+}", proxy="input_tokens"), ROUTES).resource
        == "/responses/input_tokens"
    )
    one = placed(asking("DELETE", "/batches/{proxy+}", proxy="estimate"), ROUTES)
    assert (one.resource, one.path) == ("/batches/{id}", {"id": "estimate"})


def test_what_a_caller_writes_for_a_variable_is_no_part_of_a_route() -> None:
    asked = asking("POST", "/jobs/{id}/{proxy+}", id="{proxy+}", proxy="cancel")
    found = placed(asked, ROUTES)
    assert (found.resource, found.path) == ("/jobs/{id}/cancel", {"id": "{proxy+}"})
