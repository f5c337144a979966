"""The rows of Bedrock's batches in the table of AWS services (`aws_cases`)."""

import json
from typing import Any

from tests.fakes.aws import Reply
from tests.unit.aws_case import DENIED, DOWN, GONE, NAME, Case, make_call

ROLE = "arn:aws:iam::123456789012:role/batches"
BATCH_JOB = "arn:aws:bedrock:us-east-1:123456789012:model-invocation-job/abcdefghij12"
FOLDER = f"services/job_1/{NAME}"
BATCH_ID = {"job": BATCH_JOB, "bucket": "payloads", "output": f"{FOLDER}/abcdefghij12/input.jsonl.out"}
BATCH_STARTED = Reply({"jobArn": BATCH_JOB}, 200)
BATCH_ERRORS = {"AccessDeniedException": GONE, "ResourceNotFoundException": GONE, "ConflictException": DOWN}
BATCH_GONE = {"ResourceNotFoundException": DOWN, "NoSuchKey": DOWN, "InvalidObjectState": DENIED}
EMBEDS = make_call("embed", {"text": ["a", "b"]}, "amazon.titan-embed-text-v2:0", options={"role": ROLE})
CHATS = make_call("chat", {"text": "Hello?"}, "amazon.nova-lite-v1:0", options={"role": ROLE, "hours": 48})


def batch_is(status: str) -> Reply:
    places = {"s3Uri": f"s3://payloads/{FOLDER}/"}
    return Reply(
        {
            "jobArn": BATCH_JOB,
            "modelId": "amazon.titan-embed-text-v2:0",
            "roleArn": ROLE,
            "submitTime": "2026-11-24T10:00:00Z",
            "inputDataConfig": {"s3InputDataConfig": places},
            "outputDataConfig": {"s3OutputDataConfig": places},
            "status": status,
        }
    )


def batch_gave(*lines: Any) -> Reply:
    return Reply("".join(f"{json.dumps(line)}\n" for line in lines).encode())


def embedded(record: int, vector: list[float]) -> Any:
    return {
        "recordId": f"{record:011}",
        "modelInput": {},
        "modelOutput": {"embedding": vector, "inputTextTokenCount": 2},
    }


CONVERSED = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Grüße 🎉"}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 7, "outputTokens": 3, "totalTokens": 10},
}

BATCHES = {
    "embed begun": Case(
        "bedrock_batch",
        EMBEDS,
        ("CreateModelInvocationJob",),
        (BATCH_STARTED,),
        started=BATCH_ID,
        asked=(
            {
                "jobName": NAME,
                "clientRequestToken": NAME,
                "modelId": "amazon.titan-embed-text-v2:0",
                "modelInvocationType": "InvokeModel",
                "roleArn": ROLE,
                "inputDataConfig": {
                    "s3InputDataConfig": {"s3Uri": f"s3://payloads/{FOLDER}/input.jsonl", "s3InputFormat": "JSONL"}
                },
                "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": f"s3://payloads/{FOLDER}/"}},
                "timeoutDurationInHours": 24,
            },
        ),
        errors=BATCH_ERRORS,
    ),
    "embed goes on": Case(
        "bedrock_batch",
        EMBEDS,
        ("GetModelInvocationJob",),
        (batch_is("InProgress"),),
        started=BATCH_ID,
        asked=({"jobIdentifier": BATCH_JOB},),
        errors=BATCH_GONE,
        operation_id=BATCH_ID,
    ),
    "embed done": Case(
        "bedrock_batch",
        EMBEDS,
        ("GetModelInvocationJob", "GetObject"),
        (batch_is("Completed"), batch_gave(embedded(1, [0.5, 1]), embedded(0, [0.25, -1e-07]))),
        {"embeddings": [[0.25, -1e-07], [0.5, 1]]},
        {},
        ({"jobIdentifier": BATCH_JOB}, {"Bucket": "payloads", "Key": BATCH_ID["output"]}),
        BATCH_GONE,
        operation_id=BATCH_ID,
    ),
    "chat begun": Case(
        "bedrock_batch",
        CHATS,
        ("CreateModelInvocationJob",),
        (BATCH_STARTED,),
        started=BATCH_ID,
        asked=({"modelInvocationType": "Converse", "timeoutDurationInHours": 48},),
        errors=BATCH_ERRORS,
    ),
    "chat done": Case(
        "bedrock_batch",
        CHATS,
        ("GetModelInvocationJob", "GetObject"),
        (batch_is("Completed"), batch_gave({"recordId": f"{0:011}", "modelInput": {}, "modelOutput": CONVERSED})),
        {"text": "Grüße 🎉", "finish_reason": "stop"},
        {},
        errors=BATCH_GONE,
        operation_id=BATCH_ID,
    ),
}
