"""What the template promises of functions: a door, a log group and a role each, and the environment that they read."""

import ast
import importlib
import re
from typing import Any

import pytest
from broker import observability
from broker.cloud.texts import PREFIX

from tests.contract.stack import ROOT, Resource, as_list, door_of, functions, of_type, statements, target, template
from tests.unit.aws_cases import CASES

WITHOUT_RESOURCE = {
    # Service authorization reference: these actions know no resource type.
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "dynamodb:ListStreams",
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

BOOTSTRAP = ast.parse(
    "\n".join(path.read_text() for path in sorted((ROOT / "functions" / "broker" / "bootstrap").glob("*.py")))
)
BUILDERS = {node.name: node for node in BOOTSTRAP.body if isinstance(node, ast.FunctionDef)}
VARIABLE = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")

each_function = pytest.mark.parametrize(
    ("name", "properties"), [pytest.param(*pair, id=pair[0]) for pair in functions().items()]
)


def roles() -> dict[str, Resource]:
    return of_type("AWS::IAM::Role") | of_type("AWS::IAM::ManagedPolicy")


def calls_of_bootstrap(tree: ast.AST) -> set[str]:
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "bootstrap"
    }


def builders_behind(names: set[str]) -> set[str]:
    """The builders that these call, and they in turn."""
    found: set[str] = set()
    while names - found:
        builder = (names - found).pop()
        found.add(builder)
        nodes = ast.walk(BUILDERS[builder])
        names = names | {node.id for node in nodes if isinstance(node, ast.Name) and node.id in BUILDERS}
    return found


def settings_of(builder: str) -> set[str]:
    """The variables that a builder names."""
    nodes = [node for node in ast.walk(BUILDERS[builder]) if isinstance(node, ast.Constant)]
    return {node.value for node in nodes if isinstance(node.value, str) and VARIABLE.fullmatch(node.value)}


@each_function
def test_the_door_exists_and_is_named_as_the_resource(name: str, properties: Resource) -> None:
    assert properties["Handler"] == f"handlers.{door_of(name)}.handler", f"{name} has a door of another name"
    module = importlib.import_module(f"handlers.{door_of(name)}")
    assert callable(module.handler), f"handlers/{door_of(name)}.py has no handler"


def test_every_door_has_a_function() -> None:
    files = {path.stem for path in (ROOT / "functions" / "handlers").glob("*.py")}
    shared = {"__init__", "answering", "batch", "step"}
    assert files - shared == {door_of(name) for name in functions()}


@each_function
def test_the_function_is_built_as_all_are(name: str, properties: Resource) -> None:
    assert template()["Resources"][name]["Metadata"] == {"BuildMethod": "makefile"}, f"{name} is built another way"
    assert properties["CodeUri"] == "functions/", name
    assert [target(layer) for layer in properties["Layers"]] == ["DependenciesLayer"], name
    assert target(properties["Tracing"]) == "TraceSampling", f"{name} is not traced"
    assert [target(each) for each in properties["Architectures"]] == ["Architecture"], name
    assert properties["Description"].endswith("."), name


def test_defaults_are_arm64_and_active_tracing() -> None:
    parameters = template()["Parameters"]
    assert parameters["Architecture"]["Default"] == "arm64"
    assert parameters["TraceSampling"]["Default"] == "Active"
    assert parameters["Target"]["Default"] == "aws"


@each_function
def test_the_function_has_a_log_group_and_a_role_of_its_own(name: str, properties: Resource) -> None:
    group = target(properties["LoggingConfig"]["LogGroup"])
    assert group == f"{name.removesuffix('Function')}Logs", f"{name} logs to {group}"
    named = of_type("AWS::Logs::LogGroup")[group]["LogGroupName"]["Fn::Sub"]
    assert named == f"/aws/lambda/${{AWS::StackName}}/{door_of(name)}", f"{group} is {named}"
    assert "RetentionInDays" in of_type("AWS::Logs::LogGroup")[group], f"{group} never forgets"
    role = target(properties["Role"])
    assert role == f"{name.removesuffix('Function')}Role", f"{name} has the role {role}"
    (trust,) = of_type("AWS::IAM::Role")[role]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "lambda.amazonaws.com"}, role
    writing = [
        each for each in statements(of_type("AWS::IAM::Role")[role]) if "logs:PutLogEvents" in as_list(each["Action"])
    ]
    assert [target(each["Resource"]) for each in writing] == [group], f"{role} writes logs elsewhere"


