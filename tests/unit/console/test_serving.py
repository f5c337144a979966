"""The console as it is given out: to anybody, with a policy that lets nothing else run."""

from typing import Any

import pytest
from broker.console.serving import POLICY, STATIC
from handlers.console import handler

NAMES = sorted(each.name for each in STATIC.iterdir())


@pytest.fixture(autouse=True)
def region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSOLE_REGION", "eu-central-1")


def asked(name: str | None, **headers: str) -> dict[str, Any]:
    """A call as API Gateway sends it of a route that has no authorizer."""
    event = {
        "resource": "/console/{file}" if name else "/console",
        "httpMethod": "GET",
        "headers": headers,
        "pathParameters": {"file": name} if name else None,
        "requestContext": {"requestId": "r-1"},
    }
    return handler(event, None)


@pytest.mark.parametrize("name", [None, *NAMES])
def test_every_file_comes_whole_and_with_the_policy(name: str | None) -> None:
    reply = asked(name)
    assert reply["statusCode"] == 200
    assert reply["body"] == (STATIC / (name or "index.html")).read_text()
    assert reply["headers"]["content-security-policy"] == POLICY
    assert reply["headers"]["x-content-type-options"] == "nosniff"
    assert reply["headers"]["referrer-policy"] == "no-referrer"


def test_the_policy_allows_only_its_own_origin_and_no_markup_from_texts() -> None:
    rules = dict(each.partition(" ")[::2] for each in POLICY.split("; "))
    assert rules["default-src"] == "'none'"
    assert {rules[name] for name in ("script-src", "style-src", "img-src", "connect-src")} == {"'self'"}
    assert {rules[name] for name in ("base-uri", "form-action", "frame-ancestors", "trusted-types")} == {"'none'"}
    assert rules["require-trusted-types-for"] == "'script'"


def test_kinds_are_told_as_browsers_need_them() -> None:
    assert asked("app.js")["headers"]["content-type"].startswith("text/javascript")
    assert asked("style.css")["headers"]["content-type"].startswith("text/css")
    assert asked(None)["headers"]["content-type"].startswith("text/html")


def test_who_has_it_is_told_that_nothing_is_new_and_asks_each_time() -> None:
    first = asked("app.js")
    again = asked("app.js", **{"If-None-Match": first["headers"]["etag"]})
    assert (again["statusCode"], again["body"]) == (304, "")
    assert first["headers"]["cache-control"] == "no-cache", "modules of two releases would run together"


def test_settings_say_where_to_sign_for_and_nothing_more() -> None:
    assert asked("config.json")["body"] == '{"region": "eu-central-1"}'


@pytest.mark.parametrize(
    "name", ["../serving.py", "..%2fserving.py", "serving.py", "/etc/passwd", "", ".", "app.js/", "APP.JS"]
)
def test_no_other_name_leads_anywhere(name: str) -> None:
    event = {"pathParameters": {"file": name}, "headers": None, "requestContext": {"requestId": "r-1"}}
    reply = handler(event, None)
    assert reply["statusCode"] == 404
    assert '"unknown_route"' in reply["body"]
