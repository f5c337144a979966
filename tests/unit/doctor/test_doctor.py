"""What `broker doctor` finds in an account, one thing wrong at a time."""

import json
import re
import shlex
from datetime import UTC, datetime
from typing import Any

import pytest
from broker.cli.doctor.account import RIGHTS, policy
from broker.cli.doctor.account import Account as Asking
from broker.cli.doctor.deployed import GIVE_RIGHTS
from broker.cli.doctor.finding import Severity
from broker.cli.doctor.report import CHECKS, ON_AWS, doctor, look

from tests.contract.stack import ROOT
from tests.fakes.account import Account, Refusal
from tests.unit.doctor.cases import CASES, ERROR, GONE, WARNING, described, policy_of, registry
from tests.unit.doctor.commands import check_command
from tests.unit.doctor.conftest import NOW, Doctor, chat
from tests.unit.doctor.healthy import (
    KEY,
    NAME,
    NOVA,
    PROFILE,
    model,
    stack,
)


def test_of_an_account_in_good_health_nothing_is_said(examine: Doctor) -> None:
    assert examine() == []


@pytest.mark.parametrize(
    ("check", "wrong", "severity", "what", "mend"), CASES, ids=[f"{case[0]}-{at}" for at, case in enumerate(CASES)]
)
def test_what_is_wrong_is_found_with_the_command_that_mends_it(
    examine: Doctor, check: str, wrong: dict[str, Any], severity: Severity, what: str, mend: str
) -> None:
    found = [each for name, each in examine(**wrong) if name == check]
    told = [each for each in found if what in each.what]
    assert told, found
    assert {each.severity for each in told} == {severity}
    assert any(mend in each.mend for each in told), [each.mend for each in told]


def test_each_check_has_found_something() -> None:
    assert {case[0] for case in CASES} == CHECKS.keys() - {"names", "endpoints"}, "of others, below"


def test_others_who_may_only_ask_for_work_are_nothing_to_tell_of(examine: Doctor) -> None:
    asks = {"StringEquals": {"events:detail-type": "InferenceRequested", "aws:PrincipalOrgID": "o-a1b2c3d4e5"}}
    elsewhere = registry(sources=[{"account": "210987654321", "source": "orders", "tenant": "acme"}])
    assert examine(elsewhere, events__DescribeEventBus=policy_of(Principal="*", Condition=asks)) == []


def test_the_accounts_own_services_are_no_others(examine: Doctor) -> None:
    who = {"Service": "s3.amazonaws.com"}
    assert examine(events__DescribeEventBus=policy_of(Principal=who)) == []


@pytest.mark.parametrize(
    ("right", "operation"),
    [(right, f"{service}:{''.join(each.title() for each in name.split('_'))}")
     for service, each in RIGHTS.items() for name, right in each.items()],
)  # fmt: skip
def test_a_right_that_is_missing_is_named_and_the_rest_goes_on(
    examine: Doctor, account: Account, right: str, operation: str
) -> None:
    guarded = {"models": [chat("judge", "bedrock_guardrails"), chat("own", "sagemaker")], "tenants": [{"id": "acme"}]}
    documents = {"bedrock:GetGuardrail": guarded, "sagemaker:DescribeEndpoint": guarded}
    account.answers[operation] = Refusal("AccessDeniedException", "not authorized to perform")
    found = examine(documents.get(operation))
    told = [each for _, each in found if right in each.what]
    needed = {"cloudformation:DescribeStacks", "cloudformation:ListStackResources"}
    worst = Severity.ERROR if right in needed else Severity.WARNING
    assert {(each.severity, each.mend) for each in told} == {(worst, GIVE_RIGHTS)}
    others = {name.split(":")[0] for name, _ in account.asked} - {operation.split(":")[0]}
    assert right in needed or {"events", "kms", "cloudwatch"} - {operation.split(":")[0]} <= others


def test_a_key_that_may_not_be_used_is_not_taken_for_a_table_that_may_not(examine: Doctor, account: Account) -> None:
    account.answers["dynamodb:Query"] = Refusal(
        "AccessDeniedException", f"kms: no access to arn:aws:kms:eu-west-1:{KEY}"
    )
    told = {each.what for _, each in examine({})}
    assert "this could not be checked: your credentials lack the right kms:Decrypt" in told


