"""A stack in good health, as an account tells of it; tests change one answer."""

from datetime import UTC, datetime
from typing import Any

from tests.fakes.account import Refusal, by

ACCOUNT, REGION, NAME = "123456789012", "us-east-1", "inference-broker"
STACK_ID = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{NAME}/e5c4978e"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/433be505"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:alarms"
LAYER = f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:dependencies:7"
HAIKU = "anthropic.claude-haiku-4-5-20251001-v1:0"
NOVA, TITAN = "amazon.nova-lite-v1:0", "amazon.titan-embed-text-v2:0"
PROFILE = f"global.{HAIKU}"

OUTPUTS = {"KeyArn": KEY, "AlarmTopic": TOPIC, "BusName": NAME, "SecretsPrefix": f"{NAME}/"}
"""Beside the names of tables and buckets."""

INTAKE, HEADS = "1" * 36, "2" * 36
"""UUIDs of what reads a queue and the stream."""

RESOURCES = {
    "ApiFunction": ("AWS::Lambda::Function", "api-function"),
    "SweepFunction": ("AWS::Lambda::Function", "sweep-function"),
    "IntakeEvents": ("AWS::Lambda::EventSourceMapping", INTAKE),
    "PublishHeads": ("AWS::Lambda::EventSourceMapping", HEADS),
    "Requested": ("AWS::Events::Rule", f"{NAME}|requested"),
    "EveryMinute": ("AWS::Events::Rule", "every-minute"),
    "SweepAlarm": ("AWS::CloudWatch::Alarm", "sweep-alarm"),
    "InvokeModelRole": ("AWS::IAM::Role", "invoke-model-role"),
}


