"""What the template promises to the account that has it: any partition, first deployments, removal, other senders."""

import json
import re
from typing import Any

import pytest

from tests.contract.stack import ROOT, as_list, of_type, queues, target, template, workflow_files


@pytest.mark.parametrize("kind", ["AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::KMS::Key"])
def test_what_holds_data_outlives_the_stack(kind: str) -> None:
    for name, resource in template()["Resources"].items():
        if resource["Type"] == kind:
            assert resource.get("DeletionPolicy", "").startswith("Retain"), f"{name} would be deleted with the stack"
            assert resource.get("UpdateReplacePolicy") == "Retain", f"{name} would be deleted when it is replaced"


ONLY_COPIES = {"IntakeQueue", "IntakeDeadLetters", "RejectedQueue", "RuleDeadLetters"}
"""Queues of events that are nowhere else; what is in all others names something that a table or a bucket holds."""


def test_queues_that_have_the_only_copy_outlive_the_stack() -> None:
    kept = {name for name in queues() if template()["Resources"][name]["DeletionPolicy"] == "RetainExceptOnCreate"}
    assert kept == ONLY_COPIES
    fed = [target(each["Arn"]) for rule in of_type("AWS::Events::Rule").values() for each in rule["Targets"]]
    assert kept >= set(fed) - {"FilesQueue"}, "what EventBridge hands over has no other copy, but for files"


@pytest.mark.parametrize("kind", ["AWS::SQS::Queue", "AWS::Logs::LogGroup"])
def test_what_goes_with_the_stack_says_so_and_stays_when_it_is_replaced(kind: str) -> None:
    for name in of_type(kind):
        resource = template()["Resources"][name]
        assert resource["DeletionPolicy"] == ("RetainExceptOnCreate" if name in ONLY_COPIES else "Delete"), name
        assert resource["UpdateReplacePolicy"] == "Retain", f"{name} would be deleted when it is replaced"


def test_the_documents_say_of_each_thing_that_stays_what_it_is_and_what_it_costs() -> None:
    text = (ROOT / "docs" / "removing.md").read_text()
    rows = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("| `")]
    told = {name for what, _, _ in rows for name in re.findall(r"`(\w+)`", what)}
    stays = {name for name, each in template()["Resources"].items() if "Retain" in each.get("DeletionPolicy", "")}
    assert told == stays
    assert all(costs.strip() for _, _, costs in rows)


def test_the_stack_policy_keeps_a_deployment_from_replacing_or_deleting_what_holds_data() -> None:
    allow, deny = json.loads((ROOT / "stack-policy.json").read_text())["Statement"]
    # A stack that has a policy takes no change that it does not allow (CloudFormation user guide, "Stack policies").
    assert allow == {"Effect": "Allow", "Principal": "*", "Action": "Update:*", "Resource": "*"}
    assert (deny["Effect"], deny["Principal"], set(deny["Action"])) == (
        "Deny",
        "*",
        {"Update:Replace", "Update:Delete"},
    )
    named = {each.removeprefix("LogicalResourceId/") for each in deny["Resource"]}
    holds = {name for name, each in template()["Resources"].items() if "Retain" in each.get("DeletionPolicy", "")}
    assert named == holds - {"ApiAccount", "ApiAccountRole"}


def test_what_stays_has_no_name_that_would_be_in_the_way_of_the_next_stack() -> None:
    for name, each in template()["Resources"].items():
        if "Retain" in each.get("DeletionPolicy", ""):
            named = {key for key in each["Properties"] if key.endswith("Name")}
            assert not named, f"{name} would be there already"


def test_the_stage_comes_after_the_accounts_log_role() -> None:
    (api,) = of_type("AWS::Serverless::Api").values()
    logs = of_type("AWS::Logs::LogGroup")[target(api["AccessLogSetting"]["DestinationArn"])]
    after = [tag["Value"]["Fn::If"] for tag in logs["Tags"] if "Fn::If" in tag["Value"]]
    account = template()["Resources"]["ApiAccount"]
    assert after == [[account["Condition"], {"Ref": "ApiAccount"}, "existing"]]
    assert account["DependsOn"] == "Api", "an account without any API takes no role"


