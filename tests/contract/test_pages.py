"""A page's `Link` leads to the next page, whichever way the list itself goes on."""

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from broker.rest.http import Request
from broker.rest.representing import represented

from tests.contract.openapi_files import form
from tests.contract.world import World
from tests.fakes.world import BASE_URL


def read(world: World, resource: str, query: dict[str, str], headers: dict[str, str]) -> tuple[list[str], str | None]:
    """The ids on a page, and the link to the next."""
    reply = world.call("GET", resource, query=query, headers=headers)
    facts: dict[str, Any] = {"path": {}, "query": query, "headers": headers, "body": None, "tenant": "acme"}
    asked = Request("GET", resource, principal="me", scopes=frozenset("*"), request_id="r", base_url=BASE_URL, **facts)
    shown = represented(reply, asked)
    return [row["id"] for row in json.loads(shown.body)["data"]], shown.headers.get("link")


@pytest.mark.parametrize(
    ("resource", "headers"),
    [("/jobs", {}), ("/files", {}), ("/models", {"anthropic-version": "2023-06-01"})],
)
def test_following_the_links_gives_each_row_once(resource: str, headers: dict[str, str]) -> None:
    world = World()
    for number in range(3):
        world.submitted()
        world.call("POST", "/files", **form("file", f"{number}\n", purpose="batch"))
    whole, none = read(world, resource, {"limit": "100"}, headers)
    assert len(whole) > 1 and none is None
    found: list[str] = []
    link: str | None = f'<{BASE_URL}{resource}?limit=1>; rel="next"'
    while link:
        address = urlsplit(link[1 : link.index(">")])
        assert address.path.endswith(resource)
        page, link = read(world, resource, dict(parse_qsl(address.query)), headers)
        found += page
        assert len(found) <= len(whole)
    assert found == whole
