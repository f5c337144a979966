"""No function may do what its code cannot ask for; that it may do what it asks, the embedded cloud's own checks prove.

What a door is built from is followed through bootstrap and imports (`tests.contract.doors`), so code that is imported
and never run counts as asked: what is left over here is too much for certain.
"""

import ast
import re
from functools import cache
from typing import Any

import pytest
from botocore import xform_name
from botocore.session import get_session

from tests.contract.doors import BUILDERS, _tree, builders_behind, calls_of_bootstrap, modules_behind
from tests.contract.stack import ROOT, as_list, door_of, events, functions, of_type, rights

TABLES = {"jobs": "JobsTable", "registry": "RegistryTable", "ledger": "LedgerTable", "cache": "CacheTable"}

ASKS = {
    "get": "GetItem",
    "get_many": "BatchGetItem",
    **dict.fromkeys(("query", "query_since", "query_between", "index"), "Query"),
    "update": "UpdateItem",
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "Check": "ConditionCheckItem",
}
"""By the methods and operations of `broker.storage`, each of which names its table first."""

DIRECT = {
    "broker.cloud.shelf": "cache",
    **dict.fromkeys(
        (f"broker.cloud.{each}" for each in ("conversations", "conversation_records", "objects", "payloads")), "jobs"
    ),
}
"""Adapters that ask DynamoDB itself, each of one table."""

ITEMS = ("get_item", "put_item", "update_item", "delete_item", "query", "batch_write_item", "batch_get_item")

