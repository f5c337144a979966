"""An account and a region, asked with read rights alone."""

import json
from dataclasses import dataclass, field
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

RIGHTS = {
    "apigateway": {"get_account": "apigateway:GET"},
    "bedrock": {
        "get_foundation_model_availability": "bedrock:GetFoundationModelAvailability",
        "get_guardrail": "bedrock:GetGuardrail",
        "get_inference_profile": "bedrock:GetInferenceProfile",
        "get_use_case_for_model_access": "bedrock:GetUseCaseForModelAccess",
        "list_foundation_models": "bedrock:ListFoundationModels",
    },
    "cloudformation": {
        "describe_stacks": "cloudformation:DescribeStacks",
        "get_stack_policy": "cloudformation:GetStackPolicy",
        "list_stack_resources": "cloudformation:ListStackResources",
    },
    "cloudwatch": {"describe_alarms": "cloudwatch:DescribeAlarms"},
    "events": {"describe_event_bus": "events:DescribeEventBus", "describe_rule": "events:DescribeRule"},
    "iam": {"get_role": "iam:GetRole", "simulate_principal_policy": "iam:SimulatePrincipalPolicy"},
    "kms": {"describe_key": "kms:DescribeKey"},
    "lambda": {
        "get_account_settings": "lambda:GetAccountSettings",
        "get_event_source_mapping": "lambda:GetEventSourceMapping",
        "get_function_configuration": "lambda:GetFunctionConfiguration",
        "get_layer_version_by_arn": "lambda:GetLayerVersion",
    },
    "sagemaker": {"describe_endpoint": "sagemaker:DescribeEndpoint"},
    "secretsmanager": {"describe_secret": "secretsmanager:DescribeSecret"},
    "service-quotas": {"list_service_quotas": "servicequotas:ListServiceQuotas"},
    "sns": {"get_topic_attributes": "sns:GetTopicAttributes"},
}
"""All that is asked, by service and operation, and the right that IAM has for it (service authorization reference)."""

READS_REGISTRY = "dynamodb:Query"
"""The registry is read as all others of the command read it; its table's key has to be usable too."""

DENIALS = frozenset(
    {"AccessDenied", "AccessDeniedException", "AuthorizationError", "NotAuthorized", "UnauthorizedOperation"}
)
"""How services call it when a right is missing (SNS and some query services have words of their own)."""

MISSING = frozenset({"NoSuchEntity", "NotFound", "NotFoundException", "ResourceNotFound", "ResourceNotFoundException"})

CONFIG = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 4})


class NotRead(Exception):
    """A question that was not answered: for want of a right (`denied`), or because the service failed."""

    def __init__(self, right: str, why: str, *, denied: bool) -> None:
        super().__init__(f"{right}: {why}")
        self.right = right
        self.why = why
        self.denied = denied


@dataclass(frozen=True, slots=True)
class Account:
    """The shell's account."""

    session: Any
    clients: dict[tuple[str, str | None], Any] = field(default_factory=dict)

    def ask(
        self, service: str, operation: str, *, region: str | None = None, none: frozenset[str] = MISSING, **asked: Any
    ) -> dict[str, Any] | None:
        """One question; None where the service says that there is no such thing (`none` are its codes for that).

        Raises:
            NotRead: there is no answer.
        """
        right = RIGHTS[service][operation]
        try:
            client = self.clients.get((service, region)) or self.session.client(
                service, region_name=region, config=CONFIG
            )
            self.clients[service, region] = client
            reply: dict[str, Any] = getattr(client, operation)(**asked)
        except ClientError as error:
            if error.response["Error"]["Code"] in none:
                return None
            raise not_read(right, error) from None
        except BotoCoreError as error:  # no such region, no connection, no credentials
            raise NotRead(right, " ".join(str(error).split()), denied=False) from None
        return reply

    def all(self, service: str, operation: str, list_of: str, token: str, **asked: Any) -> list[Any]:
        """The elements of all pages; `token` is what the service calls the mark of the next one.

        Raises:
            NotRead: a page is not given.
        """
        found: list[Any] = []
        while True:
            reply = self.ask(service, operation, **asked) or {}
            found += reply.get(list_of, [])
            if not reply.get(token):
                return found
            asked[token] = reply[token]


def not_read(right: str, error: ClientError) -> NotRead:
    """What a service's refusal means."""
    code = str(error.response["Error"]["Code"])
    if code in DENIALS and ":kms:" in str(error.response["Error"].get("Message")):
        right = "kms:Decrypt"  # a table that is encrypted refuses in the name of its key
    return NotRead(right, code, denied=code in DENIALS)


def policy() -> str:
    """The IAM policy that lets somebody run all checks, as JSON."""
    actions = sorted({right for each in RIGHTS.values() for right in each.values()} | {READS_REGISTRY, "kms:Decrypt"})
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=2)
