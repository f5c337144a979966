"""The operators' routes: who may call them, what they change, and what they answer."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from broker.bootstrap import adapters, doors, running
from broker.cloud import clients
from broker.errors import BrokerError, Conflict, Forbidden, InvalidRequest, NotFound
from broker.observability import logger
from broker.prompts.experiments import count
from broker.prompts.templates import Prompts
from broker.registry.versions import Registry
from broker.rest.admin import ADMIN_ROUTES, Admin
from broker.rest.http import Reply, Request
from broker.routing.catalog import Models
from broker.tenants.registry import Tenants
from handlers.admin import handler

from tests.fakes.database import FakeDatabase
from tests.fakes.texts import FakeTexts, long_text
from tests.fakes.world import NOW, a_head

ARN = "arn:aws:sts::123456789012:assumed-role/operator/ada"
ENTRY = "/admin/registry/{kind}/{id}"
TENANT = {"id": "acme", "monthly_budget_usd": 5}


@dataclass
class Door:
    """The operators' door of a broker in memory."""

    database: FakeDatabase = field(default_factory=FakeDatabase)
    texts: FakeTexts = field(default_factory=FakeTexts)

    def __call__(
        self,
        method: str,
        resource: str,
        body: Any = None,
        *,
        kind: str = "tenants",
        entry_id: str = "acme",
        label: str = "production",
        query: dict[str, str] | None = None,
        by: str = ARN,
        **headers: str,
    ) -> Reply:
        named = {"kind": kind, "id": entry_id, "label": label}
        path = {name: value for name, value in named.items() if f"{{{name}}}" in resource}
        event = {
            "httpMethod": method,
            "resource": resource,
            "pathParameters": path,
            "queryStringParameters": query,
            "headers": {name.replace("_", "-"): value for name, value in headers.items()},
            "body": None if body is None else json.dumps(body),
            "requestContext": {"requestId": "r-1", "identity": {"userArn": by or None}},
        }
        return Admin(self.database, Registry(self.database, self.texts))(Request.signed(event))

    def fails(self, *arguments: Any, **options: Any) -> BrokerError:
        before = dict(self.database._items)
        with pytest.raises(BrokerError) as failure:
            self(*arguments, **options)
        assert self.database._items == before, "a call that failed wrote something"
        return failure.value


@pytest.mark.parametrize("route", ADMIN_ROUTES, ids=" ".join)
def test_no_route_is_open_to_who_did_not_sign(route: tuple[str, str]) -> None:
    error = Door().fails(*route, TENANT, by="")
    assert (type(error), error.code) == (Forbidden, "not_signed")


def test_what_is_no_route() -> None:
    assert Door().fails("DELETE", ENTRY).code == "unknown_route"


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


LABELS, LABEL = "/admin/prompts/{id}/labels", "/admin/prompts/{id}/labels/{label}"
EXPERIMENTS = "/admin/prompts/{id}/experiments"


def with_prompt() -> Door:
    door = Door()
    prompts = [{"id": "p", "version": number, "user": f"Version {number}."} for number in (1, 2)]
    door("POST", "/admin/apply", {"prompts": prompts})
    return door


def test_a_long_prompt_is_put_listed_in_short_and_shown_whole() -> None:
    door, texts = Door(), [long_text(1_900_000, seed) for seed in range(4)]
    for text in texts:
        put = door("PUT", ENTRY, {"id": "p", "user": text}, kind="prompts", entry_id="p")
        assert put.body["entry"]["user"] == text
    versions = door("GET", f"{ENTRY}/versions", kind="prompts", entry_id="p").body["data"]
    assert [(each["version"], each["entry"], each["omitted"]) for each in versions] == [
        (number, {"id": "p"}, ["user"]) for number in (4, 3, 2, 1)
    ]
    (listed,) = door("GET", "/admin/registry/{kind}", kind="prompts").body["data"]
    assert (listed["version"], listed["omitted"]) == (4, ["user"])
    old = door("GET", ENTRY, kind="prompts", entry_id="p", query={"version": "2"})
    assert (old.body["entry"], old.body["omitted"], old.headers) == ({"id": "p", "user": texts[1]}, [], {"etag": '"2"'})
    plan = door("POST", "/admin/plan", {"prompts": [{"id": "p", "user": texts[0]}]})
    assert len(json.dumps(plan.body)) < 50_000, "two texts of two megabytes are no reply"
    back = door("POST", f"{ENTRY}/rollback", {"version": 2}, kind="prompts", entry_id="p", if_match='"4"')
    assert (back.body["version"], back.body["entry"]["user"]) == (5, texts[1])
    unknown = door.fails("GET", ENTRY, kind="prompts", entry_id="p", query={"version": "9"})
    assert (type(unknown), unknown.code, unknown.param) == (NotFound, "unknown_version", "version")


