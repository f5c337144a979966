"""The OpenAPI document: valid, complete, and one with the gateway."""

import json
import re

from broker.contract.admin_operations import ADMIN_OPERATIONS
from broker.contract.operations import OPERATIONS
from broker.contract.public_operations import PUBLIC_OPERATIONS
from broker.contract.statuses import ERRORS, EVERYWHERE, PUBLIC_EVERYWHERE, SIGNED_EVERYWHERE
from broker.rest.admin import ADMIN_ROUTES
from broker.rest.api import ROUTES
from broker.rest.http import REST
from broker.rest.published import PUBLIC_ROUTES
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.contract.openapi_calls import DOCUMENT
from tests.contract.stack import events, of_type

DOCUMENTED = {(method.upper(), path) for path, item in DOCUMENT["paths"].items() for method in item}


def test_the_document_is_valid() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_every_route_is_documented_and_nothing_else() -> None:
    assert set(ROUTES) == set(OPERATIONS), "rest/api.py and contract/openapi.py name different routes"
    assert set(ADMIN_ROUTES) == set(ADMIN_OPERATIONS), "rest/admin.py and contract/openapi.py name different routes"
    assert set(PUBLIC_ROUTES) == set(PUBLIC_OPERATIONS), "rest/published.py and its operations name different routes"
    all_of_them = {*ROUTES, *ADMIN_ROUTES, *PUBLIC_ROUTES}
    assert all_of_them == DOCUMENTED, "schemas/openapi.json has other routes: run `make schemas`"


def test_the_template_has_these_routes_and_no_others() -> None:
    given = [(each["Method"].upper(), each["Path"]) for _, _, each in events("Api")]
    assert len(given) == len(set(given)), "a route stands twice in template.yaml"
    routes = {*ROUTES, *ADMIN_ROUTES, *PUBLIC_ROUTES}
    led_to = {route: way_to(*route) for route in routes}
    assert not [route for route, way in led_to.items() if way == ("ANY", "/{proxy+}")], (
        "template.yaml has no way to these"
    )
    assert set(given) == set(led_to.values()) | {("ANY", f"/{REST}"), ("ANY", f"/admin/{REST}")}, "ways to no route"


def test_api_gateway_takes_the_resources() -> None:
    """Of what lies side by side, one may be a variable: of a second, API Gateway says that there is one already."""
    variables: dict[str, set[str]] = {}
    for _, _, each in events("Api"):
        parts = each["Path"].split("/")
        for place, part in enumerate(parts):
            if part.startswith("{"):
                variables.setdefault("/".join(parts[:place]), set()).add(part)
    assert not {parent: names for parent, names in variables.items() if len(names) > 1}


def test_the_rights_of_the_gateway_fit_into_a_functions_policy() -> None:
    """A statement for each route, as SAM makes them, in a policy of 20,480 bytes (Lambda, "Lambda quotas")."""
    stack, place = "a-name-of-some-thirty-letters-x", "ap-southeast-2:123456789012"
    for function in {name for name, _, _ in events("Api")}:
        arn = f"arn:aws:lambda:{place}:function:{f'{stack}-{function}'[:51]}-ABCDEFGHIJKL"
        statements = [
            {
                "Sid": f"{stack}-{function}{event}Permissionv1-ABCDEFGHIJKL",
                "Effect": "Allow",
                "Principal": {"Service": "apigateway.amazonaws.com"},
                "Action": "lambda:InvokeFunction",
                "Resource": arn,
                "Condition": {"ArnLike": {"AWS:SourceArn": f"arn:aws:execute-api:{place}:abcdefghij/*/{source}"}},
            }
            for name, event, route in events("Api")
            if name == function
            for source in [f"{route['Method'].upper()}{re.sub('{[^}]*}', '*', route['Path'])}"]
        ]
        policy = {"Version": "2012-10-17", "Id": "default", "Statement": statements}
        size = len(json.dumps(policy, separators=(",", ":")))
        assert size < 20_480, f"{function}: its {len(statements)} routes need {size} bytes: let some lie below one"


def test_what_lies_below_a_route_asks_for_a_key_as_the_route_does() -> None:
    by_way = {(each["Method"].upper(), each["Path"]): each.get("Auth") for _, _, each in events("Api")}
    for route, operation in OPERATIONS.items():
        either = by_way[way_to(*route)] == {"Authorizer": "EitherHeader"}
        assert either is operation.by_either_header, f"{route} by {way_to(*route)}"