BY_LAMBDA = {
    "AWS::Serverless::Function": {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "xray:PutTraceSegments",
        "xray:PutTelemetryRecords",
    },
    "SQS": {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"},
    "DynamoDB": {"dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream", "dynamodb:ListStreams"},
}
"""What Lambda does with a function's role: for each, and for those that read a queue or a stream."""

WITH_THE_KEY = {"kms:Decrypt", "kms:GenerateDataKey"}
"""What tables, buckets and queues ask KMS for in the name of whoever uses them."""

OTHER_NAMES = {
    # IAM's names of rights, and the operations that these are for (service authorization reference).
    "s3:ListBucket": {"get_object", "head_object"},  # to be told 404, not 403, of what is not there
    "s3:GetObject": {"get_object", "head_object"},
    "s3:GetObjectVersion": {"VersionId"},
    "s3:PutObject": {"put_object", "create_multipart_upload", "upload_part", "copy_object"},
    "s3:DeleteObject": {"delete_object", "delete_objects"},
    "s3:ListMultipartUploadParts": {"list_parts"},
    "sqs:SendMessage": {"send_message", "send_message_batch"},
    "lambda:InvokeFunction": {"invoke"},
    "execute-api:ManageConnections": {"post_to_connection", "delete_connection"},
    "kms:DescribeKey": {"start_transcription_job"},  # what Transcribe does with the caller's rights
    "iam:PassRole": {"create_model_invocation_job"},
    "bedrock:InvokeModel": {"converse", "invoke_model"},
    "bedrock:ApplyGuardrail": {"apply_guardrail", "guardrailConfig"},
}

SERVICES = {"states": "stepfunctions", "lex": "lexv2-runtime", "sagemaker": "sagemaker-runtime", "execute-api": None}
"""IAM's names of services that botocore knows by another."""


PROVIDERS = {
    ".".join(path.relative_to(ROOT / "functions").with_suffix("").parts)
    for path in (ROOT / "functions" / "broker" / "providers").rglob("[a-z]*.py")
}
"""Loaded by name when a model asks for them."""


def names_in(tree: ast.AST) -> set[str]:
    """Attributes, names of arguments, and words in texts."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.keyword) and node.arg:
            found.add(node.arg)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
    return found


def items_asked(tree: ast.AST) -> set[tuple[str, str]]:
    """The tables that calls name first, each with what is asked of it."""
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args)
    return {
        (first.value, ASKS[name])
        for call in calls
        if isinstance(first := call.args[0], ast.Constant) and first.value in TABLES
        if (name := getattr(call.func, "attr", getattr(call.func, "id", ""))) in ASKS
    }


@cache
def behind(name: str) -> tuple[tuple[str, ...], tuple[ast.AST, ...]]:
    """The modules that a function is built from, and all that can be read of it."""
    door = ast.parse((ROOT / "functions" / "handlers" / f"{door_of(name)}.py").read_text())
    builders = builders_behind(calls_of_bootstrap(door))
    modules = tuple(sorted(modules_behind(builders) | (PROVIDERS if name == "InvokeModelFunction" else set())))
    return modules, (door, *(BUILDERS[each] for each in builders), *(_tree(each) for each in modules))


def allowed(name: str) -> list[dict[str, Any]]:
    return [each for each in rights(f"{name.removesuffix('Function')}Role") if each["Effect"] == "Allow"]


def table_of(resource: Any) -> str | None:
    """The table that a resource is, or whose index it is."""
    text = str(resource)
    found = [
        name
        for name, logical in TABLES.items()
        if re.search(rf"\['{logical}', 'Arn'\]|\{{{logical}\.Arn\}}/index", text)
    ]
    return found[0] if found else None


@pytest.mark.parametrize("name", functions())
def test_of_tables_a_function_may_do_nothing_that_its_code_does_not_ask_for(name: str) -> None:
    modules, trees = behind(name)
    asked = {each for tree in trees for each in items_asked(tree)}
    for module in modules:
        if module in DIRECT:
            used = names_in(_tree(module)) & set(ITEMS)
            asked |= {(DIRECT[module], "".join(word.title() for word in each.split("_"))) for each in used}
    given = {
        (table, action.removeprefix("dynamodb:"))
        for each in allowed(name)
        for resource in as_list(each["Resource"])
        if (table := table_of(resource))
        for action in as_list(each["Action"])
    }
    assert given <= asked, f"{name} may do {sorted(given - asked)}, and asks for none of it"


def by_lambda(name: str) -> set[str]:
    read = {kind for kind in ("SQS", "DynamoDB") for function, _, _ in events(kind) if function == name}
    mapped = {each["FunctionName"]["Fn::GetAtt"][0] for each in of_type("AWS::Lambda::EventSourceMapping").values()}
    kinds = {"AWS::Serverless::Function"} | read | ({"DynamoDB"} if name in mapped else set())
    return {action for kind in kinds for action in BY_LAMBDA[kind]}


@pytest.mark.parametrize("name", functions())
def test_of_all_else_a_function_may_do_nothing_that_its_code_does_not_ask_for(name: str) -> None:
    words = {word for tree in behind(name)[1] for word in names_in(tree)}
    given = {action for each in allowed(name) for action in as_list(each["Action"])} - by_lambda(name) - WITH_THE_KEY
    for action in sorted(each for each in given if not each.startswith("dynamodb:")):
        operations = OTHER_NAMES.get(action, {xform_name(action.partition(":")[2])})
        spelled = operations | {action.partition(":")[2]}
        assert words & spelled, f"{name} may do {action}, and nothing that it is made of names {sorted(operations)}"


def known(action: str) -> bool:
    """Whether AWS has such an operation, or IAM such a right."""
    service, _, operation = action.partition(":")
    if action in OTHER_NAMES or action in {"dynamodb:ConditionCheckItem"}:
        return True
    here = SERVICES.get(service, service)
    found = (here, f"{here}-runtime", f"{here}streams") if here else ()
    models = [each for each in found if each in get_session().get_available_services()]
    return any(operation in get_session().get_service_model(each).operation_names for each in models)


def test_each_right_of_a_function_is_one_that_aws_has() -> None:
    given = {action for name in functions() for each in allowed(name) for action in as_list(each["Action"])}
    assert len(given) > 40
    assert {each for each in given if not known(each)} == set(), "a right by a name that nobody asks for"


def test_a_role_is_handed_to_bedrock_alone_and_only_that_of_batches() -> None:
    passing = {
        (role, str(each["Resource"]), str(each["Condition"]))
        for role in of_type("AWS::IAM::Role")
        for each in rights(role)
        if "iam:PassRole" in as_list(each["Action"])
    }
    wanted = {"StringEquals": {"iam:PassedToService": "bedrock.amazonaws.com"}}
    assert passing == {("InvokeModelRole", str({"Fn::GetAtt": ["BatchInferenceRole", "Arn"]}), str(wanted))}


PAGE = (ROOT / "docs" / "security.md").read_text()


def rows(head: str) -> dict[str, list[str]]:
    """A table of the page, by its first cell; the others' words in backticks."""
    table = PAGE.partition(head)[2].partition("\n\n")[0]
    cells = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("| `")]
    return {re.findall(r"`([^`]+)`", first)[0]: re.findall(r"`(\w+)`", second) for first, second, *_ in cells}


def may(action: str, place: str) -> list[str]:
    """The doors of the functions that may do something with what ends in a place."""
    return sorted(
        door_of(name)
        for name in functions()
        if any(
            action in as_list(each["Action"]) and place in str(resource)
            for each in allowed(name)
            for resource in as_list(each["Resource"])
        )
    )


def test_the_page_says_who_writes_what_is_kept() -> None:
    said = rows("| what | written by |")
    assert said.keys() == {*TABLES.values(), "prompts/"}
    for what, doors in said.items():
        if what == "prompts/":
            assert sorted(doors) == may("s3:PutObject", "{PayloadsBucket.Arn}/prompts/*")
        else:
            writes = ("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem")
            found = {door for each in writes for door in may(f"dynamodb:{each}", f"['{what}', 'Arn']")}
            assert sorted(doors) == sorted(found), what


def test_the_page_says_who_reads_which_secret() -> None:
    said = rows("| secrets | read by |")
    assert {each: sorted(doors) for each, doors in said.items()} == {
        each: may("secretsmanager:GetSecretValue", f":${{AWS::StackName}}/{each}") for each in said
    }
    named = {
        re.findall(r"\{AWS::StackName\}/(\w+/\*)", str(each["Resource"]))[0]
        for name in functions()
        for each in allowed(name)
        if "secretsmanager:GetSecretValue" in as_list(each["Action"])
    }
    assert said.keys() == named
