"""A handler as tutorials have it: everything imported at the top, one client for all, models for whatever comes."""

from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType
from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer, IdempotencyConfig
from aws_lambda_powertools.utilities.parser import event_parser
from pydantic import BaseModel, Field

logger = Logger(service="naive")
metrics = Metrics(namespace="Naive", service="naive")
tracer = Tracer(service="naive")
app = APIGatewayRestResolver(enable_validation=True)
batch = BatchProcessor(event_type=EventType.SQS)
database = boto3.client("dynamodb")
keys = DynamoDBPersistenceLayer(table_name="naive")
idempotency = IdempotencyConfig(event_key_jmespath="body")
parser = event_parser


class Message(BaseModel):
    """One message."""

    role: str
    content: str = Field(min_length=1, max_length=100_000)


class Parameters(BaseModel):
    """What the model is asked for."""

    temperature: float = Field(default=0.2, ge=0, le=2)
    max_output_tokens: int = Field(default=500, ge=1)


class Webhook(BaseModel):
    """Where the answer goes."""

    url: str
    events: list[str] = Field(default_factory=list)


class Job(BaseModel):
    """A request."""

    task: str
    messages: list[Message]
    parameters: Parameters = Field(default_factory=Parameters)
    webhook: Webhook | None = None
    metadata: dict[str, str] = Field(default_factory=dict)


class Answer(BaseModel):
    """A reply."""

    id: str
    status: str
    job: Job


@app.post("/jobs")
def submit(job: Job) -> Answer:
    """Take a job."""
    return Answer(id="1", status="queued", job=job)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one call."""
    return app.resolve(event, context)
