"""What each function may do: as much as its door asks for, and no more."""

import ast
import json
import re
from typing import Any

import pytest
from broker.cloud.texts import PREFIX

from tests.contract.doors import (
    BUILDERS,
    attributes_of,
    builders_behind,
    calls_of_bootstrap,
    each_function,
    modules_behind,
)
from tests.contract.stack import (
    ROOT,
    Resource,
    as_list,
    door_of,
    functions,
    of_type,
    policies_of,
    rights,
    statements,
    target,
)
from tests.unit.aws_cases import CASES

WITHOUT_RESOURCE = {
    # Service authorization reference: these actions know no resource type.
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "dynamodb:ListStreams",
    "lambda:GetAccountSettings",
    "logs:CreateLogDelivery",
    "logs:GetLogDelivery",
    "logs:UpdateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
    # These have optional resources at most, none of which the broker names.
    "comprehend:DetectDominantLanguage",
    "comprehend:DetectEntities",
    "comprehend:DetectKeyPhrases",
    "comprehend:DetectPiiEntities",
    "comprehend:DetectSentiment",
    "comprehend:DetectToxicContent",
    "polly:SynthesizeSpeech",
    "rekognition:DetectLabels",
    "rekognition:DetectModerationLabels",
    "rekognition:DetectText",
    "textract:AnalyzeDocument",
    "textract:DetectDocumentText",
    "textract:GetDocumentAnalysis",
    "textract:GetDocumentTextDetection",
    "textract:StartDocumentAnalysis",
    "textract:StartDocumentTextDetection",
    "transcribe:GetTranscriptionJob",
    "transcribe:StartTranscriptionJob",
    "translate:TranslateText",
}
"""The only actions that may stand beside the resource `*`."""


def roles() -> dict[str, Resource]:
    return of_type("AWS::IAM::Role") | of_type("AWS::IAM::ManagedPolicy")


@pytest.mark.parametrize(("name", "role"), roles().items(), ids=list(roles()))
def test_a_role_allows_only_what_it_names(name: str, role: Resource) -> None:
    for statement in statements(role):
        for action in as_list(statement["Action"]):
            assert "*" not in action, f"{name} allows {action}"
        assert "NotAction" not in statement and "NotResource" not in statement, f"{name} allows all but something"
        if "*" in as_list(statement["Resource"]):
            wide = set(as_list(statement["Action"])) - WITHOUT_RESOURCE
            assert not wide, f"{name} allows {sorted(wide)} on everything"


def test_no_function_buys_anything() -> None:
    actions = {each for role in roles().values() for one in statements(role) for each in as_list(one["Action"])}
    assert not {each for each in actions if each.startswith("aws-marketplace:")}, "a job would subscribe to its model"


@pytest.mark.parametrize("name", functions())
def test_a_function_has_its_own_policy_and_no_other_functions(name: str) -> None:
    own = name.removesuffix("Function")
    more = {"AiServicesPolicy"} if name == "InvokeModelFunction" else set()
    assert policies_of(f"{own}Role") == {"TracePolicy", f"{own}Policy"} | more


LONGEST = {
    "AWS::StackName": "inference-broker-production",
    "AWS::Region": "ap-southeast-1",
    "AWS::Partition": "aws-us-gov",
}
"""Names as long as may be expected; a resource's ARN has 120 letters and more."""


def spelled(value: Any) -> Any:
    """A policy with what CloudFormation will fill in, at its longest."""
    match value:
        case {"Fn::Sub": str(text)}:
            return re.sub(
                r"\$\{([^}]+)\}", lambda found: LONGEST.get(found[1], "x" * 12 if "::" in found[1] else "x" * 120), text
            )
        case {"Ref": _} | {"Fn::GetAtt": _}:
            return "x" * 120
        case {"Fn::If": [_, on, _]}:
            return spelled(on)
        case dict():
            return {key: spelled(each) for key, each in value.items()}
        case list():
            return [spelled(each) for each in value]
    return value


