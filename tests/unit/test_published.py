"""What anybody may read: the document, and the page that is made of it."""

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from broker.rest.page import STYLE, page_of
from broker.rest.published import published
from handlers.api import handler

DOMAIN = "a1b2c3.execute-api.eu-central-1.amazonaws.com"


def event(resource: str, **headers: str) -> dict[str, Any]:
    """As API Gateway sends it of a route that has no authorizer."""
    context = {"requestId": "r-1", "apiId": "a1b2c3", "domainName": DOMAIN, "path": f"/v1{resource}"}
    return {"resource": resource, "httpMethod": "GET", "headers": headers, "requestContext": context, "body": None}


class Page(HTMLParser):
    """What a page has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        known = dict(attrs)
        self.ids += [str(known["id"])] if "id" in known else []
        self.links += [str(known["href"])] if "href" in known else []
        assert not {name for name in known if name.startswith("on")} | known.keys() & {"src", "style"}
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert not self.open or tag not in ("table", "article", "section", "main", "nav", "ul") or tag in self.open
        while self.open and self.open.pop() != tag:
            pass


def test_anybody_gets_the_document_with_the_server_that_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBLIC_URL", "")
    monkeypatch.setenv("CORS_ORIGIN", "")
    reply = handler(event("/openapi.json"), None)
    document = json.loads(reply["body"])
    assert (reply["statusCode"], document["openapi"]) == (200, "3.1.0")
    assert document["servers"] == [{"url": f"https://{DOMAIN}/v1"}]
    assert reply["headers"]["cache-control"].startswith("public")
    assert reply["headers"]["x-request-id"] == "r-1"


@pytest.mark.parametrize("resource", ["/openapi.json", "/docs"])
def test_who_has_it_is_told_that_nothing_is_new(resource: str) -> None:
    first = published(event(resource), "")
    assert published(event(resource, **{"If-None-Match": first.headers["etag"]}), "").status == 304
    assert published(event(resource, **{"If-None-Match": '"other"'}), "").status == 200
    assert published(event(resource), "https://api.example.com").headers["etag"] != first.headers["etag"]


def test_the_page_runs_and_loads_nothing() -> None:
    reply = published(event("/docs"), "")
    page = Page(reply.body)
    assert not {"script", "link", "img", "iframe", "form", "object", "base"} & set(page.tags)
    policy = dict(each.strip().split(" ", 1) for each in reply.headers["content-security-policy"].split(";"))
    assert (policy["default-src"], policy["frame-ancestors"]) == ("'none'", "'none'")
    assert "unsafe" not in str(policy) and page.tags.count("style") == 1 and f"<style>{STYLE}</style>" in reply.body
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_each_link_of_the_page_leads_somewhere_and_each_call_is_on_it() -> None:
    document = json.loads(published(event("/openapi.json"), "").body)
    page = Page(published(event("/docs"), "").body)
    assert len(page.ids) == len(set(page.ids))
    inner = {link[1:] for link in page.links if link.startswith("#")}
    assert inner <= set(page.ids)
    assert {link for link in page.links if not link.startswith("#")} == {f"https://{DOMAIN}/v1/openapi.json"}
    calls = {each["operationId"] for item in document["paths"].values() for each in item.values()}
    assert calls <= inner & set(page.ids)


def test_the_page_can_be_gone_through_by_keyboard() -> None:
    text = published(event("/docs"), "").body
    first = re.search(r"<a [^>]*>", text)
    assert first and 'href="#main"' in first[0], "the first stop leads past the list of calls"
    assert '<html lang="en">' in text and "<main" in text and "<nav aria-label" in text and ":focus-visible" in text


def test_what_a_document_says_is_text_and_no_markup() -> None:
    evil = '<script>alert("x")</script>'
    operation = {
        "operationId": "op",
        "summary": evil,
        "tags": ["t"],
        "security": [],
        "parameters": [
            {"name": evil, "in": "query", "required": False, "schema": {"enum": [evil]}, "description": evil}
        ],
        "responses": {"200": {"description": evil, "content": {"x": {"schema": {"type": evil}, "example": evil}}}},
        "x-error-codes": {},
    }
    page = page_of(
        {
            "openapi": "3.1.0",
            "info": {"title": evil, "description": evil},
            "servers": [{"url": f'https://x"{evil}'}],
            "tags": [{"name": "t", "description": evil}],
            "paths": {f"/{evil}": {"get": operation}},
            "components": {"schemas": {"S": {"description": evil, "properties": {evil: {"const": evil}}}}},
        }
    )
    assert "<script" not in page and "script" not in Page(page).tags


def test_the_document_and_the_page_tell_of_no_tenant() -> None:
    for resource in ("/openapi.json", "/docs"):
        text = published(event(resource), "").body
        assert not re.search(r"ib_[A-Za-z0-9]{20,}|AKIA[A-Z0-9]{12,}|X-Amz-Signature=[0-9a-f]{8,}", text)