@pytest.mark.parametrize(("name", "role"), roles().items(), ids=list(roles()))
def test_a_role_allows_only_what_it_names(name: str, role: Resource) -> None:
    for statement in statements(role):
        for action in as_list(statement["Action"]):
            assert "*" not in action, f"{name} allows {action}"
        assert "NotAction" not in statement and "NotResource" not in statement, f"{name} allows all but something"
        if "*" in as_list(statement["Resource"]):
            wide = set(as_list(statement["Action"])) - WITHOUT_RESOURCE
            assert not wide, f"{name} allows {sorted(wide)} on everything"


def test_invoke_model_may_ask_what_the_providers_ask_of_aws_and_nothing_else() -> None:
    role = of_type("AWS::IAM::Role")["InvokeModelRole"]
    policies = [of_type("AWS::IAM::ManagedPolicy")[target(each)] for each in role["ManagedPolicyArns"]]
    actions = {each for part in [role, *policies] for statement in statements(part) for each in statement["Action"]}
    prefixes = {"lex": "lex", "sagemaker_async": "sagemaker", "bedrock_batch": "bedrock"}
    asked = {
        f"{prefixes.get(case.provider, case.provider)}:{operation}"
        for case in CASES.values()
        for operation in case.operations
        if operation != "GetObject"
    }
    # Converse is authorized as InvokeModel (Bedrock API Reference); so is the guardrail of a call as ApplyGuardrail.
    asked |= {"bedrock:InvokeModel", "bedrock:ApplyGuardrail"}
    services = {each.split(":")[0] for each in asked}
    assert {each for each in actions if each.split(":")[0] in services} == asked


JOBS_TABLE = {"Fn::GetAtt": ["JobsTable", "Arn"]}
OF_JOBS = {"Fn::Sub": "${PayloadsBucket.Arn}/jobs/*"}
OF_CONVERSATIONS = {"Fn::Sub": "${PayloadsBucket.Arn}/conversations/*"}


def rights_on(name: str, resource: Resource) -> set[str]:
    """What a function's role allows on a resource, as the template names it."""
    role = of_type("AWS::IAM::Role")[f"{name.removesuffix('Function')}Role"]
    found = [each for each in statements(role) if resource in as_list(each["Resource"])]
    return {action for each in found for action in as_list(each["Action"])}


TURNS = {
    "ApiFunction": {"s3:GetObject", "s3:DeleteObject"},  # recalls them, shows them, erases them
    "IntakeFunction": {"s3:GetObject"},
    "TakeFileFunction": {"s3:GetObject"},
    "SettleJobFunction": {"s3:PutObject", "s3:DeleteObject"},  # keeps them, and takes back what was not to be kept
}
"""What each function does with the texts of conversations that lie in the bucket."""


@pytest.mark.parametrize("name", functions())
def test_a_function_may_do_with_turns_what_it_does(name: str) -> None:
    assert rights_on(name, OF_CONVERSATIONS) == TURNS.get(name, set())


def test_only_who_keeps_summaries_holds_its_writes_against_the_job() -> None:
    may = {name for name in functions() if "dynamodb:ConditionCheckItem" in rights_on(name, JOBS_TABLE)}
    assert may == {"InvokeModelFunction"}
    for name in ("InvokeModelFunction", "SettleJobFunction"):  # look for turns that come late, and mark the place
        assert rights_on(name, JOBS_TABLE) >= {"dynamodb:Query", "dynamodb:PutItem"}


@pytest.mark.parametrize("name", ["ApiFunction", "IntakeFunction", "TakeFileFunction"])
def test_who_accepts_may_drop_what_it_kept_of_a_request_that_it_refuses(name: str) -> None:
    assert "dynamodb:DeleteItem" in rights_on(name, JOBS_TABLE)
    assert rights_on(name, OF_JOBS) >= {"s3:PutObject", "s3:DeleteObject"}


def test_who_erases_may_delete_items_and_objects_of_jobs() -> None:
    needed = {"dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"}
    assert rights_on("ApiFunction", JOBS_TABLE) == needed
    assert "s3:DeleteObject" in rights_on("ApiFunction", OF_JOBS)


@pytest.mark.parametrize("name", [name for name in functions() if name != "AuthorizeFunction"])
def test_who_puts_events_may_only_speak_for_the_broker(name: str) -> None:
    for statement in statements(of_type("AWS::IAM::Role")[f"{name.removesuffix('Function')}Role"]):
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
    role = list(statements(of_type("AWS::IAM::Role")[target(properties["Role"])]))
    allowed = {act for each in role if TEXTS in as_list(each["Resource"]) for act in as_list(each["Action"])}
    assert allowed == needed, f"{name} needs {sorted(needed)} on the texts of prompts and has {sorted(allowed)}"
    if needed:
        of_key = [each for each in role if each["Resource"] == {"Fn::GetAtt": ["Key", "Arn"]}]
        with_key = {act for each in of_key for act in as_list(each["Action"])}
        keys = {"kms:Decrypt"} | ({"kms:GenerateDataKey"} if "s3:PutObject" in needed else set())
        assert keys <= with_key, f"{name} cannot use the key of the bucket"