@pytest.mark.parametrize("name", of_type("AWS::IAM::ManagedPolicy"))
def test_a_policy_is_not_longer_than_iam_takes(name: str) -> None:
    document = spelled(of_type("AWS::IAM::ManagedPolicy")[name]["PolicyDocument"])
    # Source: IAM user guide, "IAM and AWS STS quotas": 6,144 letters, white space not counted.
    assert len("".join(json.dumps(document).split())) <= 6_144, name


def test_invoke_model_may_ask_what_the_providers_ask_of_aws_and_nothing_else() -> None:
    actions = {each for statement in rights("InvokeModelRole") for each in as_list(statement["Action"])}
    prefixes = {"lex": "lex", "sagemaker_async": "sagemaker"}
    prefixes |= dict.fromkeys(("bedrock_batch", "bedrock_guardrails"), "bedrock")
    asked = {
        f"{prefixes.get(case.provider, case.provider)}:{operation}"
        for case in CASES.values()
        for operation in case.operations
        if operation != "GetObject"
    }
    # Converse is authorized as InvokeModel (Bedrock API Reference); so is the guardrail of a call as ApplyGuardrail.
    # The table has what begins work and asks after it; batches can be stopped as well.
    asked |= {"bedrock:InvokeModel", "bedrock:ApplyGuardrail", "bedrock:StopModelInvocationJob"}
    services = {each.split(":")[0] for each in asked}
    assert {each for each in actions if each.split(":")[0] in services} == asked


JOBS_TABLE = {"Fn::GetAtt": ["JobsTable", "Arn"]}
OF_JOBS = {"Fn::Sub": "${PayloadsBucket.Arn}/jobs/*"}
OF_CONVERSATIONS = {"Fn::Sub": "${PayloadsBucket.Arn}/conversations/*"}


def rights_on(name: str, resource: Resource) -> set[str]:
    """What a function's role allows on a resource, as the template names it."""
    found = [each for each in rights(f"{name.removesuffix('Function')}Role") if resource in as_list(each["Resource"])]
    return {action for each in found for action in as_list(each["Action"])}


TURNS = {
    "ApiFunction": {"s3:PutObject", "s3:GetObject", "s3:DeleteObject"},  # recalls, shows, links and erases them
    "IntakeFunction": {"s3:GetObject"},
    "BatchRowsFunction": {"s3:GetObject", "s3:DeleteObject"},  # recalls them, and erases those of rows
    "TakeFileFunction": {"s3:GetObject"},
    "CleanFunction": {"s3:DeleteObject"},  # ends them
    "SettleJobFunction": {"s3:PutObject", "s3:DeleteObject"},  # keeps them, and takes back what was not to be kept
}
"""What each function does with the texts of conversations that lie in the bucket."""


@pytest.mark.parametrize("name", functions())
def test_a_function_may_do_with_turns_what_it_does(name: str) -> None:
    assert rights_on(name, OF_CONVERSATIONS) == TURNS.get(name, set())


def _checks(builders: set[str]) -> bool:
    """True where what these builders build writes on the condition that a job stands as it was read."""
    return any("write_beside" in attributes_of(module) for module in modules_behind(builders_behind(builders)))


@each_function
def test_who_holds_its_writes_against_the_job_may_check_it(name: str, properties: Resource) -> None:
    """A `ConditionCheck` in a transaction is a right of its own (DynamoDB developer guide, IAM and transactions)."""
    door = ast.parse((ROOT / "functions" / "handlers" / f"{door_of(name)}.py").read_text())
    checks = _checks(calls_of_bootstrap(door))
    assert ("dynamodb:ConditionCheckItem" in rights_on(name, JOBS_TABLE)) is checks


def test_some_functions_hold_their_writes_against_the_job() -> None:
    users = {name for name in ("api", "advance", "sweep") if _checks({name})}
    assert users == {"api", "advance"}, "then nothing above was proved"


