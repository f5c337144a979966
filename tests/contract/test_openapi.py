"""The OpenAPI document: valid, complete, and true of every reply."""

import json
from typing import Any

import pytest
from broker.clock import now_ms
from broker.context.conversations import Turn
from broker.contract.admin_operations import ADMIN_OPERATIONS
from broker.contract.common import EXAMPLE_JOB
from broker.contract.openapi import ERRORS, EVERYWHERE, OPERATIONS, SIGNED_EVERYWHERE
from broker.errors import BrokerError
from broker.jobs.head import Status
from broker.jobs.idempotency import fingerprint, reserve
from broker.jobs.request import parse_request, stored_form
from broker.prompts.experiments import count
from broker.registry.applying import apply
from broker.registry.document import parse_registry
from broker.rest.admin import ADMIN_ROUTES
from broker.rest.api import ROUTES
from broker.rest.http import Reply, error_reply
from broker.rest.prompt_runs import run_body
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.contract.stack import ROOT, events, of_type, template
from tests.contract.world import ASK, NOW, World
from tests.fakes.texts import long_text

LONG = {"prompts": [{"id": "long", "version": n, "user": long_text(400_000, n)} for n in (1, 2)]}
RUN = {"variables": {"document": "The lamp."}}
DOCUMENT: dict[str, Any] = json.loads((ROOT / "schemas" / "openapi.json").read_text())
DOCUMENTED = {(method.upper(), path) for path, item in DOCUMENT["paths"].items() for method in item}


def test_the_document_is_valid() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_every_route_is_documented_and_nothing_else() -> None:
    assert set(ROUTES) == set(OPERATIONS), "rest/api.py and contract/openapi.py name different routes"
    assert set(ADMIN_ROUTES) == set(ADMIN_OPERATIONS), "rest/admin.py and contract/openapi.py name different routes"
    assert {*ROUTES, *ADMIN_ROUTES} == DOCUMENTED, "schemas/openapi.json has other routes: run `make schemas`"


def test_the_template_has_these_routes_and_no_others() -> None:
    given = [(each["Method"].upper(), each["Path"]) for _, _, each in events("Api")]
    assert len(given) == len(set(given)), "a route stands twice in template.yaml"
    assert set(given) == {*ROUTES, *ADMIN_ROUTES}, "template.yaml's API events and the tables of routes differ"


def test_operations_have_names_of_their_own_and_the_scope_of_the_route() -> None:
    found = {(method.upper(), path): each for path, item in DOCUMENT["paths"].items() for method, each in item.items()}
    names = [each["operationId"] for each in found.values()]
    assert len(names) == len(set(names)), f"operationId twice: {sorted(names)}"
    for route, (scope, _) in ROUTES.items():
        assert found[route]["security"] == [{"bearer": [scope]}], f"{route} asks for another scope than the code"
    for route in ADMIN_ROUTES:
        assert found[route]["security"] == [{"sigv4": []}], f"{route} is signed"


def test_every_route_says_what_the_gateway_answers() -> None:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            wanted = SIGNED_EVERYWHERE if "sigv4" in operation["security"][0] else EVERYWHERE
            missing = {str(status) for status in wanted} - operation["responses"].keys()
            assert not missing, f"{method} {path} does not say {sorted(missing)}"


def test_parameters_of_a_path_are_documented() -> None:
    for path, item in DOCUMENT["paths"].items():
        wanted = {part.strip("{}") for part in path.split("/") if part.startswith("{")}
        for method, operation in item.items():
            given = {each["name"] for each in operation.get("parameters", []) if each["in"] == "path"}
            assert given == wanted, f"{method} {path}: path parameters {given}, not {wanted}"


def holds(method: str, resource: str, reply: Reply) -> None:
    """Assert that the document allows this reply to this call."""
    responses = DOCUMENT["paths"][resource][method.lower()]["responses"]
    assert str(reply.status) in responses, f"{method} {resource} gave {reply.status}, which is not documented"
    response = responses[str(reply.status)]
    if "$ref" in response:
        response = DOCUMENT["components"]["responses"][response["$ref"].rsplit("/", 1)[1]]
    headers = {each.lower() for each in response["headers"]}
    assert reply.headers.keys() <= headers, (
        f"{method} {resource}: headers {reply.headers.keys() - headers} undocumented"
    )
    if reply.body is None:
        assert "content" not in response
        return
    schema = response["content"]["application/json"]["schema"]
    body = json.loads(json.dumps(reply.body))
    Draft202012Validator(schema | {"components": DOCUMENT["components"]}).validate(body)


def answered(world: World, method: str, resource: str, **more: Any) -> Reply:
    try:
        return world.call(method, resource, **more)
    except BrokerError as error:
        return error_reply(error, "r-1")


