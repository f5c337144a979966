"""Writes the published contract, the files of `schemas/`, from the models: `make schemas`.

No function loads this module. The same models give the same bytes, so a test can hold the files against them.
"""

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from broker.batches.asking.request import BatchRequest
from broker.contract.asyncapi import asyncapi
from broker.contract.batches import Batch
from broker.contract.common import Plain
from broker.contract.errors import Error
from broker.contract.event_schemas import DIALECT, event_documents, schema_registry
from broker.contract.events import any_event
from broker.contract.files import BatchLine, OpenAiBatchLine
from broker.contract.openapi import openapi
from broker.contract.replies import Job
from broker.contract.webhook_bodies import OpenaiWebhookBody, WebhookBody
from broker.jobs.request import JobRequest
from broker.registry.document import RegistryFile

VERSION = "1"
"""Of the contract; a change that breaks a reader makes it another."""


MODELS: dict[str, tuple[type[BaseModel], str, str]] = {
    "job-request": (
        JobRequest,
        "Job request",
        "One piece of work: the body of `POST /v1/jobs`, and the detail of `InferenceRequested`. One of "
        "`input.messages`, `input.text` and `prompt` is needed; embeddings need `input.text`.",
    ),
    "batch-request": (
        BatchRequest,
        "Batch request",
        "Rows of requests as one piece of work: the body of `POST /v1/batches`. One of `input_file_id`, `s3`, "
        "`requests` and `variables` is needed.",
    ),
    "batch": (Batch, "Batch", "A batch in its public form: the reply of `GET /v1/batches/{id}`."),
    "job": (Job, "Job", "A job in its public form: the reply of `GET /v1/jobs/{id}`."),
    "event": (any_event(), "Event", "Every event that the broker puts on its bus."),
    "batch-line": (
        BatchLine,
        "Batch line",
        "One line of `{key}.results.jsonl` in the outbox: what became of a line of the file in the inbox.",
    ),
    "openai-batch-line": (OpenAiBatchLine, "Batch line in OpenAI's form", str(OpenAiBatchLine.__doc__)),
    "webhook": (WebhookBody, "Webhook", str(WebhookBody.__doc__)),
    "openai-webhook": (OpenaiWebhookBody, "OpenAI webhook", str(OpenaiWebhookBody.__doc__)),
    "error": (Error, "Error", str(Error.__doc__)),
    "registry": (
        RegistryFile,
        "Registry file",
        "What `broker apply` reads: models, aliases, guardrails, routes, tenants, sources, issuers, prompts, labels, "
        "recipes.",
    ),
}
"""By file name: the model, a title and a description."""


def documents() -> dict[str, dict[str, Any]]:
    """The contract, by path below `schemas/`."""
    found = {f"{name}.json": _schema(name, *entry) for name, entry in MODELS.items()}
    of_events = {"asyncapi.json": asyncapi(), "events/registry.json": schema_registry()} | event_documents()
    return found | {"openapi.json": openapi()} | of_events


def _schema(name: str, model: type[BaseModel], title: str, description: str) -> dict[str, Any]:
    about = {
        "$schema": DIALECT,
        "$id": f"urn:inference-broker:{name}:{VERSION}",
        "title": title,
        "description": description,
    }
    return model.model_json_schema(schema_generator=Plain) | about


def text(document: dict[str, Any]) -> str:
    """The file's text: sorted keys, two spaces, a newline at the end."""
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def write(folder: Path) -> list[Path]:
    """Write all files, over what was there before; gives their paths."""
    paths = []
    for name, document in documents().items():
        paths.append(folder / name)
        paths[-1].parent.mkdir(parents=True, exist_ok=True)
        paths[-1].write_text(text(document), encoding="utf-8")
    return paths


if __name__ == "__main__":
    for path in write(Path(sys.argv[1])):
        print(path)