OF_TENANTS = {"Fn::Sub": "${JobsTable.Arn}/index/tenant"}
PAGES = "broker.jobs.reading"
"""Has the page of a tenant's jobs, which is the API's alone, beside what all show of a job."""


def _lists(builders: set[str]) -> bool:
    """True where what these builders build looks for what a tenant has."""
    found = builders_behind(builders)
    lists = any("of_tenant" in attributes_of(module) for module in modules_behind(found) - {PAGES})
    return lists or "batch_room" in found


@each_function
def test_who_looks_for_what_a_tenant_has_may_ask_the_index(name: str, properties: Resource) -> None:
    """A table's index is a resource of its own (DynamoDB developer guide, IAM policies)."""
    door = ast.parse((ROOT / "functions" / "handlers" / f"{door_of(name)}.py").read_text())
    if _lists(calls_of_bootstrap(door)):
        assert "dynamodb:Query" in rights_on(name, OF_TENANTS)


def test_some_functions_look_for_what_a_tenant_has() -> None:
    users = {each for each in ("api", "work_on_bulk", "split", "read_document", "advance") if _lists({each})}
    assert users == {"api", "work_on_bulk", "split"}


@pytest.mark.parametrize("name", ["InvokeModelFunction", "SettleJobFunction"])
def test_who_keeps_summaries_looks_for_turns_that_come_late_and_marks_the_place(name: str) -> None:
    assert rights_on(name, JOBS_TABLE) >= {"dynamodb:Query", "dynamodb:PutItem"}


@pytest.mark.parametrize("name", ["ApiFunction", "BatchRowsFunction", "IntakeFunction", "TakeFileFunction"])
def test_who_accepts_may_drop_what_it_kept_of_a_request_that_it_refuses(name: str) -> None:
    assert "dynamodb:DeleteItem" in rights_on(name, JOBS_TABLE)
    assert rights_on(name, OF_JOBS) >= {"s3:PutObject", "s3:DeleteObject"}


SECRETS = "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:${AWS::StackName}/"


@pytest.mark.parametrize("name", functions())
def test_a_function_may_read_the_secrets_of_its_own_work(name: str) -> None:
    mine = {"InvokeModelFunction": "providers/*", "DeliverFunction": "tenants/*"}
    mine |= dict.fromkeys(("CheckInputFunction", "ModerateOutputFunction"), "redaction/*")
    role = rights(f"{name.removesuffix('Function')}Role")
    allowed = [each["Resource"] for each in role if "secretsmanager:GetSecretValue" in as_list(each["Action"])]
    assert allowed == ([{"Fn::Sub": f"{SECRETS}{mine[name]}"}] if name in mine else [])


def readers(bucket: str) -> set[str]:
    """The functions that may read objects of a bucket, wherever these lie in it."""
    start = f"${{{bucket}.Arn}}/"
    return {
        name
        for name in functions()
        for each in rights(f"{name.removesuffix('Function')}Role")
        for place in as_list(each["Resource"])
        if "s3:GetObject" in as_list(each["Action"]) and isinstance(place, dict)
        if str(place.get("Fn::Sub", "")).startswith(start)
    }


@pytest.mark.parametrize("bucket", ["InboxBucket", "PayloadsBucket"])
def test_who_reads_objects_is_told_when_one_is_gone_and_nobody_else_may_list_them(bucket: str) -> None:
    """Who may not list a bucket is answered 403 for what is not there (Amazon S3 API reference, GetObject)."""
    whole = {"Fn::GetAtt": [bucket, "Arn"]}
    assert readers(bucket) == {name for name in functions() if "s3:ListBucket" in rights_on(name, whole)}


def test_some_functions_read_objects() -> None:
    readers_of_inbox = {
        "AdminFunction",
        "ApiFunction",
        "IntakeFunction",
        "InvokeModelFunction",
        "ReadDocumentFunction",
        "TakeFileFunction",
    }
    readers_of_inbox |= {"ApiFunction", "BatchRowsFunction", "BatchStepFunction"}
    assert readers("InboxBucket") == readers_of_inbox
    assert readers("PayloadsBucket") >= {"ApiFunction", "CheckInputFunction", "SettleJobFunction"}