def test_a_label_divides_the_traffic_moves_and_goes() -> None:
    door = with_prompt()
    none = door("GET", LABELS, entry_id="p")
    assert (none.body, none.headers) == ({"object": "labels", "id": "p", "version": 0, "labels": {}}, {"etag": '"0"'})
    arms = [{"version": 1, "weight": 90}, {"version": 2, "weight": 10}]
    put = door("PUT", LABEL, {"arms": arms}, entry_id="p", if_match='"0"')
    assert (put.status, put.body["version"], put.body["labels"]) == (200, 1, {"production": arms})
    assert door("GET", LABELS, entry_id="p") == put
    prompts = Prompts(door.database, door.texts)
    taken = {prompts.fill({"id": "p"}, f"key-{number}", NOW).used["version"] for number in range(100)}
    assert taken == {1, 2}
    assert door("PUT", LABEL, {"arms": arms}, entry_id="p").body["version"] == 1, "nothing changed"
    both = door("PUT", LABEL, {"arms": [{"version": 2}]}, entry_id="p", label="staging").body["labels"]
    assert both == {"production": arms, "staging": [{"version": 2, "weight": 100}]}
    gone = door("PUT", LABEL, {"arms": []}, entry_id="p").body
    assert (gone["version"], set(gone["labels"])) == (3, {"staging"})
    back = door("POST", f"{ENTRY}/rollback", {"version": 1}, kind="labels", entry_id="p")
    assert back.body["by"] == ARN
    assert door("GET", LABELS, entry_id="p").body["labels"] == {"production": arms}


@pytest.mark.parametrize(
    ("body", "label", "code", "param"),
    [
        ({"arms": [{"version": 9}]}, "production", "unknown_version", "labels.production.0.version"),
        ({"arms": [{"version": 1, "weight": 0}]}, "production", "invalid_field", "arms.0.weight"),
        ({"arms": [{"version": 1}, {"version": 1}]}, "production", "invalid_field", "arms"),
        ({}, "production", "invalid_field", "arms"),
        ({"arms": [{"version": 1}]}, "a b", "invalid_field", "labels.a b"),
    ],
)
def test_a_label_at_fault_is_named(body: Any, label: str, code: str, param: str) -> None:
    error = with_prompt().fails("PUT", LABEL, body, entry_id="p", label=label)
    assert (error.code, error.param) == (code, param)


def test_a_label_is_held_against_the_version_that_was_read() -> None:
    door = with_prompt()
    arms = {"arms": [{"version": 1}]}
    door("PUT", LABEL, arms, entry_id="p")
    for body in (arms, {"arms": []}):
        assert type(door.fails("PUT", LABEL, body, entry_id="p", if_match='"0"')) is Conflict


def test_what_came_of_versions_is_compared() -> None:
    door = with_prompt()
    assert door("GET", EXPERIMENTS, entry_id="p").body == {"id": "p", "object": "experiment", "arms": []}
    head = a_head(status="succeeded", ended_at=NOW + 500)
    door.database.write(count(head, {"id": "p", "version": 2, "label": "production"}))
    (arm,) = door("GET", EXPERIMENTS, entry_id="p").body["arms"]
    assert (arm["version"], arm["label"], arm["jobs"], arm["success_rate"]) == (2, "production", 1, 1.0)


@pytest.mark.parametrize(("method", "resource"), [("GET", LABELS), ("PUT", LABEL), ("GET", EXPERIMENTS)])
def test_there_is_nothing_to_a_prompt_that_is_not_there(method: str, resource: str) -> None:
    error = Door().fails(method, resource, {"arms": []}, entry_id="nobody")
    assert (type(error), error.code) == (NotFound, "unknown_entry")


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
