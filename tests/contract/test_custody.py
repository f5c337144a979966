"""Who reads prompts is on record, what is kept for good is copied, all goes by TLS, and a bill is watched."""

import re
import tomllib
from typing import Any

import pytest

from bench.pricing import PriceList
from bench.template import holds
from bench.template import standing as standing_in_template
from tests.contract.parts import of_part, part, told
from tests.contract.stack import ROOT, Resource, functions, of_type, queues, rights, target, template
from tests.contract.test_permissions import LONGEST

HOLDS_PROMPTS = {"JobsTable", "CacheTable", "RegistryTable"}
"""Requests and answers, answers that are given again, and stored prompts."""

BUCKETS = of_type("AWS::S3::Bucket").keys() - {"RecordsBucket"}

NO_PROMPTS = {"AuditBucket"}
"""The audit trail has none."""


def named(value: Any) -> set[str]:
    return set(re.findall(r"\$\{(\w+?)(?:\.Arn)?\}", str(value))) | set(re.findall(r"GetAtt': \['(\w+)'", str(value)))


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ({"AccessRecords": "others"}, {"RecordsBucket", "RecordsBucketPolicy", "RecordsStack"}),
        ({"AccessRecords": "all"}, {"RecordsBucket", "RecordsBucketPolicy", "RecordsStack"}),
        ({"BackupDays": "35"}, {"BackupStack"}),
        ({"BudgetUsd": "200"}, {"Budget"}),
    ],
)
def test_each_is_made_by_its_parameter_alone(given: dict[str, str], made: set[str]) -> None:
    assert standing_in_template(**given).keys() - standing_in_template().keys() == made


def test_the_trail_has_all_tables_and_buckets_that_hold_prompts() -> None:
    assert named(told("records")["Tables"]) == HOLDS_PROMPTS
    assert named(told("records")["Objects"]) == BUCKETS - NO_PROMPTS
    # A prefix without its slash would be of another bucket's as well, whose name begins alike.
    assert all(each.endswith("/") for each in told("records")["Objects"]["Fn::Sub"].split(","))
    (trail,) = of_part("records", "AWS::CloudTrail::Trail").values()
    selected = [{each["Field"]: each for each in one["FieldSelectors"]} for one in trail["AdvancedEventSelectors"]]
    for each in selected:
        # What CloudTrail asks of a selector of data events (API reference, AdvancedFieldSelector).
        assert each["eventCategory"]["Equals"] == ["Data"]
        assert each["userIdentity.arn"]["NotStartsWith"] == {"Ref": "LeftOut"}
        assert "readOnly" not in each, "who reads a prompt is of interest as well"
    by_kind = {each["resources.type"]["Equals"][0]: each["resources.ARN"] for each in selected}
    assert by_kind == {
        "AWS::S3::Object": {"Field": "resources.ARN", "StartsWith": {"Ref": "Objects"}},
        "AWS::DynamoDB::Table": {"Field": "resources.ARN", "Equals": {"Ref": "Tables"}},
    }
    assert trail["IsLogging"] is trail["EnableLogFileValidation"] is True


def test_others_leaves_out_the_functions_of_this_stack_and_nobody_else() -> None:
    condition, others, all_of_them = told("records")["LeftOut"]["Fn::If"]
    assert (condition, all_of_them) == ("RecordsOthersAlone", "nobody")
    text, variables = others["Fn::Sub"]
    assert variables == {"Session": {"Fn::Sub": "arn:${AWS::Partition}:sts::${AWS::AccountId}:assumed-role"}}
    left_out = [re.fullmatch(r"\$\{Session\}/\$\{(\w+)Role\}/", each) for each in text.split(",")]
    assert {each and f"{each[1]}Function" for each in left_out} == functions().keys() - {"ConsoleFunction"}, (
        "it may nothing"
    )
    # A parameter's value has 4,096 bytes at most (CloudFormation user guide, "Quotas"), a role's name 64 letters.
    session = len(f"arn:{LONGEST['AWS::Partition']}:sts::{'1' * 12}:assumed-role")
    assert len(left_out) * (session + 64 + 3) <= 4_096


def test_the_trail_may_write_and_nobody_else() -> None:
    name = part("records")["Resources"]["Trail"]["Properties"]["TrailName"]["Fn::Sub"].replace(
        "Broker", "AWS::StackName"
    )
    arn = {"Fn::Sub": f"arn:${{AWS::Partition}}:cloudtrail:${{AWS::Region}}:${{AWS::AccountId}}:trail/{name}"}
    key = [each["Fn::If"] for each in of_type("AWS::KMS::Key")["Key"]["KeyPolicy"]["Statement"] if "Fn::If" in each]
    assert {each[0] for each in key} == {"RecordsAccess"}
    bucket = of_type("AWS::S3::BucketPolicy")["RecordsBucketPolicy"]["PolicyDocument"]["Statement"]
    allowed = [each for each in bucket if each["Effect"] == "Allow"]
    for each in [*(each[1] for each in key), *allowed]:
        if each["Principal"]["Service"] == "cloudtrail.amazonaws.com":
            assert each["Condition"]["StringEquals"]["aws:SourceArn"] == arn, "a trail of any account could"
    assert {each["Principal"]["Service"] for each in allowed} == {
        "cloudtrail.amazonaws.com",
        "logging.s3.amazonaws.com",
    }
    assert template()["Resources"]["RecordsStack"]["DependsOn"] == "RecordsBucketPolicy", "CloudTrail tries at once"