def test_who_cleans_deletes_what_is_kept_and_reads_no_more_than_records_of_files() -> None:
    of_files = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["FILES#*"]}}
    (bounded,) = [each for each in rights("CleanRole") if "Condition" in each]
    assert bounded["Condition"] == {"Fn::If": ["OnAws", of_files, {"Ref": "AWS::NoValue"}]}
    assert set(bounded["Action"]) == {"dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"}
    assert bounded["Resource"] == JOBS_TABLE
    allowed = {
        (action, str(resource))
        for each in rights("CleanRole")
        if each is not bounded
        for action in as_list(each["Action"])
        for resource in as_list(each["Resource"])
        if action.startswith(("s3:", "dynamodb:"))
    }
    kept = {
        f"{{'Fn::Sub': '${{PayloadsBucket.Arn}}/{place}/*'}}"
        for place in ("jobs", "conversations", "services", "files")
    }
    assert allowed == {
        *(("s3:DeleteObject", place) for place in kept),
        ("s3:AbortMultipartUpload", "{'Fn::Sub': '${PayloadsBucket.Arn}/files/*'}"),
        ("dynamodb:BatchWriteItem", str(JOBS_TABLE)),
        ("dynamodb:Query", "{'Fn::Sub': '${JobsTable.Arn}/index/due'}"),
    }


def test_who_erases_may_delete_items_and_objects_of_jobs() -> None:
    needed = {"GetItem", "Query", "PutItem", "UpdateItem", "DeleteItem", "ConditionCheckItem", "BatchGetItem"}
    assert rights_on("ApiFunction", JOBS_TABLE) == {f"dynamodb:{action}" for action in needed}
    assert "s3:DeleteObject" in rights_on("ApiFunction", OF_JOBS)


@pytest.mark.parametrize("name", [name for name in functions() if name != "AuthorizeFunction"])
def test_who_puts_events_may_only_speak_for_the_broker(name: str) -> None:
    for statement in rights(f"{name.removesuffix('Function')}Role"):
        if "events:PutEvents" in as_list(statement["Action"]):
            assert statement["Condition"] == {"StringEquals": {"events:source": "inference.broker"}}, name


TEXTS = {"Fn::Sub": f"${{PayloadsBucket.Arn}}/{PREFIX}*"}
"""The long texts of prompts."""


@each_function
def test_who_fills_prompts_may_read_their_texts_and_only_operators_write_them(name: str, properties: Resource) -> None:
    door = ast.parse((ROOT / "functions" / "handlers" / f"{door_of(name)}.py").read_text())
    builders = builders_behind(calls_of_bootstrap(door))
    needed = {"s3:GetObject"} if "prompt_texts" in builders else set()
    needed |= {"s3:PutObject"} if "admin" in builders else set()
    role = list(rights(target(properties["Role"])))
    allowed = {act for each in role if TEXTS in as_list(each["Resource"]) for act in as_list(each["Action"])}
    assert allowed == needed, f"{name} needs {sorted(needed)} on the texts of prompts and has {sorted(allowed)}"
    if needed:
        of_key = [each for each in role if each["Resource"] == {"Fn::GetAtt": ["Key", "Arn"]}]
        with_key = {act for each in of_key for act in as_list(each["Action"])}
        keys = {"kms:Decrypt"} | ({"kms:GenerateDataKey"} if "s3:PutObject" in needed else set())
        assert keys <= with_key, f"{name} cannot use the key of the bucket"


def test_some_functions_fill_prompts() -> None:
    users = {name for name, each in BUILDERS.items() if "prompt_texts" in builders_behind({name})}
    assert {"prepare", "accept", "api", "event_consumer", "split", "admin"} <= users, "then nothing above was proved"