def test_a_registry_that_may_not_be_read_is_said_once_for_each_check(examine: Doctor, account: Account) -> None:
    account.answers["dynamodb:Query"] = Refusal("AccessDeniedException", "no")
    lacking = [name for name, each in examine({}) if "dynamodb:Query" in each.what]
    assert {"registry", "names", "secrets", "bedrock", "bus"} <= {*lacking}


def test_a_service_that_fails_is_no_good_news(examine: Doctor) -> None:
    ((check, told),) = examine(lambda__GetAccountSettings=Refusal("ServiceException"))
    assert (check, told.severity) == ("concurrency", WARNING)
    assert "lambda:GetAccountSettings was answered with ServiceException" in told.what


def test_rights_are_to_read_and_the_policy_names_them_all() -> None:
    verbs = {right.split(":")[1] for each in RIGHTS.values() for right in each.values()}
    assert {each for each in verbs if not each.startswith(("Get", "GET", "List", "Describe", "Simulate"))} == set()
    (statement,) = json.loads(policy())["Statement"]
    assert statement["Effect"] == "Allow"
    assert {right for each in RIGHTS.values() for right in each.values()} <= {*statement["Action"]}
    assert not any("*" in action for action in statement["Action"])


def test_a_profile_reaches_models_elsewhere_and_these_are_looked_at_in_its_own_region(
    examine: Doctor, account: Account
) -> None:
    models = [chat("haiku", name=PROFILE, endpoint="eu-central-1")]
    examine({"models": models, "tenants": [{"id": "acme"}]})
    (simulated,) = (asked for name, asked in account.asked if name == "iam:SimulatePrincipalPolicy")
    assert len(simulated["ResourceArns"]) == 3, "the profile and what it may hand a call to"
    assert "eu-central-1" in account.regions


def test_a_batch_model_need_not_be_on_demand(examine: Doctor) -> None:
    batch = chat("batch", "bedrock_batch", name=NOVA, asynchronous=True)
    listed = {"modelSummaries": [model(NOVA, "PROVISIONED")]}
    assert examine({"models": [batch], "tenants": [{"id": "acme"}]}, bedrock__ListFoundationModels=listed) == []


@pytest.mark.parametrize(
    ("provider", "operation", "answer", "what", "mend"),
    [
        ("sagemaker", "sagemaker:DescribeEndpoint", Refusal("ValidationException"),
         "there is no SageMaker endpoint own (own) in us-east-1", "aws sagemaker create-endpoint --endpoint-name own"),
        ("sagemaker_async", "sagemaker:DescribeEndpoint",
         {"EndpointName": "own", "EndpointArn": "arn:aws:sagemaker:us-east-1:123456789012:endpoint/own",
          "EndpointStatus": "Failed", "EndpointConfigName": "config",
          "CreationTime": datetime(2026, 11, 30, tzinfo=UTC), "LastModifiedTime": datetime(2026, 11, 30, tzinfo=UTC)},
         "the SageMaker endpoint own (own) is Failed", "--endpoint-config-name config"),
        ("bedrock_guardrails", "bedrock:GetGuardrail", GONE,
         "the guardrail own (own), version DRAFT, is not there in us-east-1", "aws bedrock list-guardrails"),
    ],
)  # fmt: skip
def test_what_an_accounts_own_models_lack_is_found(
    examine: Doctor, provider: str, operation: str, answer: Any, what: str, mend: str
) -> None:
    models = {"models": [chat("own", provider)], "tenants": [{"id": "acme"}]}
    ((check, told),) = examine(models, **{operation.replace(":", "__"): answer})
    assert (check, told.severity, told.what) == ("endpoints", ERROR, what)
    assert mend in told.mend


def shown_of(account: Account) -> tuple[str, int]:
    """What is printed, and the exit status."""
    shown = doctor(account, NAME)
    return str(shown.plain), shown.status


def test_the_exit_status_is_that_of_the_worst(examine: Doctor, account: Account) -> None:
    examine()
    text, status = shown_of(account)
    assert (text, status) == (f"{NAME}, {len(CHECKS)} checks; error: 0, warning: 0, not checked: 0", 0)
    account.answers["sns:GetTopicAttributes"] = {"Attributes": {}}
    text, status = shown_of(account)
    assert status == 1
    assert text.splitlines()[0] == "warning: subscribed: nobody hears the alarms"
    account.answers["kms:DescribeKey"] = {"KeyMetadata": {"KeyId": "k", "KeyState": "Disabled"}}
    assert shown_of(account)[1] == 2
    told = doctor(account, NAME).value
    assert [(each["check"], each["severity"]) for each in told["findings"]] == [
        ("key", "error"),
        ("subscribed", "warning"),
    ]
    assert told["findings"][0]["mend"] == f"aws kms enable-key --key-id {KEY}"
    assert told["checks"] == list(CHECKS)