def stack(status: str = "UPDATE_COMPLETE", outputs: dict[str, str] | None = None, **parameters: str) -> dict[str, Any]:
    """What `DescribeStacks` tells."""
    given = {"Target": "aws", "RequestRate": "1000", "AlarmEmail": "", "Runtime": "python3.13"} | parameters
    described = {
        "StackName": NAME,
        "StackId": STACK_ID,
        "StackStatus": status,
        "EnableTerminationProtection": True,
        "CreationTime": datetime(2026, 11, 30, tzinfo=UTC),
        "Parameters": [{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()],
        "Outputs": [
            {"OutputKey": name, "OutputValue": value}
            for name, value in (OUTPUTS if outputs is None else outputs).items()
        ],
    }
    return {"Stacks": [described]}


def resources(**changed: tuple[str, str] | None) -> dict[str, Any]:
    """What `ListStackResources` tells."""
    kept = {name: each for name, each in {**RESOURCES, **changed}.items() if each}
    return {
        "StackResourceSummaries": [
            {
                "LogicalResourceId": name,
                "ResourceType": kind,
                "PhysicalResourceId": physical,
                "ResourceStatus": "CREATE_COMPLETE",
                "LastUpdatedTimestamp": datetime(2026, 11, 30, tzinfo=UTC),
            }
            for name, (kind, physical) in kept.items()
        ]
    }


def function(**changed: Any) -> dict[str, Any]:
    """What `GetFunctionConfiguration` tells."""
    usual = {"Runtime": "python3.13", "Architectures": ["arm64"], "State": "Active", "LastUpdateStatus": "Successful"}
    return {**usual, "Layers": [{"Arn": LAYER}], **changed}


def model(model_id: str, *types: str, **changed: Any) -> dict[str, Any]:
    """One of what `ListFoundationModels` lists."""
    arn = f"arn:aws:bedrock:{REGION}::foundation-model/{model_id}"
    return {
        "modelArn": arn,
        "modelId": model_id,
        "inferenceTypesSupported": list(types or ("ON_DEMAND",)),
        "modelLifecycle": {"status": "ACTIVE"},
        **changed,
    }


def availability(**changed: Any) -> dict[str, Any]:
    """What `GetFoundationModelAvailability` tells."""
    usual = {
        "modelId": HAIKU,
        "agreementAvailability": {"status": "AVAILABLE"},
        "authorizationStatus": "AUTHORIZED",
        "entitlementAvailability": "AVAILABLE",
        "regionAvailability": "AVAILABLE",
    }
    return usual | changed


def decisions(decision: str, **more: Any) -> Any:
    """What `SimulatePrincipalPolicy` decides of each resource that it is asked about."""

    def answer(asked: dict[str, Any]) -> dict[str, Any]:
        return {
            "EvaluationResults": [
                {"EvalActionName": asked["ActionNames"][0], "EvalResourceName": each, "EvalDecision": decision, **more}
                for each in asked["ResourceArns"]
            ]
        }

    return answer


def profile() -> dict[str, Any]:
    """What `GetInferenceProfile` tells of one that reaches two regions."""
    now = datetime(2026, 11, 30, tzinfo=UTC)
    return {
        "inferenceProfileName": "Haiku",
        "inferenceProfileArn": f"arn:aws:bedrock:{REGION}:{ACCOUNT}:inference-profile/{PROFILE}",
        "inferenceProfileId": PROFILE,
        "models": [
            {"modelArn": f"arn:aws:bedrock:{place}::foundation-model/{HAIKU}"} for place in (REGION, "us-west-2")
        ],
        "status": "ACTIVE",
        "type": "SYSTEM_DEFINED",
        "createdAt": now,
    }


def secret(**changed: Any) -> dict[str, Any]:
    """What `DescribeSecret` tells."""
    return {"Name": "x", "KmsKeyId": KEY, "VersionIdsToStages": {"1" * 32: ["AWSCURRENT"]}} | changed


def quota(name: str, value: float) -> dict[str, Any]:
    """One of what `ListServiceQuotas` lists."""
    return {"ServiceCode": "states", "QuotaCode": "L-1234ABCD", "QuotaName": name, "Value": value}


def answers(outputs: dict[str, str]) -> dict[str, Any]:
    """All that is asked of an account in good health; `outputs` are those of tables and buckets."""
    return {
        "cloudformation:DescribeStacks": stack(outputs={**OUTPUTS, **outputs}),
        "cloudformation:ListStackResources": resources(),
        "cloudformation:GetStackPolicy": {"StackPolicyBody": "{}"},
        "lambda:GetFunctionConfiguration": function(),
        "lambda:GetLayerVersionByArn": {"CompatibleRuntimes": ["python3.13"], "CompatibleArchitectures": ["arm64"]},
        "lambda:GetEventSourceMapping": {"State": "Enabled", "ScalingConfig": {"MaximumConcurrency": 10}},
        "lambda:GetAccountSettings": {"AccountLimit": {"ConcurrentExecutions": 1000}},
        "events:DescribeRule": {"Name": "x", "State": "ENABLED"},
        "events:DescribeEventBus": {"Name": NAME},
        "kms:DescribeKey": {"KeyMetadata": {"KeyId": "433be505", "KeyState": "Enabled"}},
        "apigateway:GetAccount": {
            "cloudwatchRoleArn": f"arn:aws:iam::{ACCOUNT}:role/logs",
            "throttleSettings": {"rateLimit": 10000.0, "burstLimit": 5000},
        },
        "iam:GetRole": {
            "Role": {
                "RoleName": "logs",
                "Path": "/",
                "RoleId": "AROA0123456789ABCDEF",
                "Arn": f"arn:aws:iam::{ACCOUNT}:role/logs",
                "CreateDate": datetime(2026, 11, 30, tzinfo=UTC),
            }
        },
        "iam:SimulatePrincipalPolicy": decisions("allowed"),
        "service-quotas:ListServiceQuotas": {
            "Quotas": [quota("StartExecution throttle token refill rate per second", 300.0)]
        },
        "sns:GetTopicAttributes": {"Attributes": {"SubscriptionsConfirmed": "1", "SubscriptionsPending": "0"}},
        "cloudwatch:DescribeAlarms": {
            "MetricAlarms": [{"AlarmName": "sweep-alarm", "StateValue": "OK", "ActionsEnabled": True}]
        },
        "secretsmanager:DescribeSecret": secret(),
        "bedrock:ListFoundationModels": {"modelSummaries": [model(NOVA), model(TITAN), model(HAIKU)]},
        "bedrock:GetFoundationModelAvailability": availability(),
        "bedrock:GetInferenceProfile": by(rest=Refusal("ResourceNotFoundException"), **{PROFILE: profile()}),
        "bedrock:GetUseCaseForModelAccess": {"formData": b"{}"},
        "bedrock:GetGuardrail": Refusal("ResourceNotFoundException"),
        "sagemaker:DescribeEndpoint": Refusal("ValidationException"),
    }