FREE = {"tenants": [{"id": "new", "monthly_budget_usd": 0}]}


def calls() -> list[Any]:
    """One call for each documented reply that the function itself gives."""
    body, bad = json.dumps(ASK), json.dumps({"colour": "blue"})
    lost = {"path": {"id": "job_0"}}
    keyed = {"headers": {"idempotency-key": "k"}}
    asked = json.dumps(ASK | {"prompt": {"id": "none"}})
    run = json.dumps(RUN)
    return [
        ("POST", "/jobs", 202, None, {"body": body}),
        ("POST", "/jobs", 202, None, {"body": body, **keyed}),
        ("POST", "/jobs", 202, None, {"body": body, "headers": {"prefer": "wait=1"}}),
        ("POST", "/jobs", 200, "key of an ended job", {"body": body, **keyed}),
        ("POST", "/jobs", 400, None, {"body": bad}),
        ("POST", "/jobs", 400, None, {"body": "{"}),
        ("POST", "/jobs", 402, None, {"body": body, "tenant": "poor"}),
        ("POST", "/jobs", 403, None, {"body": body, "tenant": "unknown"}),
        ("POST", "/jobs", 403, None, {"body": body, "scopes": frozenset({"jobs:read"})}),
        ("POST", "/jobs", 404, None, {"body": asked}),
        ("POST", "/jobs", 422, "key used", {"body": body, **keyed}),
        ("POST", "/jobs", 409, "key held", {"body": body, **keyed}),
        ("GET", "/jobs", 200, "ended", {}),
        ("GET", "/jobs", 200, "two", {"query": {"limit": "1"}}),
        ("GET", "/jobs", 400, None, {"query": {"limit": "0"}}),
        ("GET", "/jobs", 400, None, {"query": {"status": "done"}}),
        ("GET", "/jobs", 400, None, {"query": {"cursor": "x"}}),
        ("GET", "/jobs/{id}", 200, "ended", {}),
        ("GET", "/jobs/{id}", 400, "ended", {"query": {"wait": "26"}}),
        ("GET", "/jobs/{id}", 404, None, lost),
        ("GET", "/jobs/{id}", 410, "erased", {}),
        ("DELETE", "/jobs/{id}", 204, "ended", {}),
        ("DELETE", "/jobs/{id}", 400, "queued", {}),
        ("DELETE", "/jobs/{id}", 404, None, lost),
        ("POST", "/jobs/{id}/cancel", 200, "queued", {}),
        ("POST", "/jobs/{id}/cancel", 409, "ended", {}),
        ("POST", "/jobs/{id}/cancel", 404, None, lost),
        ("GET", "/jobs/{id}/events", 200, "ended", {}),
        ("GET", "/jobs/{id}/events", 200, "waiting", {}),
        ("GET", "/jobs/{id}/events", 404, None, lost),
        ("POST", "/jobs/{id}/redeliver", 202, "ended", {}),
        ("POST", "/jobs/{id}/redeliver", 400, "queued", {}),
        ("POST", "/jobs/{id}/redeliver", 404, None, lost),
        *(
            ("POST", "/prompts/{id}/run", status, before, {"path": {"id": "shorten"}, "body": run, **given})
            for status, before, given in (
                (202, None, {}),
                (202, None, {"headers": {"idempotency-key": "k", "prefer": "wait=1"}}),
                (200, "run ended", keyed),
                (400, None, {"body": bad}),
                (402, None, {"tenant": "poor"}),
                (404, None, {"path": {"id": "none"}}),
                (409, "run held", keyed),
                (422, "key used", keyed),
                (503, "text lost", {"path": {"id": "long"}, "body": "{}"}),
            )
        ),
        ("POST", "/jobs", 503, "text lost", {"body": json.dumps({"prompt": {"id": "long"}})}),
        ("POST", "/estimates", 503, "text lost", {"body": json.dumps({"prompt": {"id": "long"}})}),
        ("GET", "/conversations/{id}", 200, "talk", {"path": {"id": "c1"}}),
        ("GET", "/conversations/{id}", 400, None, {"path": {"id": "c1"}, "query": {"limit": "0"}}),
        ("GET", "/conversations/{id}", 404, None, {"path": {"id": "c1"}}),
        ("DELETE", "/conversations/{id}", 204, "talk", {"path": {"id": "c1"}}),
        ("POST", "/estimates", 200, None, {"body": body}),
        ("POST", "/estimates", 200, "called", {"body": body}),
        ("POST", "/estimates", 400, None, {"body": bad}),
        ("POST", "/estimates", 402, None, {"body": body, "tenant": "poor"}),
        ("POST", "/estimates", 403, None, {"body": body, "scopes": frozenset()}),
        ("POST", "/estimates", 404, None, {"body": asked}),
        ("GET", "/models", 200, None, {}),
        ("GET", "/models", 200, "called", {}),
        ("GET", "/models", 403, None, {"scopes": frozenset()}),
        *admin_calls(),
    ]


