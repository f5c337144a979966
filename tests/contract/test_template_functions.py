"""What the template promises of functions: a door, a log group and a role each, and the environment that they read."""

import ast
import importlib
import re
import tomllib
from typing import Any

from broker.bootstrap.doors import QUIET_DOORS

from tests.contract.doors import BUILDERS, builders_behind, calls_of_bootstrap, each_function
from tests.contract.stack import ROOT, Resource, as_list, door_of, functions, of_type, rights, target, template

VARIABLE = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")


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


MORE_LAYERS = {"ReadDocumentFunction": ["DocumentsLayer"]}
"""What is too heavy for all to carry."""


@each_function
def test_the_function_is_built_as_all_are(name: str, properties: Resource) -> None:
    assert template()["Resources"][name]["Metadata"] == {"BuildMethod": "makefile"}, f"{name} is built another way"
    assert properties["CodeUri"] == "functions/", name
    assert [target(layer) for layer in properties["Layers"]] == ["DependenciesLayer", *MORE_LAYERS.get(name, [])], name
    assert target(properties["Tracing"]) == "TraceSampling", f"{name} is not traced"
    assert [target(each) for each in properties["Architectures"]] == ["Architecture"], name
    assert properties["Description"].endswith("."), name


def test_defaults_are_arm64_and_traces_that_the_api_begins() -> None:
    parameters = template()["Parameters"]
    assert parameters["Architecture"]["Default"] == "arm64"
    assert parameters["TraceSampling"]["Default"] == "PassThrough", "else each job of a quiet stack is traced"
    assert parameters["Target"]["Default"] == "aws"


def test_the_build_the_stack_and_what_is_deployed_by_default_are_of_one_runtime() -> None:
    told = tomllib.loads((ROOT / "samconfig.toml").read_text())["default"]
    deployed = dict(each.split("=") for each in told["deploy"]["parameters"]["parameter_overrides"].split())
    makefile = (ROOT / "functions" / "Makefile").read_text()
    for name in ("Runtime", "Architecture"):
        default = template()["Parameters"][name]["Default"]
        built = re.findall(rf"\(call told,{name}\),(\S+)\)", makefile)
        assert ([deployed[name]], built) == ([default], [default]), name
    assert not told["build"]["parameters"].get("cached"), "SAM's cache would keep what was built for another"


def test_only_the_embedded_cloud_has_a_runtime_that_aws_gives_up() -> None:
    rule = template()["Rules"]["RuntimeIsOneThatAwsGoesOnWith"]
    offered = set(template()["Parameters"]["Runtime"]["AllowedValues"])
    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "Target"}, "aws"]}
    refused = {each["Assert"]["Fn::Not"][0]["Fn::Equals"][1] for each in rule["Assertions"]}
    assert offered - refused == {"python3.12", "python3.13", "python3.14"}


NOTHING = {"Ref": "AWS::NoValue"}


def reserved() -> dict[str, tuple[str, Any]]:
    """Of functions that have a reserve: the condition, and how much."""
    found = {name: each.get("ReservedConcurrentExecutions") for name, each in functions().items()}
    off = {name: each["Fn::If"][2] for name, each in found.items() if each}
    assert set(map(str, off.values())) <= {str(NOTHING)}, "a reserve that nobody asked for"
    return {name: tuple(each["Fn::If"][:2]) for name, each in found.items() if each}


def test_concurrency_is_kept_for_what_takes_and_ends_jobs_where_it_is_asked_for() -> None:
    for condition, parameter in {
        "Reserves": "ReservedConcurrency",
        "BoundsInvokeModel": "InvokeModelConcurrency",
    }.items():
        assert template()["Conditions"][condition] == {"Fn::Not": [{"Fn::Equals": [{"Ref": parameter}, "0"]}]}
        # A new account has less to give than all of it together.
        assert template()["Parameters"][parameter]["Default"] == 0
    kept = reserved()
    assert kept.pop("InvokeModelFunction") == ("BoundsInvokeModel", {"Ref": "InvokeModelConcurrency"})
    for name in ("AuthorizeFunction", "ApiFunction", "SettleJobFunction", "PublishFunction"):
        assert kept.pop(name) == ("Reserves", {"Ref": "ReservedConcurrency"})
    assert kept.keys() == {"DispatchFunction", "SweepFunction"}


def test_a_reserve_is_enough_for_all_that_read_a_functions_queues() -> None:
    """Else batches are throttled, and messages end as dead letters (Lambda developer guide, "Maximum concurrency")."""
    for name, (_, most) in reserved().items():
        readers = [
            source["Properties"]["ScalingConfig"]["MaximumConcurrency"]
            for source in functions()[name].get("Events", {}).values()
            if source["Type"] == "SQS"
        ]
        assert not readers or most >= sum(readers), name
    assert reserved()["DispatchFunction"][1] == 8


@each_function
def test_the_function_has_a_log_group_and_a_role_of_its_own(name: str, properties: Resource) -> None:
    group = target(properties["LoggingConfig"]["LogGroup"])
    assert group == f"{name.removesuffix('Function')}Logs", f"{name} logs to {group}"
    named = of_type("AWS::Logs::LogGroup")[group]["LogGroupName"]["Fn::Sub"]
    assert named == f"/aws/lambda/${{AWS::StackName}}/{name.removesuffix('Function')}", f"{group} is {named}"
    assert "RetentionInDays" in of_type("AWS::Logs::LogGroup")[group], f"{group} never forgets"
    role = target(properties["Role"])
    assert role == f"{name.removesuffix('Function')}Role", f"{name} has the role {role}"
    (trust,) = of_type("AWS::IAM::Role")[role]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "lambda.amazonaws.com"}, role
    writing = [each for each in rights(role) if "logs:PutLogEvents" in as_list(each["Action"])]
    assert [target(each["Resource"]) for each in writing] == [group], f"{role} writes logs elsewhere"


def test_setting_is_the_only_way_to_the_environment() -> None:
    allowed = {"adapters.py": {"TARGET"}, "clients.py": {"BROKER_FAULTS"}, "main.py": {"BROKER_STACK"}}
    allowed["observability.py"] = {"_X_AMZN_TRACE_ID", "AWS_LAMBDA_FUNCTION_NAME", "STACK_NAME"}
    allowed["first_attempt.py"] = {"AWS_LAMBDA_FUNCTION_NAME"}
    allowed["sandbox.py"] = {"LD_LIBRARY_PATH"}  # where the runtime's own libraries lie
    allowed["notes.py"] = {"AUDIT_QUEUE"}  # where it is empty, a note costs nothing: no builder is asked
    allowed["lean.py"] = {"_X_AMZN_TRACE_ID"}  # Lambda's own, for the header that AWS's services go on with
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
    read = {variable for builder in BUILDERS for variable in settings_of(builder)} | {"TARGET", "STACK_NAME"}
    own = [each.get("Environment", {}).get("Variables", {}) for each in of_type("AWS::Serverless::Function").values()]
    given = {name for each in [template()["Globals"]["Function"]["Environment"]["Variables"], *own] for name in each}
    unread = {name for name in given - read if not name.startswith("POWERTOOLS_")}
    assert not unread, f"nobody reads {sorted(unread)}"


def test_each_choice_of_events_is_known_to_the_doors() -> None:
    choice = template()["Parameters"]["RestJobEvents"]
    assert choice["AllowedValues"] == list(QUIET_DOORS)
    assert {word: "rest" in quiet for word, quiet in QUIET_DOORS.items()} == {"always": False, "on_request": True}
    assert choice["Default"] == "always", "a bus that hears of no job is asked for"