def test_a_stack_that_is_not_there_is_one_error(examine: Doctor, account: Account) -> None:
    account.answers["cloudformation:DescribeStacks"] = Refusal("ValidationError", "does not exist")
    ((check, told),) = examine()
    assert (check, told.severity, told.mend) == (
        "stack",
        ERROR,
        f"sam build && sam deploy --guided --stack-name {NAME}",
    )
    assert shown_of(account)[1] == 2


def test_of_a_stack_that_is_not_whole_only_its_state_is_told(examine: Doctor) -> None:
    ((check, told),) = examine(cloudformation__DescribeStacks=stack("ROLLBACK_COMPLETE", {}))
    assert (check, told.severity) == ("stack", ERROR)


def test_what_the_embedded_cloud_lacks_is_said_and_counts_for_nothing(examine: Doctor, account: Account) -> None:
    local = described(Target="local")
    found = examine(cloudformation__DescribeStacks=local, cloudwatch__DescribeAlarms=Refusal("InvalidAction"))
    assert {each.severity for _, each in found} == {Severity.UNCHECKED}
    assert {name for name, _ in found} == {*ON_AWS, "alarms"}
    assert shown_of(account)[1] == 0
    assert not {name for name, _ in account.asked} & {"bedrock:ListFoundationModels", "apigateway:GetAccount"}


def test_commands_name_a_stack_that_is_not_the_usual_one(account: Account, examine: Doctor) -> None:
    examine()
    other = described()
    other["Stacks"][0]["StackName"] = "broker-2"
    account.answers |= {"cloudformation:DescribeStacks": other, "secretsmanager:DescribeSecret": GONE}
    account.answers["apigateway:GetAccount"] = {}
    mends = [each.mend for _, each in look(Asking(account), "broker-2", NOW)]
    assert "broker --stack broker-2 secret providers/openai < openai.txt" in mends
    assert "sam build && sam deploy --stack-name broker-2 --parameter-overrides ApiLogRole=create" in mends


def test_a_runtime_that_aws_mends_no_more_is_told_once_with_the_newest(account: Account, examine: Doctor) -> None:
    examine()
    told = [each for _, each in look(Asking(account), NAME, NOW + 4 * 365 * 86_400_000)]
    ended = [each for each in told if "no more" in each.what]
    assert [(each.severity, each.what) for each in ended] == [(WARNING, "AWS mends python3.13 no more")]
    build = "BUILD_RUNTIME=python3.14 sam build && sam deploy --parameter-overrides Runtime=python3.14"
    assert ended[0].mend == build
    check_command(build)


def test_a_strangers_text_does_nothing_on_the_terminal_or_in_the_shell(examine: Doctor, account: Account) -> None:
    odd = "a\x1b[2J; rm -rf ~"
    found = examine({"models": [chat("own", "sagemaker", name=odd)], "tenants": [{"id": "acme"}]})
    ((_, told),) = found
    assert shlex.split(told.mend)[4] == odd, "one word"
    assert "\x1b" not in shown_of(account)[0]


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text()


def test_the_documents_say_of_each_check_what_it_looks_at() -> None:
    assert re.findall(r"^\| `([a-z ]+)` \|", page("account.md"), re.MULTILINE) == list(CHECKS)
    assert f"{len(CHECKS)} checks;" in page("account.md")


@pytest.mark.parametrize("name", ["account.md", "removing.md", "upgrading.md"])
def test_the_commands_of_the_documents_can_be_run(name: str) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", page(name), re.DOTALL)
    lines = [line for block in blocks for line in re.sub(r"\\\n\s*", "", block).splitlines()]
    commands = [re.split(r"\s+# ", line.strip())[0] for line in lines]
    own = [each for each in commands if each.startswith(("aws ", "broker ", "sam "))]
    assert own
    for each in own:
        if not each.startswith("aws s3 "):  # the AWS CLI's own, which no service has
            check_command(each)