def test_nothing_waits_for_what_a_condition_may_leave_out() -> None:
    # It would be left out as well (CloudFormation template reference, "Condition attribute").
    resources = template()["Resources"]
    for name, resource in resources.items():
        for each in as_list(resource.get("DependsOn", [])):
            assert resources[each].get("Condition") in (None, resource.get("Condition")), f"{name} depends on {each}"


def test_no_part_of_aws_is_taken_for_granted() -> None:
    for path in (ROOT / "template.yaml", *workflow_files()):
        assert "arn:aws:" not in path.read_text(), f"{path.name} would not work in China or GovCloud"


def principals(node: Any) -> list[Any]:
    """Each service that a policy of the template speaks of, as the template names it."""
    if isinstance(node, list):
        return [each for inner in node for each in principals(inner)]
    if not isinstance(node, dict):
        return []
    own = (
        node["Principal"]["Service"]
        if isinstance(node.get("Principal"), dict) and "Service" in node["Principal"]
        else []
    )
    return [*as_list(own), *principals(list(node.values()))]


def test_services_are_named_as_in_every_partition() -> None:
    """All have one name everywhere but CloudWatch Logs, whose name has its region and the partition's domain."""
    named = principals(template()["Resources"])
    assert {"Fn::Sub": "logs.${AWS::Region}.${AWS::URLSuffix}"} in named
    plain = {each for each in named if isinstance(each, str)}
    everywhere = {"apigateway", "bedrock", "cloudtrail", "cloudwatch", "events", "lambda", "logging.s3", "states"}
    assert plain == {f"{each}.amazonaws.com" for each in everywhere}
    assert len(named) == sum(isinstance(each, str) for each in named) + 1


def test_what_is_kept_is_not_kept_of_a_first_deployment_that_failed() -> None:
    kept = {name: each.get("DeletionPolicy", "") for name, each in template()["Resources"].items()}
    assert {name for name, policy in kept.items() if policy == "Retain"} == set(), (
        "it would be in the way, or be litter"
    )


def test_other_accounts_may_ask_for_work_where_they_are_named_and_say_nothing_else() -> None:
    policies = of_type("AWS::Events::EventBusPolicy")
    asked = {
        target(rule["EventBusName"]): rule["EventPattern"]["detail-type"]
        for rule in of_type("AWS::Events::Rule").values()
        if "EventBusName" in rule
    }
    for name, policy in policies.items():
        statement = policy["Statement"]
        bus = target(policy["EventBusName"])
        assert statement["Action"] == "events:PutEvents", name
        assert statement["Resource"] == {"Fn::GetAtt": [bus, "Arn"]}, name
        # Else one of them could say of a job of another's that it has ended.
        assert [statement["Condition"]["StringEquals"]["events:detail-type"]] == asked[bus], name
        anybody = statement["Principal"] == "*"
        assert anybody == ("aws:PrincipalOrgID" in statement["Condition"]["StringEquals"]), f"{name} hears everybody"
    assert len(policies) == 2


@pytest.mark.parametrize(
    ("policy", "parameter"),
    [("SenderAccountsPolicy", "SenderAccounts"), ("SenderOrganizationPolicy", "SenderOrganization")],
)
def test_no_other_account_is_heard_by_default(policy: str, parameter: str) -> None:
    assert template()["Parameters"][parameter]["Default"] == ""
    condition = template()["Conditions"][template()["Resources"][policy]["Condition"]]
    assert {"Ref": parameter} in _nodes(condition)
    assert {"Ref": parameter} in _nodes(of_type("AWS::Events::EventBusPolicy")[policy]["Statement"])


def _nodes(node: Any) -> list[Any]:
    inner = list(node.values()) if isinstance(node, dict) else node if isinstance(node, list) else []
    return [node, *(found for each in inner for found in _nodes(each))]


@pytest.mark.parametrize(
    ("parameter", "given", "taken"),
    [
        *(("SenderOrganization", each, True) for each in ("", "o-a1b2c3d4e5")),
        *(("SenderOrganization", each, False) for each in ("*", "123456789012", "o-short")),
        *(("SenderAccounts", each, True) for each in ("", "123456789012", "123456789012,210987654321")),
        *(("SenderAccounts", each, False) for each in ("*", "12345678901", "123456789012, 210987654321")),
    ],
)
def test_senders_are_named_by_their_ids(parameter: str, given: str, taken: bool) -> None:
    pattern = template()["Parameters"][parameter]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, given)) is taken
