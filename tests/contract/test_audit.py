"""What the template promises of the audit trail: nothing where it is off, locks where it is on, and one writer."""

import json
import re
from typing import Any

from broker.audit.record import KINDS
from broker.batches.batch import BatchStatus

from tests.contract.stack import ROOT, as_list, events, functions, of_type, rights, target, template

PAGE = (ROOT / "docs" / "audit.md").read_text()
BUCKET = of_type("AWS::S3::Bucket")["AuditBucket"]


def test_off_there_is_no_bucket_no_reader_and_no_message() -> None:
    assert template()["Parameters"]["Audit"]["Default"] == "off"
    resources = template()["Resources"]
    made = {"AuditBucket", "AuditBucketPolicy", "AuditRegistry"}
    assert {resources[name]["Condition"] for name in made} == {"Audits"}
    (notes,) = [source for function, _, source in events("SQS") if function == "AuditFunction"]
    assert notes["Enabled"] == {"Fn::If": ["Audits", True, False]}
    assert resources["RegistryTable"]["Properties"]["StreamSpecification"]["Fn::If"][::2] == [
        "Audits",
        {"Ref": "AWS::NoValue"},
    ]
    given = [
        each["Environment"]["Variables"].get("AUDIT_QUEUE") for each in functions().values() if "Environment" in each
    ]
    assert {json.dumps(each["Fn::If"][2]) for each in given if each} == {'""'}


def test_a_block_is_locked_kept_in_versions_and_goes_when_its_time_is_over() -> None:
    lock = BUCKET["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]
    assert (BUCKET["ObjectLockEnabled"], BUCKET["VersioningConfiguration"]) == (True, {"Status": "Enabled"})
    assert lock == {"Mode": {"Ref": "AuditLock"}, "Days": {"Ref": "AuditRetentionDays"}}
    goes, _ = BUCKET["LifecycleConfiguration"]["Rules"]
    assert goes["ExpirationInDays"] == {"Ref": "AuditRetentionDays"}


def test_one_function_may_write_it_and_none_may_delete_or_unlock() -> None:
    policy = of_type("AWS::S3::BucketPolicy")["AuditBucketPolicy"]["PolicyDocument"]["Statement"]
    (only,) = [each for each in policy if "s3:PutObject" in as_list(each["Action"])]
    assert (only["Effect"], only["Principal"]) == ("Deny", "*")
    assert target(only["Condition"]["ArnNotLike"]["aws:PrincipalArn"][0]) == "AuditRole"
    for role in of_type("AWS::IAM::Role"):
        ours = [each for each in map(_said, rights(role)) if "AuditBucket" in json.dumps(each.get("Resource"))]
        allowed = {action for each in ours for action in as_list(each["Action"])}
        expected: set[str] = {"AuditRole": {"s3:PutObject"}, "AdminRole": set[str]()}.get(role, set())
        assert allowed - {"s3:GetObject", "s3:ListBucket"} == expected, role
        assert not allowed or role in ("AuditRole", "AdminRole"), role


def _said(statement: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = statement.get("Fn::If", [None, statement])[1]
    return found


def test_the_stream_brings_what_begins_and_ends_and_no_rows() -> None:
    (heads,) = [source for function, _, source in events("DynamoDB") if function == "PublishFunction"]
    filters = heads["FilterCriteria"]["Filters"]
    assert len(filters) <= 5, "as many as a source has by default (Lambda developer guide, event filtering)"
    ours = [json.loads(each["Fn::If"][1]["Pattern"]) for each in filters if each.get("Fn::If", [""])[0] == "Audits"]
    begins, batch, ended = ours
    assert begins["dynamodb"]["NewImage"]["row"] == {"N": [{"exists": False}]}
    assert (begins["eventName"], batch["eventName"], ended["eventName"]) == (["INSERT"], ["INSERT"], ["MODIFY"])
    ends = {each.value for each in BatchStatus if each.terminal}
    assert set(ended["dynamodb"]["NewImage"]["status"]["S"]) == ends


def test_the_page_has_each_kind_as_the_code_has_it() -> None:
    rows = dict(re.findall(r"^\| `([a-z.]+_?[a-z]*)` \| ([^|]+) \|", PAGE, re.M))
    assert rows == KINDS