def test_some_functions_fill_prompts() -> None:
    users = {name for name, each in BUILDERS.items() if "prompt_texts" in builders_behind({name})}
    assert {"prepare", "accept", "api", "take", "split", "admin"} <= users, "then nothing above was proved"


def test_setting_is_the_only_way_to_the_environment() -> None:
    allowed = {"adapters.py": {"TARGET"}, "clients.py": {"BROKER_FAULTS"}, "main.py": {"BROKER_STACK"}}
    allowed["observability.py"] = {"_X_AMZN_TRACE_ID", "AWS_LAMBDA_FUNCTION_NAME"}
    for path in (ROOT / "functions").glob("*/**/*.py"):
        text = path.read_text()
        read = set(re.findall(r"os\.environ(?:\.get)?[(\[]\s*\"(\w+)\"", text)) | set(
            re.findall(r"getenv\(\"(\w+)\"", text)
        )
        strange = read - allowed.get(path.name, set())
        assert not strange, (
            f"{path.relative_to(ROOT)} reads {sorted(strange)}: only bootstrap reads what the template gives"
        )


@each_function
def test_the_function_has_the_variables_that_it_reads(name: str, properties: Resource) -> None:
    common = template()["Globals"]["Function"]["Environment"]["Variables"]
    given = common | properties.get("Environment", {}).get("Variables", {})
    door = ast.parse((ROOT / "functions" / "handlers" / f"{door_of(name)}.py").read_text())
    used = calls_of_bootstrap(door)
    assert used, f"{name} calls no use case, so nothing was proved"
    read = {variable for builder in builders_behind(used) for variable in settings_of(builder)}
    missing = read - given.keys()
    assert not missing, f"{name} reads {sorted(missing)}, which the template does not give"


def test_no_variable_is_given_that_nobody_reads() -> None:
    read = {variable for builder in BUILDERS for variable in settings_of(builder)} | {"TARGET"}
    own = [each.get("Environment", {}).get("Variables", {}) for each in of_type("AWS::Serverless::Function").values()]
    given = {name for each in [template()["Globals"]["Function"]["Environment"]["Variables"], *own] for name in each}
    unread = {name for name in given - read if not name.startswith("POWERTOOLS_")}
    assert not unread, f"nobody reads {sorted(unread)}"


def metrics_of_the_code() -> dict[str, set[str]]:
    """By metric: the dimensions that the code gives it, beside `service`."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / "functions").glob("*/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "metric":
                dimensions = node.args[0]
                assert isinstance(dimensions, ast.Dict), f"{path.name}: dimensions stand where they are given"
                names = {str(key.value) for key in dimensions.keys if isinstance(key, ast.Constant)}
                for keyword in node.keywords:
                    for metric in _names(keyword):
                        found.setdefault(metric, set()).update(names)
    return found


def _names(keyword: ast.keyword) -> set[str]:
    if keyword.arg:
        return {keyword.arg}
    constants = [node.value for node in ast.walk(keyword.value) if isinstance(node, ast.Constant)]
    return {value for value in constants if isinstance(value, str) and value[0].isupper()}


def alarms_on_own_metrics() -> list[Any]:
    found = of_type("AWS::CloudWatch::Alarm").items()
    return [pytest.param(*pair, id=pair[0]) for pair in found if not pair[1]["Namespace"].startswith("AWS/")]


@pytest.mark.parametrize(("name", "alarm"), alarms_on_own_metrics())
def test_an_alarm_on_a_metric_of_ours_watches_one_that_is_sent(name: str, alarm: Resource) -> None:
    assert alarm["Namespace"] == observability.NAMESPACE, f"{name} watches another namespace"
    sent = metrics_of_the_code()
    assert alarm["MetricName"] in sent, f"{name} watches {alarm['MetricName']}, which nobody sends: it can never ring"
    watched = {each["Name"] for each in alarm["Dimensions"]}
    expected = {"service", *sent[alarm["MetricName"]]}
    assert watched == expected, f"{name} watches the dimensions {sorted(watched)}, sent are {sorted(expected)}"