def admin_calls() -> list[Any]:
    """The same for the operators' routes."""
    kind, entry = "/admin/registry/{kind}", "/admin/registry/{kind}/{id}"
    tenants = {"kind": "tenants"}
    acme, none = tenants | {"id": "acme"}, tenants | {"id": "none"}
    good = json.dumps({"id": "acme", "monthly_budget_usd": 2})
    stale = {"headers": {"if-match": '"9"'}}
    document = json.dumps({"tenants": [{"id": "acme"}, {"id": "new"}]})
    back = json.dumps({"version": 1})
    labels, label = "/admin/prompts/{id}/labels", "/admin/prompts/{id}/labels/{label}"
    experiments = "/admin/prompts/{id}/experiments"
    prompt, nobody = {"id": "shorten"}, {"id": "nobody", "label": "production"}
    named = {"path": prompt | {"label": "production"}, "body": json.dumps({"arms": [{"version": 1}]})}
    long = {"kind": "prompts", "id": "long"}
    other = json.dumps({"id": "long", "user": "Other."})
    return [
        ("GET", kind, 200, "long", {"path": {"kind": "prompts"}}),
        ("GET", entry, 200, "long", {"path": long}),
        ("GET", entry, 200, "long", {"path": long, "query": {"version": "1"}}),
        ("GET", entry, 400, "long", {"path": long, "query": {"version": "x"}}),
        ("GET", entry, 404, "long", {"path": long, "query": {"version": "9"}}),
        ("GET", entry, 503, "text lost", {"path": long}),
        ("PUT", entry, 200, "long", {"path": long, "body": other}),
        ("PUT", entry, 503, "text lost", {"path": long, "body": other}),
        ("GET", f"{entry}/versions", 200, "text lost", {"path": long}),
        ("POST", f"{entry}/rollback", 503, "text lost", {"path": long, "body": '{"version": 1}'}),
        ("POST", "/admin/plan", 200, "long", {"body": f'{{"prompts": [{other}]}}'}),
        ("POST", "/admin/plan", 503, "text lost", {"body": f'{{"prompts": [{other}]}}'}),
        ("POST", "/admin/apply", 503, "text lost", {"body": f'{{"prompts": [{other}]}}'}),
        ("GET", kind, 200, None, {"path": tenants}),
        ("GET", kind, 404, None, {"path": {"kind": "colours"}}),
        ("GET", entry, 200, None, {"path": acme}),
        ("GET", entry, 404, None, {"path": none}),
        ("PUT", entry, 200, None, {"path": acme, "body": good}),
        ("PUT", entry, 400, None, {"path": none, "body": good}),
        ("PUT", entry, 404, None, {"path": {"kind": "colours", "id": "x"}, "body": good}),
        ("PUT", entry, 409, None, {"path": acme, "body": good, **stale}),
        ("GET", f"{entry}/versions", 200, None, {"path": acme}),
        ("GET", f"{entry}/versions", 404, None, {"path": none}),
        ("POST", f"{entry}/rollback", 200, None, {"path": acme, "body": back}),
        ("POST", f"{entry}/rollback", 400, None, {"path": acme, "body": "{}"}),
        ("POST", f"{entry}/rollback", 404, None, {"path": none, "body": back}),
        ("POST", f"{entry}/rollback", 409, None, {"path": acme, "body": back, **stale}),
        ("POST", "/admin/plan", 200, None, {"body": document}),
        ("POST", "/admin/plan", 200, None, {"body": document, "query": {"prune": "true"}}),
        ("POST", "/admin/plan", 400, None, {"body": document, "query": {"prune": "yes"}}),
        ("POST", "/admin/apply", 200, None, {"body": document}),
        ("POST", "/admin/apply", 400, None, {"body": "[]"}),
        ("POST", "/admin/apply", 409, "changed meanwhile", {"body": document}),
        ("GET", labels, 200, None, {"path": prompt}),
        ("GET", labels, 200, "labelled", {"path": prompt}),
        ("GET", labels, 404, None, {"path": nobody}),
        ("PUT", label, 200, None, named),
        ("PUT", label, 200, "labelled", named | {"body": '{"arms": []}'}),
        ("PUT", label, 400, None, named | {"body": '{"arms": [{"version": 2}]}'}),
        ("PUT", label, 404, None, named | {"path": nobody}),
        ("PUT", label, 409, None, named | stale),
        ("GET", experiments, 200, None, {"path": prompt}),
        ("GET", experiments, 200, "labelled", {"path": prompt}),
        ("GET", experiments, 404, None, {"path": nobody}),
    ]