def test_each_bucket_tells_of_its_requests_where_s3_may_write_them() -> None:
    (requests,) = (
        each
        for each in of_type("AWS::S3::BucketPolicy")["RecordsBucketPolicy"]["PolicyDocument"]["Statement"]
        if each["Effect"] == "Allow" and each["Principal"]["Service"] == "logging.s3.amazonaws.com"
    )
    *always, last = requests["Condition"]["ArnEquals"]["aws:SourceArn"]
    condition, audit, none = last["Fn::If"]
    assert (condition, target(none)) == ("Audits", "AWS::NoValue")
    assert {target(each) for each in (*always, audit)} == BUCKETS
    assert requests["Resource"] == {"Fn::Sub": "${RecordsBucket.Arn}/requests/*"}
    prefixes = set()
    for name in BUCKETS:
        condition, on, off = of_type("AWS::S3::Bucket")[name]["LoggingConfiguration"]["Fn::If"]
        assert (condition, off) == ("RecordsAccess", {"Ref": "AWS::NoValue"})
        assert target(on["DestinationBucketName"]) == "RecordsBucket"
        assert on["LogFilePrefix"].startswith("requests/") and on["LogFilePrefix"].endswith("/")
        prefixes.add(on["LogFilePrefix"])
    assert len(prefixes) == len(BUCKETS)


def test_no_function_reaches_the_records() -> None:
    for role in of_type("AWS::IAM::Role"):
        assert not any("RecordsBucket" in str(each) for each in rights(role)), role


def test_copies_are_made_of_what_is_kept_for_good_and_of_nothing_that_ends() -> None:
    assert named(told("backup")["Tables"]) == {"RegistryTable", "LedgerTable"}
    assert part("backup")["Resources"]["Vault"]["DeletionPolicy"] == "RetainExceptOnCreate", "it cannot be deleted"
    (rule,) = part("backup")["Resources"]["Plan"]["Properties"]["BackupPlan"]["BackupPlanRule"]
    assert rule["Lifecycle"] == {"DeleteAfterDays": {"Ref": "Days"}}, "copies would be kept for ever"
    name = part("backup")["Resources"]["Vault"]["Properties"]["BackupVaultName"]["Fn::Join"]
    assert "AWS::StackId" in str(name), "the next stack of this name would find it in its way"


def test_a_budget_is_told_to_somebody_by_the_tag_that_resources_have() -> None:
    assert not holds("HasBudget")
    budget = of_type("AWS::Budgets::Budget")["Budget"]
    assert budget["Budget"]["CostFilters"] == {"TagKeyValue": ["user:application$inference-broker"]}
    for each in budget["NotificationsWithSubscribers"]:
        assert [target(one["Address"]) for one in each["Subscribers"]] == ["AlarmEmail"]
    (asked,) = template()["Rules"]["ABudgetIsToldToSomebody"]["Assertions"]
    assert asked["Assert"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "AlarmEmail"}, ""]}]}


def test_the_page_says_what_they_cost() -> None:
    page, usd = (ROOT / "docs" / "hardening.md").read_text(), PriceList.load().usd
    for name in ("others", "all"):
        (row,) = (line for line in page.splitlines() if line.startswith(f"| `AccessRecords={name}` |"))
        assert row.endswith(f"| {usd['trail_event'] * 1_000_000:.2f} |") and "million calls" in row
    for text in (page, (ROOT / "docs" / "removing.md").read_text()):
        assert re.search(rf"{usd['backup_gb_month']:.2f} dollars for\s+a GB", text)


def test_every_resource_that_has_tags_is_given_the_one_that_bills_are_read_by() -> None:
    told_to_sam = tomllib.loads((ROOT / "samconfig.toml").read_text())["default"]["deploy"]["parameters"]["tags"]
    assert told_to_sam == "application=inference-broker"
    own = re.findall(r"'application', 'Value': '([^']+)'", str(template()["Resources"]))
    assert set(own) == {"inference-broker"}, "a tag of its own goes before the stack's"


def denying(kind: str, name: str) -> list[dict[str, Any]]:
    """The statements of policies of a kind that refuse what comes in the clear to a resource."""
    return [
        each
        for policy in of_type(kind).values()
        for each in policy["PolicyDocument"]["Statement"]
        if each["Effect"] == "Deny" and each["Principal"] == "*" and name in str(each["Resource"])
        if each["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    ]


@pytest.mark.parametrize("name", queues())
def test_a_queue_refuses_what_comes_in_the_clear_and_has_one_policy(name: str) -> None:
    (statement,) = denying("AWS::SQS::QueuePolicy", f"'{name}'")
    assert statement["Action"] == "sqs:*"
    holders = [each for each in of_type("AWS::SQS::QueuePolicy").values() if name in map(target, each["Queues"])]
    assert len(holders) == 1, "SQS keeps the last of them"


def test_the_topic_refuses_what_comes_in_the_clear_and_hears_alarms() -> None:
    assert denying("AWS::SNS::TopicPolicy", "Alarms")
    policy: Resource = of_type("AWS::SNS::TopicPolicy")["AlarmsPolicy"]
    (allowed,) = (each for each in policy["PolicyDocument"]["Statement"] if each["Effect"] == "Allow")
    assert (allowed["Principal"], allowed["Action"]) == ({"Service": "cloudwatch.amazonaws.com"}, "sns:Publish")
    assert "aws:SourceAccount" in str(allowed["Condition"])
