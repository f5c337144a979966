"""The operators' routes: who may call them, what they change, and what they answer."""

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from broker.bootstrap import adapters, doors, running
from broker.cloud import clients
from broker.errors import Conflict, Forbidden, InvalidRequest, NotFound
from broker.observability import logger
from broker.rest.admin import ADMIN_ROUTES
from broker.routing.catalog import Models
from broker.tenants.registry import Tenants
from handlers.admin import handler

from tests.fakes.world import NOW
from tests.unit.admin_door import ARN, ENTRY, Door

TENANT = {"id": "acme", "monthly_budget_usd": 5}


@pytest.mark.parametrize("route", ADMIN_ROUTES, ids=" ".join)
def test_no_route_is_open_to_who_did_not_sign(route: tuple[str, str]) -> None:
    error = Door().fails(*route, TENANT, by="")
    assert (type(error), error.code) == (Forbidden, "not_signed")


def test_what_is_no_route() -> None:
    refused = Door()("DELETE", ENTRY)
    assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD, OPTIONS, PUT")
    assert Door().fails("GET", "/admin/nowhere").code == "unknown_route"
    assert Door().fails("DELETE", ENTRY, by="").code == "not_signed"


def test_an_entry_is_put_read_and_kept_with_its_author() -> None:
    door = Door()
    put = door("PUT", ENTRY, TENANT)
    assert (put.status, put.headers) == (200, {"etag": '"1"'})
    assert {name: put.body[name] for name in ("kind", "id", "version", "by", "action", "entry")} == {
        "kind": "tenants",
        "id": "acme",
        "version": 1,
        "by": ARN,
        "action": "added",
        "entry": TENANT,
    }
    assert door("GET", ENTRY) == put
    assert door("GET", "/admin/registry/{kind}").body == {"object": "list", "data": [put.body]}
    assert Tenants(door.database).get("acme", NOW).monthly_budget == 5_000_000_000


def test_a_put_that_changes_nothing_writes_nothing() -> None:
    door = Door()
    door("PUT", ENTRY, TENANT)
    before = dict(door.database._items)
    again = door("PUT", ENTRY, door("GET", ENTRY).body["entry"])
    assert again.body["version"] == 1
    assert door.database._items == before


def test_versions_and_the_way_back() -> None:
    door = Door()
    door("PUT", ENTRY, TENANT)
    door("PUT", ENTRY, TENANT | {"monthly_budget_usd": 9})
    back = door("POST", f"{ENTRY}/rollback", {"version": 1})
    assert (back.body["version"], back.body["action"], back.body["entry"]) == (3, "rolled_back", TENANT)
    shown = door("GET", f"{ENTRY}/versions").body["data"]
    assert [each["version"] for each in shown] == [3, 2, 1]
    assert Tenants(door.database).get("acme", NOW).monthly_budget == 5_000_000_000


def test_if_match_holds_a_change_against_the_version_that_was_read() -> None:
    door = Door()
    tag = door("PUT", ENTRY, TENANT).headers["etag"]
    changed = TENANT | {"monthly_budget_usd": 9}
    assert door("PUT", ENTRY, changed, if_match=tag).body["version"] == 2
    error = door.fails("PUT", ENTRY, TENANT, if_match=tag)
    assert (type(error), error.param) == (Conflict, "If-Match")
    assert type(door.fails("PUT", ENTRY, changed, if_match=tag)) is Conflict, "also where nothing would change"
    assert type(door.fails("POST", f"{ENTRY}/rollback", {"version": 1}, if_match=tag)) is Conflict
    assert door("PUT", ENTRY, TENANT, if_match="*").body["version"] == 3


def test_ids_that_a_path_cannot_hold_are_encoded() -> None:
    door = Door()
    issuer = {"issuer": "https://i.example/a", "jwks_uri": "https://i.example/k", "audience": "a", "tenant": "acme"}
    put = door("PUT", ENTRY, issuer, kind="issuers", entry_id="https%3A%2F%2Fi.example%2Fa")
    assert put.body["id"] == "https://i.example/a"
    source = {"account": "123456789012", "source": "shop", "tenant": "acme"}
    assert door("PUT", ENTRY, source, kind="sources", entry_id="123456789012%23shop").status == 200


