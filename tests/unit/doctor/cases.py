"""One thing wrong at a time: the check that finds it, how much it matters, and the command that mends it."""

import json
from datetime import UTC, datetime
from typing import Any

from broker.cli.doctor.finding import Severity

from tests.fakes.account import Refusal, by
from tests.unit.doctor.conftest import OUTPUTS, REGISTRY, chat
from tests.unit.doctor.healthy import (
    ACCOUNT,
    HAIKU,
    HEADS,
    INTAKE,
    KEY,
    NAME,
    NOVA,
    TITAN,
    TOPIC,
    availability,
    decisions,
    function,
    model,
    quota,
    resources,
    secret,
    stack,
)

ERROR, WARNING = Severity.ERROR, Severity.WARNING
GONE = Refusal("ResourceNotFoundException")
WHOLE = OUTPUTS | {"KeyArn": KEY, "AlarmTopic": TOPIC, "BusName": NAME, "SecretsPrefix": f"{NAME}/"}


def described(status: str = "UPDATE_COMPLETE", **parameters: str) -> dict[str, Any]:
    return stack(status, WHOLE, **parameters)


def unprotected() -> dict[str, Any]:
    told = described()
    told["Stacks"][0]["EnableTerminationProtection"] = False
    return told


def registry(**changed: Any) -> dict[str, Any]:
    return REGISTRY | changed


def policy_of(**statement: Any) -> dict[str, Any]:
    usual = {"Sid": "s1", "Effect": "Allow", "Action": "events:PutEvents", "Resource": "*"}
    return {"Name": NAME, "Policy": json.dumps({"Statement": usual | statement})}


def alarm(**changed: Any) -> dict[str, Any]:
    return {"MetricAlarms": [{"AlarmName": "sweep-alarm", "StateValue": "OK", "ActionsEnabled": True} | changed]}