def way_to(method: str, path: str) -> tuple[str, str]:
    """The event by which API Gateway hands on a call of a route: the one that says most of its path."""
    ways = {(each["Method"].upper(), each["Path"]) for _, _, each in events("Api")}
    for way in ((method, path), ("ANY", path)):
        if way in ways:
            return way
    parts = path.split("/")
    below = (("ANY", "/".join([*parts[:length], REST])) for length in range(len(parts) - 1, 0, -1))
    return next(way for way in below if way in ways)


def test_operations_have_names_of_their_own_and_the_scope_of_the_route() -> None:
    found = {(method.upper(), path): each for path, item in DOCUMENT["paths"].items() for method, each in item.items()}
    names = [each["operationId"] for each in found.values()]
    assert len(names) == len(set(names)), f"operationId twice: {sorted(names)}"
    for route, (scope, _) in ROUTES.items():
        ways = ("bearer", "key") if OPERATIONS[route].by_either_header else ("bearer",)
        assert found[route]["security"] == [{way: [scope]} for way in ways], f"{route} asks for another scope"
    for route in ADMIN_ROUTES:
        assert found[route]["security"] == [{"sigv4": []}], f"{route} is signed"
    assert {route for route, each in found.items() if not each["security"]} == set(PUBLIC_ROUTES)


def test_every_route_says_what_the_gateway_answers() -> None:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            ((scheme, _),) = [*operation["security"], {"": []}][0].items()
            wanted = {"sigv4": SIGNED_EVERYWHERE, "bearer": EVERYWHERE, "": PUBLIC_EVERYWHERE}[scheme]
            missing = {str(status) for status in wanted} - operation["responses"].keys()
            assert not missing, f"{method} {path} does not say {sorted(missing)}"


def test_parameters_of_a_path_are_documented() -> None:
    for path, item in DOCUMENT["paths"].items():
        wanted = {part.strip("{}") for part in path.split("/") if part.startswith("{")}
        for method, operation in item.items():
            given = {each["name"] for each in operation.get("parameters", []) if each["in"] == "path"}
            assert given == wanted, f"{method} {path}: path parameters {given}, not {wanted}"


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
        if status in (429, 503):
            assert int(response["ResponseParameters"]["Headers"]["Retry-After"].strip("'")) > 0, name


def test_replies_of_the_gateway_have_ids_and_say_whether_to_repeat() -> None:
    (api,) = of_type("AWS::Serverless::Api").values()
    again = {"THROTTLED", "INTEGRATION_FAILURE", "AUTHORIZER_FAILURE", "AUTHORIZER_CONFIGURATION_ERROR", "DEFAULT_5XX"}
    for name, response in api["GatewayResponses"].items():
        headers = response["ResponseParameters"]["Headers"]
        assert headers["X-Request-Id"] == headers["Request-Id"] == "context.requestId", name
        assert headers["X-Should-Retry"] == ("'true'" if name in again else "'false'"), name
        pauses = {each: int(headers[each].strip("'")) for each in ("Retry-After", "Retry-After-Ms") if each in headers}
        assert pauses in ({}, {"Retry-After": 1, "Retry-After-Ms": 1000}, {"Retry-After": 2, "Retry-After-Ms": 2000})
        assert (pauses != {}) >= (name == "THROTTLED")


def test_a_function_that_gives_no_answer_is_told_as_one_that_may_be_asked_again() -> None:
    (api,) = of_type("AWS::Serverless::Api").values()
    for name in ("INTEGRATION_FAILURE", "AUTHORIZER_FAILURE", "AUTHORIZER_CONFIGURATION_ERROR"):
        response = api["GatewayResponses"][name]
        error = json.loads(response["ResponseTemplates"]["application/json"])["error"]
        assert (response["StatusCode"], error["type"], error["code"]) == (503, "unavailable", "not_answered")


def test_the_gateway_and_the_document_have_the_same_stage() -> None:
    (api,) = of_type("AWS::Serverless::Api").values()
    assert DOCUMENT["servers"][0]["url"].endswith(f"/{api['StageName']}")
