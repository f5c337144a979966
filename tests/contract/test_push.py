"""What the template promises of push: nothing where it is off, and no more than its own where it is on."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from broker.batches.batch import BatchStatus
from broker.cloud.stream_of_all import any_change_of
from broker.jobs.store import NEWS, NEWS_OF_REVIEW
from broker.push.changes import BatchChange
from broker.push.connection import MOST_CONNECTIONS, MOST_SUBSCRIPTIONS
from broker.push.messages import ACTIONS, LONGEST_REF, MOST_BYTES
from handlers.push import TELL_S

from tests.contract.stack import ROOT, as_list, functions, of_type, rights, target, template
from tests.unit.push_case import a_batch

PAGE = (ROOT / "docs" / "push.md").read_text()
OF_PUSH = {name: each for name, each in template()["Resources"].items() if name.startswith("Push")}
ALWAYS = {"PushFunction", "PushRole", "PushPolicy", "PushLogs"}


def test_it_is_off_unless_it_is_asked_for_and_then_nothing_of_it_is_there_that_costs() -> None:
    assert template()["Parameters"]["Push"]["Default"] == "off"
    assert template()["Conditions"]["Pushes"] == {"Fn::Equals": [{"Ref": "Push"}, "on"]}
    always = {name for name, each in OF_PUSH.items() if "Condition" not in each}
    assert always - {"PublishFunction"} == ALWAYS
    assert {each.get("Condition") for name, each in OF_PUSH.items() if name not in ALWAYS} == {"Pushes", "PushesOnAws"}
    assert "Events" not in functions()["PushFunction"], "nothing calls the function while it is off"


def test_what_tells_the_bus_and_webhooks_knows_nothing_of_it() -> None:
    """So the way of a job makes the same requests, on or off."""
    given = functions()["PublishFunction"]["Environment"]["Variables"]
    assert "PUSH_URL" not in given and "push" not in (ROOT / "functions/handlers/publish.py").read_text()
    assert "push" not in (ROOT / "functions/broker/delivery/publishing.py").read_text()


def test_the_function_may_speak_to_connections_of_its_own_api_alone() -> None:
    found = [each for each in rights("PushRole") if "execute-api:ManageConnections" in as_list(each["Action"])]
    (statement,) = found
    assert as_list(statement["Action"]) == ["execute-api:ManageConnections"]
    begins = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${PushApi}/v1/"
    named = {each["Fn::Sub"] for each in statement["Resource"]}
    assert named == {f"{begins}{method}/@connections/*" for method in ("POST", "DELETE")}
    for role in of_type("AWS::IAM::Role"):
        others = [each for each in rights(role) if "execute-api:ManageConnections" in as_list(each["Action"])]
        assert bool(others) is (role == "PushRole"), role


def test_of_the_ledger_it_may_touch_connections_and_rates_alone_and_writes_nowhere_else() -> None:
    writes = {"dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"}
    found = [each for each in rights("PushRole") if writes & set(as_list(each["Action"]))]
    (statement,) = found
    assert target(statement["Resource"]) == "LedgerTable"
    assert statement["Condition"] == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["PUSH#*", "LIMITS#*"]}}


def test_connections_are_authorized_as_calls_are_and_by_no_url() -> None:
    routes = {each["RouteKey"]: each for each in of_type("AWS::ApiGatewayV2::Route").values()}
    assert routes.keys() == {"$connect", "$disconnect", "$default"}
    assert routes["$connect"]["AuthorizationType"] == "CUSTOM"
    assert target(routes["$connect"]["AuthorizerId"]) == "PushAuthorizer"
    (authorizer,) = of_type("AWS::ApiGatewayV2::Authorizer").values()
    assert authorizer["AuthorizerType"] == "REQUEST" and "IdentitySource" not in authorizer
    assert target(authorizer["AuthorizerUri"]["Fn::Sub"][1]["Function"]) == "AuthorizeFunction"
    assert all(target(each["ApiId"]) == "PushApi" for each in routes.values())


def test_a_message_is_answered_on_aws_as_well() -> None:
    (answer,) = of_type("AWS::ApiGatewayV2::RouteResponse").values()
    assert (target(answer["RouteId"]), answer["RouteResponseKey"]) == ("PushMessage", "$default")
    assert of_type("AWS::ApiGatewayV2::Route")["PushMessage"]["RouteResponseSelectionExpression"] == "$default"


def test_only_its_own_api_may_call_it() -> None:
    named = {"PushMayCall": "${PushApi}/v1/*", "PushMayAuthorize": "${PushApi}/authorizers/${PushAuthorizer}"}
    for name, ends in named.items():
        permission = of_type("AWS::Lambda::Permission")[name]
        assert permission["Principal"] == "apigateway.amazonaws.com"
        assert permission["SourceArn"]["Fn::Sub"].endswith(f":{ends}")


def test_it_is_throttled_and_nothing_that_is_said_is_logged() -> None:
    (stage,) = of_type("AWS::ApiGatewayV2::Stage").values()
    settings = stage["DefaultRouteSettings"]
    assert target(settings["ThrottlingRateLimit"]) == "RequestRate" and settings["DataTraceEnabled"] is False
    assert "AccessLogSettings" not in stage


READER = of_type("AWS::Lambda::EventSourceMapping")["PushHeads"]
PATTERNS = [json.loads(each["Pattern"]) for each in READER["FilterCriteria"]["Filters"]]


def test_the_reader_is_its_own_and_is_not_held_up_for_long() -> None:
    assert READER["FunctionName"] == {"Fn::GetAtt": ["PushFunction", "Arn"]}
    assert READER["MaximumRetryAttempts"] <= 1 and READER["MaximumRecordAgeInSeconds"] == 60
    assert functions()["PushFunction"]["Timeout"] > TELL_S + 2 * 2  # a post and a close that are under way
    # DynamoDB developer guide, "Reading and processing a stream": no more than two readers of a shard.
    others = [
        one for each in functions().values() for one in each.get("Events", {}).values() if one["Type"] == "DynamoDB"
    ]
    assert len(others) == 1


def test_the_reader_gets_changes_of_status_whatever_else_is_told() -> None:
    heads, batches = PATTERNS
    assert set(heads["dynamodb"]["NewImage"]["news"]["N"]) == {str(each["news"]) for each in (NEWS, NEWS_OF_REVIEW)}
    assert heads["dynamodb"]["Keys"]["sk"]["S"] == ["HEAD"] and batches["dynamodb"]["Keys"]["sk"]["S"] == ["BATCH"]


def _record(image: dict[str, Any]) -> dict[str, Any]:
    from broker.cloud.attributes import encode_item

    return {"Keys": {"sk": {"S": image["sk"]}}, "NewImage": encode_item(image), "SequenceNumber": "1"}


def test_a_batch_of_the_stream_is_read_and_a_file_of_the_inbox_is_none() -> None:
    change = any_change_of(_record(a_batch(status=BatchStatus.COMPLETED).to_item()))
    assert isinstance(change, BatchChange)
    assert (change.after.status, change.after.tenant) == (BatchStatus.COMPLETED, "acme")
    assert any_change_of(_record({"pk": "BATCH#file_1", "sk": "BATCH", "tenant": "acme", "lines": 3})) is None


@pytest.mark.parametrize(
    "figure",
    [f"| {MOST_CONNECTIONS};", f"| {MOST_SUBSCRIPTIONS};", f"{MOST_BYTES:,} bytes", f"{LONGEST_REF} characters"],
)
def test_the_page_has_the_bounds_that_there_are(figure: str) -> None:
    assert figure in PAGE


def test_the_page_has_each_action() -> None:
    assert set(re.findall(r'\{"action": "(\w+)"', PAGE)) == set(ACTIONS)


def test_the_page_says_what_the_embedded_cloud_does() -> None:
    assert "subprotocol" in Path(ROOT / "local" / "emulator" / "sockets.py").read_text()
    assert "embedded cloud has WebSocket APIs" in " ".join(PAGE.split())
