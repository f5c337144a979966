"""What the functions ask of services that speak JSON: the few facts of botocore's models that a request needs.

A test holds them against the models.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Service:
    """How a service is called."""

    host: str
    """The first part of its hosts, by which it also signs."""
    variable: str
    """Its name in variables such as `AWS_ENDPOINT_URL_DYNAMODB`."""
    json: str
    """The version in its content type."""
    target: str
    """What goes before an operation in `x-amz-target`."""
    operations: dict[str, str]
    """By botocore's name of the method."""
    tokens: dict[str, str] = field(default_factory=dict)
    """By operation: the member that makes a repeated request one."""
    keeps_codes: bool = False
    """True where `x-amzn-query-mode` lets errors keep the codes of an older protocol."""


SERVICES = {
    "dynamodb": Service(
        *("dynamodb", "DYNAMODB", "1.0", "DynamoDB_20120810"),
        {
            "batch_get_item": "BatchGetItem",
            "batch_write_item": "BatchWriteItem",
            "delete_item": "DeleteItem",
            "get_item": "GetItem",
            "put_item": "PutItem",
            "query": "Query",
            "transact_write_items": "TransactWriteItems",
            "update_item": "UpdateItem",
        },
        {"TransactWriteItems": "ClientRequestToken"},
    ),
    "sqs": Service(
        *("sqs", "SQS", "1.0", "AmazonSQS"),
        {
            "delete_message": "DeleteMessage",
            "get_queue_attributes": "GetQueueAttributes",
            "receive_message": "ReceiveMessage",
            "send_message": "SendMessage",
            "send_message_batch": "SendMessageBatch",
        },
        keeps_codes=True,
    ),
    "stepfunctions": Service(
        *("states", "SFN", "1.0", "AWSStepFunctions"),
        {"send_task_success": "SendTaskSuccess", "start_execution": "StartExecution"},
    ),
    "events": Service(*("events", "EVENTBRIDGE", "1.1", "AWSEvents"), {"put_events": "PutEvents"}),
    "secretsmanager": Service(
        *("secretsmanager", "SECRETS_MANAGER", "1.1", "secretsmanager"), {"get_secret_value": "GetSecretValue"}
    ),
    "kms": Service(*("kms", "KMS", "1.1", "TrentService"), {"decrypt": "Decrypt", "encrypt": "Encrypt"}),
}
"""By botocore's name."""