@pytest.mark.parametrize(
    ("arguments", "kind", "code", "param"),
    [
        (("PUT", ENTRY, TENANT | {"id": "other"}), "tenants", "invalid_request", "id"),
        (("PUT", ENTRY, {"id": "acme", "colour": 1}), "tenants", "invalid_field", "colour"),
        (("PUT", ENTRY, {"id": "acme", "models": ["none"]}), "tenants", "unknown_model", "models.0"),
        (("PUT", ENTRY, [1]), "tenants", "invalid_field", None),
        (("PUT", ENTRY, TENANT), "colours", "unknown_kind", "kind"),
        (("GET", ENTRY), "tenants", "unknown_entry", "id"),
        (("GET", f"{ENTRY}/versions"), "tenants", "unknown_entry", "id"),
        (("POST", f"{ENTRY}/rollback", {"version": 1}), "tenants", "unknown_entry", "id"),
        (("POST", f"{ENTRY}/rollback", {"version": 0}), "tenants", "invalid_field", "version"),
        (("POST", "/admin/plan", {"tenants": [{"id": "A"}]}), "tenants", "invalid_field", "tenants.0.id"),
        (("POST", "/admin/apply", {"tenants": [TENANT, TENANT]}), "tenants", "duplicate_entry", "tenants.1"),
    ],
)
def test_an_error_names_the_field(arguments: tuple[Any, ...], kind: str, code: str, param: str | None) -> None:
    error = Door().fails(*arguments, kind=kind)
    assert isinstance(error, InvalidRequest)
    assert (error.code, error.param) == (code, param)


def test_a_document_is_planned_and_applied_as_by_the_command() -> None:
    door = Door()
    document = {"tenants": [TENANT], "prompts": [{"id": "p", "user": "x"}]}
    plan = door("POST", "/admin/plan", document).body
    assert door.database._items == {}
    assert door("POST", "/admin/apply", document).body == plan
    assert [(each["kind"], each["id"], each["action"]) for each in plan["changes"]] == [
        ("tenants", "acme", "added"),
        ("prompts", "p", "added"),
    ]
    assert door("POST", "/admin/plan", document).body["changes"] == []
    other = {"tenants": [{"id": "other"}]}
    assert door("POST", "/admin/plan", other).body["unmanaged"] == [{"kind": "tenants", "id": "acme"}]
    door("POST", "/admin/apply", other, query={"prune": "true"})
    with pytest.raises(Forbidden):
        Tenants(door.database).get("acme", NOW)
    assert door.fails("POST", "/admin/plan", other, query={"prune": "1"}).param == "prune"


def test_the_routes_of_models_can_be_edited() -> None:
    door = Door()
    model = {"id": "m", "provider": "openai", "name": "m", "tasks": ["chat"], "context_window": 9}
    model |= {"max_output_tokens": 9, "price_in_usd": 1, "price_out_usd": 1}
    door("PUT", ENTRY, model, kind="models", entry_id="m")
    door("PUT", ENTRY, {"id": "default", "models": ["m"]}, kind="routes", entry_id="default")
    assert Models(door.database).catalog(NOW).routes[None, None].models[0].model == "m"
    with pytest.raises(NotFound):
        door("GET", ENTRY, kind="aliases", entry_id="default")


@pytest.fixture
def nothing_built(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process without the function's environment."""
    built = [
        each
        for each in (*vars(adapters).values(), *vars(doors).values(), *vars(running).values(), clients.client)
        if hasattr(each, "cache_clear")
    ]
    for each in built:
        each.cache_clear()
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    for name in ("JOBS_TABLE", "REGISTRY_TABLE", "LEDGER_TABLE"):
        monkeypatch.delenv(name, raising=False)
    yield
    for each in built:
        each.cache_clear()


@pytest.mark.usefixtures("nothing_built")
def test_an_unexpected_error_is_told_without_its_text(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in logger()._logger.handlers:
        monkeypatch.setattr(each, "stream", sys.stdout)
    event = {"httpMethod": "POST", "resource": "/admin/plan", "body": '{"secret": "words"}', "headers": {}}
    reply = handler(event | {"requestContext": {"requestId": "req-1", "identity": {"userArn": ARN}}}, None)
    assert (reply["statusCode"], json.loads(reply["body"])["error"]["type"]) == (500, "internal_error")
    said = capsys.readouterr().out
    assert '"error":"KeyError"' in said and ARN in said and "words" not in said