CASES: list[tuple[str, dict[str, Any], Severity, str, str]] = [
    *(
        ("stack", {"cloudformation__DescribeStacks": described(status)}, ERROR, status, command)
        for status, command in {
            "UPDATE_ROLLBACK_FAILED": f"aws cloudformation continue-update-rollback --stack-name {NAME}",
            "ROLLBACK_COMPLETE": f"aws cloudformation delete-stack --stack-name {NAME}",
            "UPDATE_FAILED": f"aws cloudformation rollback-stack --stack-name {NAME}",
        }.items()
    ),
    ("stack", {"cloudformation__DescribeStacks": described("UPDATE_ROLLBACK_COMPLETE")}, WARNING,
     "rolled back", "sam build && sam deploy"),
    ("stack", {"cloudformation__DescribeStacks": described("UPDATE_IN_PROGRESS")}, WARNING,
     "is being changed", f"aws cloudformation wait stack-update-complete --stack-name {NAME}"),
    ("protection", {"cloudformation__DescribeStacks": unprotected()}, WARNING, "one command deletes the stack",
     f"aws cloudformation update-termination-protection --enable-termination-protection --stack-name {NAME}"),
    ("protection", {"cloudformation__GetStackPolicy": {}}, WARNING, "may replace a table",
     f"aws cloudformation set-stack-policy --stack-name {NAME} --stack-policy-body file://stack-policy.json"),
    ("functions", {"lambda__GetFunctionConfiguration": by(rest=function(), **{"api-function": GONE})}, ERROR,
     "ApiFunction is gone", "aws cloudformation create-change-set "),
    ("functions", {"lambda__GetFunctionConfiguration": by(rest=function(), **{"api-function": function(
        State="Failed", StateReasonCode="InvalidSecurityGroup")})}, ERROR,
     "ApiFunction cannot start (InvalidSecurityGroup)", "sam build && sam deploy"),
    ("functions", {"lambda__GetFunctionConfiguration": function(Runtime="python3.14")}, ERROR,
     "was built for python3.13 on arm64", "sam build && sam deploy"),
    ("functions", {"lambda__GetFunctionConfiguration": function(Runtime="python3.12")}, ERROR,
     "was built for python3.13 on arm64", "sam build && sam deploy"),
    ("functions", {"lambda__GetLayerVersionByArn": GONE}, ERROR, "the layer of ApiFunction is gone",
     "create-change-set"),
    ("functions", {"lambda__GetFunctionConfiguration": by(rest=function(), **{"api-function": function(
        Layers=[{"Arn": "arn:aws:lambda:us-east-1:123456789012:layer:dependencies:6"}])})}, WARNING,
     "different layers", "sam build && sam deploy"),
    ("sources", {"lambda__GetEventSourceMapping": by(rest={"State": "Enabled"}, **{HEADS: {
        "State": "Disabled"}})}, ERROR, "PublishHeads is switched off",
     f"aws lambda update-event-source-mapping --uuid {HEADS} --enabled"),
    ("sources", {"lambda__GetEventSourceMapping": by(rest={"State": "Enabled"}, **{INTAKE: GONE})}, ERROR,
     "IntakeEvents is gone", "create-change-set"),
    ("sources", {"events__DescribeRule": by(rest={"State": "ENABLED"}, requested={"State": "DISABLED"})}, ERROR,
     "Requested is switched off", f"aws events enable-rule --name requested --event-bus-name {NAME}"),
    ("sources", {"events__DescribeRule": by(rest={"State": "ENABLED"}, **{"every-minute": {"State": "DISABLED"}})},
     ERROR, "EveryMinute is switched off", "aws events enable-rule --name every-minute --event-bus-name default"),
    ("sources", {"events__DescribeRule": by(rest={"State": "ENABLED"}, **{"every-minute": GONE})}, ERROR,
     "EveryMinute is gone", "create-change-set"),
    ("key", {"kms__DescribeKey": {"KeyMetadata": {"KeyId": "k", "KeyState": "PendingDeletion"}}}, ERROR,
     "about to be deleted", f"aws kms cancel-key-deletion --key-id {KEY} && aws kms enable-key --key-id {KEY}"),
    ("key", {"kms__DescribeKey": {"KeyMetadata": {"KeyId": "k", "KeyState": "Disabled"}}}, ERROR,
     "switched off", f"aws kms enable-key --key-id {KEY}"),
    ("registry", {"registry": {"tenants": [{"id": "acme"}]}}, ERROR,
     "no model is registered", "broker apply examples/registry"),
    ("registry", {"registry": {"models": [chat("nova", name=NOVA)]}}, ERROR,
     "no tenant is registered", "broker apply examples/registry"),
    ("registry", {"registry": registry(models=[*REGISTRY["models"], chat("odd", "abacus")])}, ERROR,
     "the model odd has a provider 'abacus'", "broker apply registry/"),
    ("registry", {"registry": registry(models=[*REGISTRY["models"], chat("claude", "anthropic")])}, ERROR,
     "the model claude has no secret", "broker apply registry/"),
    ("registry", {"registry": registry(models=[*REGISTRY["models"], chat(
        "old", name=NOVA, status="deprecated", sunset="2026-12-15", successor="nova")])}, WARNING,
     "the model old is used until 2026-12-15 and no longer; nova is to follow it", "broker apply registry/"),
    ("secrets", {"secretsmanager__DescribeSecret": by(rest=secret(), **{f"{NAME}/providers/openai": GONE})}, ERROR,
     "there is no secret providers/openai, which the model gpt needs", "broker secret providers/openai < openai.txt"),
    ("secrets", {"secretsmanager__DescribeSecret": by(rest=secret(), **{f"{NAME}/tenants/acme/webhook": GONE})}, ERROR,
     "which the tenant acme needs", "broker secret tenants/acme/webhook < webhook.txt"),
    ("secrets", {"secretsmanager__DescribeSecret": secret(DeletedDate=datetime(2026, 11, 29, tzinfo=UTC))}, ERROR,
     "about to be deleted", f"aws secretsmanager restore-secret --secret-id {NAME}/providers/openai"),
    ("secrets", {"secretsmanager__DescribeSecret": secret(VersionIdsToStages={})}, ERROR,
     "is empty", "broker secret providers/openai < openai.txt"),
    ("secrets", {"secretsmanager__DescribeSecret": secret(KmsKeyId=f"{KEY}0")}, ERROR,
     "encrypted with another key", "broker secret providers/openai < openai.txt"),
    ("bedrock", {"bedrock__ListFoundationModels": {"modelSummaries": [model(HAIKU), model(TITAN)]}},
     ERROR, f"Bedrock in us-east-1 has no model and no inference profile {NOVA} (nova)",
     "aws bedrock list-foundation-models --query 'modelSummaries[].modelId' --region us-east-1"),
    ("bedrock", {"bedrock__ListFoundationModels": {"modelSummaries": [
        model(NOVA, "PROVISIONED"), model(TITAN)]}}, ERROR,
     "is not called by its own name", "aws bedrock list-inference-profiles --query "),
    ("bedrock", {"bedrock__ListFoundationModels": {"modelSummaries": [
        model(NOVA, modelLifecycle={"status": "LEGACY", "endOfLifeTime": datetime(2027, 3, 1, tzinfo=UTC)}),
        model(TITAN)]}}, WARNING,
     f"AWS is to take {NOVA} (nova) away on 2027-03-01", "broker apply registry/"),
    ("bedrock", {"bedrock__GetFoundationModelAvailability": by(rest=availability(), **{HAIKU: availability(
        agreementAvailability={"status": "NOT_AVAILABLE"})})}, ERROR,
     f"no subscription of {HAIKU} (haiku); who makes it needs aws-marketplace:Subscribe",
     f"aws bedrock create-foundation-model-agreement --model-id {HAIKU} --offer-token "),
    ("bedrock", {"bedrock__GetFoundationModelAvailability": by(rest=availability(), **{HAIKU: availability(
        entitlementAvailability="NOT_AVAILABLE")})}, ERROR, "no subscription", "create-foundation-model-agreement"),
    ("bedrock", {"bedrock__GetFoundationModelAvailability": by(rest=availability(), **{HAIKU: availability(
        agreementAvailability={"status": "PENDING"})})}, WARNING, "fifteen minutes", "broker doctor"),
    ("bedrock", {"bedrock__GetFoundationModelAvailability": by(rest=availability(), **{HAIKU: availability(
        authorizationStatus="NOT_AUTHORIZED")})}, ERROR, f"the account may not use {HAIKU}",
     f"aws organizations list-policies-for-target --target-id {ACCOUNT} --filter SERVICE_CONTROL_POLICY"),
    ("bedrock", {"bedrock__GetUseCaseForModelAccess": GONE}, WARNING, "Anthropic has no use-case form",
     "aws bedrock put-use-case-for-model-access --form-data fileb://use-case.json --region us-east-1"),
    ("bedrock", {"iam__SimulatePrincipalPolicy": decisions("implicitDeny")}, ERROR,
     "the role of invoke_model may not bedrock:InvokeModel on arn:aws:bedrock:us-west-2::foundation-model/" + HAIKU,
     "create-change-set"),
    ("bedrock", {"iam__SimulatePrincipalPolicy": decisions(
        "explicitDeny", OrganizationsDecisionDetail={"AllowedByOrganizations": False})}, ERROR,
     "the organization forbids it", "aws organizations list-policies-for-target"),
    ("concurrency", {"lambda__GetAccountSettings": {"AccountLimit": {"ConcurrentExecutions": 10}}}, WARNING,
     "runs 10 functions at a time, and up to 20 read queues",
     "--service-code lambda --quota-code L-B99A9384 --desired-value 1000"),
    ("concurrency", {"lambda__GetEventSourceMapping": {"State": "Enabled", "ScalingConfig": {
        "MaximumConcurrency": 600}}}, WARNING, "up to 1200 read queues", "--desired-value 2400"),
    ("rates", {"cloudformation__DescribeStacks": described(RequestRate="20000")}, WARNING,
     "API Gateway takes 10000 requests a second of the account, and RequestRate is 20000",
     "--service-code apigateway --quota-code L-8A5B8E43 --desired-value 20000"),
    ("rates", {"service_quotas__ListServiceQuotas": {"Quotas": [
        quota("StartExecution throttle token refill rate per second", 50.0)]}}, WARNING,
     "StartExecution throttle token refill rate per second is 50, and TenantRequestRate is 100",
     "--service-code states --quota-code L-1234ABCD --desired-value 100"),
    ("log role", {"apigateway__GetAccount": {}}, ERROR, "no role to log with",
     "sam build && sam deploy --parameter-overrides ApiLogRole=create"),
    ("log role", {"apigateway__GetAccount": {}, "cloudformation__ListStackResources": resources(
        ApiAccountRole=("AWS::IAM::Role", "own-role"))}, ERROR, "no role to log with",
     f"op=replace,path=/cloudwatchRoleArn,value=arn:aws:iam::{ACCOUNT}:role/own-role"),
    ("log role", {"iam__GetRole": Refusal("NoSuchEntity")}, ERROR, "with the role logs, which is gone",
     "aws iam create-role --role-name logs "),
    ("subscribed", {"sns__GetTopicAttributes": {"Attributes": {}}}, WARNING, "nobody hears the alarms",
     f"aws sns subscribe --topic-arn {TOPIC} --protocol email --notification-endpoint you@example.com"),
    ("subscribed", {"sns__GetTopicAttributes": {"Attributes": {"SubscriptionsPending": "1"}},
                    "cloudformation__DescribeStacks": described(AlarmEmail="ada@acme.example")}, WARNING,
     "has not confirmed it", "--notification-endpoint ada@acme.example"),
    ("alarms", {"cloudwatch__DescribeAlarms": alarm(StateValue="ALARM", AlarmDescription="It is silent.")}, ERROR,
     "the alarm sweep-alarm rings: It is silent.", "aws cloudwatch describe-alarm-history --alarm-name sweep-alarm"),
    ("alarms", {"cloudwatch__DescribeAlarms": alarm(ActionsEnabled=False)}, WARNING, "tells nobody",
     "aws cloudwatch enable-alarm-actions --alarm-names sweep-alarm"),
    ("alarms", {"cloudwatch__DescribeAlarms": {}}, WARNING, "sweep-alarm is gone", "create-change-set"),
    ("bus", {"events__DescribeEventBus": GONE}, ERROR, "the event bus is gone", "create-change-set"),
    ("bus", {"events__DescribeEventBus": policy_of(Principal="*")}, ERROR, "any AWS account may put events",
     f"aws events remove-permission --event-bus-name {NAME} --statement-id s1"),
    ("bus", {"events__DescribeEventBus": policy_of(Principal={"AWS": "arn:aws:iam::210987654321:root"})}, WARNING,
     "others (210987654321) may say on the bus that a job has ended", "aws events remove-permission"),
    ("bus", {"registry": registry(sources=[{"account": "210987654321", "source": "orders", "tenant": "acme"}])}, ERROR,
     "events of the accounts 210987654321", "--parameter-overrides SenderAccounts=210987654321"),
]  # fmt: skip