@pytest.mark.parametrize(("method", "resource", "status", "before", "more"), calls())
def test_replies_are_as_documented(
    method: str, resource: str, status: int, before: str | None, more: dict[str, Any]
) -> None:
    world = World()
    match before:
        case "ended":
            more = {"path": {"id": world.ended(Status.SUCCEEDED).id}} | more
        case "erased":
            more = {"path": {"id": world.ended(Status.SUCCEEDED).id}} | more
            world.call("DELETE", "/jobs/{id}", **more)
        case "queued":
            more = {"path": {"id": world.submitted().id}} | more
        case "waiting":
            more = {"path": {"id": world.waiting().id}} | more
        case "two":
            assert world.submitted().id != world.submitted().id
        case "called":
            world.circuits.record("small", "acme", "succeeded", 120, now_ms())
            world.circuits.record("large", "acme", "CredentialRejected", 30, now_ms())
        case "key used":
            world.call("POST", "/jobs", body=json.dumps(ASK | {"metadata": {}}), headers={"idempotency-key": "k"})
        case "key of an ended job":
            world.call("POST", "/jobs/{id}/cancel", path={"id": world.call("POST", "/jobs", **more).body["id"]})
        case "changed meanwhile":
            world.database.meanwhile = [lambda: apply(world.registry, parse_registry(FREE), by="other", now=NOW)]
        case "labelled":
            arms = {"id": "shorten", "labels": {"production": [{"version": 1, "weight": 9}]}}
            apply(world.registry, parse_registry({"labels": [arms]}), by="other", now=NOW)
            for used in ({"label": "production"}, {"label": None}):
                world.database.write(count(world.ended(Status.SUCCEEDED), {"id": "shorten", "version": 1} | used))
            world.database.write(count(world.ended(Status.EXPIRED), {"id": "shorten", "version": 2, "label": None}))
        case "long" | "text lost":
            apply(world.registry, parse_registry(LONG), by="other", now=NOW)
            if before == "text lost":
                world.texts.kept.clear()
        case "run ended":
            world.call("POST", "/jobs/{id}/cancel", path={"id": world.call("POST", resource, **more).body["id"]})
        case "run held":
            fingerprinted = fingerprint(stored_form(parse_request(run_body("shorten", RUN))))
            reserve(world.database, "acme", "k", fingerprinted, EXAMPLE_JOB, now_ms())
        case "talk":
            world.turns.keep(
                "acme", "c1", Turn(EXAMPLE_JOB, now_ms(), 1, [{"role": "user", "content": "Hi"}]), now_ms()
            )
        case "key held":
            fingerprinted = fingerprint(stored_form(parse_request(ASK)))
            reserve(world.database, "acme", "k", fingerprinted, EXAMPLE_JOB, now_ms())
    reply = answered(world, method, resource, **more)
    assert reply.status == status, reply.body
    holds(method, resource, reply)


def test_every_documented_reply_of_the_functions_was_tried() -> None:
    gateways = {"401", "413", "429", "500"}
    tried = {(method, resource, str(status)) for method, resource, status, _, _ in calls()}
    # API Gateway itself answers 404 to an operator's call that is not signed; these two have no other.
    tried |= {("POST", "/admin/plan", "404"), ("POST", "/admin/apply", "404")}
    for method, resource in (*ROUTES, *ADMIN_ROUTES):
        said = set(DOCUMENT["paths"][resource][method.lower()]["responses"]) - gateways - {"403"}
        untried = sorted(status for status in said if (method, resource, status) not in tried)
        assert not untried, f"{method} {resource}: nothing here gives {untried}"


def test_replies_of_the_gateway_are_as_documented() -> None:
    (api,) = of_type("AWS::Serverless::Api").values()
    for name, response in api["GatewayResponses"].items():
        body = json.loads(
            response["ResponseTemplates"]["application/json"]
            .replace("$context.requestId", "r-1")
            .replace("$context.error.messageString", '"Unsupported Media Type"')
        )
        schema = DOCUMENT["components"]["schemas"]["Error"]
        Draft202012Validator(schema | {"components": DOCUMENT["components"]}).validate(body)
        if name == "DEFAULT_4XX":
            continue  # it keeps whatever status the gateway has
        status = response.get("StatusCode", 500)
        assert status in ERRORS, f"the gateway's response {name} has the status {status}, which is not documented"
        if status == 429:
            assert "Retry-After" in response["ResponseParameters"]["Headers"], name


def test_the_gateway_and_the_document_have_the_same_stage() -> None:
    (api,) = of_type("AWS::Serverless::Api").values()
    assert DOCUMENT["servers"][0]["url"].endswith(f"/{api['StageName']}")
    assert template()["Outputs"]["ApiUrl"]["Value"]["Fn::Sub"].endswith(f"/{api['StageName']}")
