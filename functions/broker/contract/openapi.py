"""The OpenAPI document, from the table of routes and the models of the contract.

A route without an entry in `OPERATIONS` has no document, and a test says so.
"""

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from broker.contract.admin_operations import ADMIN_OPERATIONS
from broker.contract.anthropic import AnthropicError
from broker.contract.common import Plain
from broker.contract.operation import LIMITED, LIMITED_OPENAI, Json, Operation
from broker.contract.operations import OPERATIONS
from broker.contract.replies import Error
from broker.json_text import MAX_BODY_BYTES
from broker.rest.admin import ADMIN_ROUTES
from broker.rest.api import ROUTES

ERRORS = {
    400: "A field, parameter or body is at fault; `param` names it.",
    401: "The credential is missing, unknown or expired.",
    402: "The tenant's budget, or the request's own limit, does not cover the worst case of the work.",
    403: "The credential lacks the scope, or the tenant may not use what the request names.",
    404: "There is no such thing, or it belongs to another tenant.",
    409: "The state of things forbids it now: the first request with this key is being accepted, the job has ended, or "
    "the entry was changed meanwhile.",
    413: f"The body has more than {MAX_BODY_BYTES:,} bytes.",
    422: "The Idempotency-Key was used with another body; or, of a job that was waited for, no model took the request.",
    429: "Too many requests: of all, or of the caller's limits, which `limit` then tells.",
    500: "Something went wrong on the broker's side.",
    502: "A job that was waited for failed: its models gave no answer that is one, or would not let the broker ask.",
    504: "The answer is not there yet, and goes on under the id that the error names; or the job's own time was over.",
    503: "The broker is busy, or a store of its cannot be read right now: come again. Or a guardrail policy that is to "
    "hold is missing.",
    529: "The same, as Anthropic's clients are told it.",
}
EVERYWHERE = (401, 403, 429, 500, 503)
SIGNED_EVERYWHERE = (403, 404, 429, 500, 503)
"""API Gateway answers 404 to a call of the operators' routes that is not signed."""
WITH_RETRY_AFTER = (409, 429, 503, 529)
EITHER = "either_"
"""What begins the names of errors that are told in one of two forms: Anthropic's to who speaks its dialect."""
IDS = ("Request-Id", "X-Request-Id")
"""Headers of every reply."""

HEADERS: dict[str, Json] = {
    "ETag": {"description": "The version, quoted; for `If-Match`.", "schema": {"type": "string"}},
    "Location": {
        "description": "The job or batch, as the caller reaches the API; or where a file's bytes are.",
        "schema": {"type": "string", "format": "uri"},
    },
    "Preference-Applied": {"description": "The `Prefer` that was followed.", "schema": {"type": "string"}},
    "Idempotent-Replayed": {
        "description": "`true` where the job was there already.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "RateLimit-Policy": {
        "description": "The caller's limits, by the IETF's draft: `q` in `w` seconds. Only where there are any.",
        "schema": {"type": "string"},
    },
    "RateLimit": {
        "description": "How they stand: `r` are left, and in `t` seconds all of it is back.",
        "schema": {"type": "string"},
    },
    **{
        name: {"description": "The same, as OpenAI's clients read it.", "schema": {"type": "string"}}
        for name in LIMITED_OPENAI
    },
    "Retry-After": {
        "description": "Seconds to wait before a repeat makes sense.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "Retry-After-Ms": {
        "description": "The same in milliseconds, which clients prefer that know it.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "X-Request-Id": {"description": "The request's id, for support.", "schema": {"type": "string"}},
    "Request-Id": {"description": "The same, where Anthropic's clients look for it.", "schema": {"type": "string"}},
    "X-Should-Retry": {
        "description": "Whether a client that repeats by itself is to.",
        "schema": {"type": "string", "enum": ["true", "false"]},
    },
}


OWN = {
    200: "Done.",
    201: "Kept.",
    202: "Taken; it goes on in the background.",
    204: "Done; there is nothing to show.",
    307: "The bytes are at `Location` for a quarter of an hour, to be read there without the credential of this call.",
    410: "The job's answer was erased, or kept no longer than its `ttl_seconds`; all else that is known of the job.",
}
"""Replies that a route describes itself, by status."""


def openapi() -> Json:
    """The document.

    Raises:
        KeyError: a route has no entry in `OPERATIONS` or `ADMIN_OPERATIONS`.
    """
    operations = {
        route: _operation(OPERATIONS[route], answer.__name__, {"bearer": [scope]}, EVERYWHERE)
        for route, (scope, answer) in ROUTES.items()
    } | {
        route: _operation(ADMIN_OPERATIONS[route], answer.__name__, {"sigv4": []}, SIGNED_EVERYWHERE)
        for route, answer in ADMIN_ROUTES.items()
    }
    paths: dict[str, Json] = {}
    for (method, path), operation in operations.items():
        paths.setdefault(path, {})[method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Inference Broker",
            "version": "1",
            "description": "Submit work, poll for answers.",
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [
            {
                "url": "https://{api}.execute-api.{region}.amazonaws.com/v1",
                "description": "The stack's output `ApiUrl`.",
                "variables": {"api": {"default": "api-id"}, "region": {"default": "us-east-1"}},
            }
        ],
        "tags": [
            {"name": "jobs", "description": "Work and what came of it."},
            {"name": "batches", "description": "Rows of work as one."},
            {"name": "prompts", "description": "Stored prompts as endpoints of their own."},
            {"name": "conversations", "description": "Turns that are kept between jobs."},
            {"name": "guardrails", "description": "What is looked for in texts."},
            {"name": "webhooks", "description": "Where the tenant is told of what happened."},
            {"name": "files", "description": "What work is done on, and what it leaves."},
            {"name": "models", "description": "What can do the work."},
            {"name": "openai", "description": "The same work, as OpenAI's clients ask for it."},
            {"name": "anthropic", "description": "The same work, as Anthropic's clients ask for it."},
            {"name": "admin", "description": "What operators register, with its versions, and what they look at."},
        ],
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "responses": {str(status): _error(status) for status in ERRORS}
            | {f"{EITHER}{status}": _error(status, AnthropicError) for status in ERRORS},
            "headers": HEADERS,
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key, or a JWT of a registered issuer; each operation names its scope.",
                },
                "key": {
                    "type": "apiKey",
                    "name": "x-api-key",
                    "in": "header",
                    "description": "The same, as some of Anthropic's clients send it.",
                },
                "sigv4": {
                    "type": "apiKey",
                    "name": "Authorization",
                    "in": "header",
                    "description": "AWS Signature Version 4, with credentials that may call `execute-api:Invoke`.",
                    "x-amazon-apigateway-authtype": "awsSigv4",
                },
            },
        },
    }


def _operation(known: Operation, name: str, security: Json, everywhere: tuple[int, ...]) -> Json:
    found: Json = {
        "operationId": name,
        "summary": known.summary,
        "tags": [known.tag],
        "security": [security, *({"key": each} for each in security.values() if known.by_either_header)],
        "responses": {str(status): _own(status, model, known) for status, model in known.replies.items()},
    }
    either = known.by_either_header
    for status in sorted({*known.errors, *everywhere} | ({529} if either else set())):
        found["responses"][str(status)] = {"$ref": f"#/components/responses/{EITHER if either else ''}{status}"}
    if known.parameters:
        found["parameters"] = list(known.parameters)
    if known.body:
        form = _content(known.form, kind="multipart/form-data") if known.form else {}
        found["requestBody"] = {"required": not known.body_is_optional, "content": _content(known.body) | form}
    return found


def _own(status: int, model: type[BaseModel] | None, known: Operation) -> Json:
    told = ("X-Should-Retry",) if status >= 400 else ()
    found: Json = {"description": OWN[status], "headers": _headers(*known.headers, *told, *IDS)}
    stream: Json = {"text/event-stream": {"schema": {"type": "string"}}} if known.streams else {}
    return found | ({"content": _content(model) | stream} if model else {})


def _error(status: int, *other: type[BaseModel]) -> Json:
    named = ("Retry-After", "Retry-After-Ms") if status in WITH_RETRY_AFTER else ()
    limits = (*LIMITED, *LIMITED_OPENAI) if status == 429 else ()
    headers = _headers(*named, *limits, "X-Should-Retry", *IDS)
    return {"description": ERRORS[status], "headers": headers, "content": _content(Error, *other)}


def _headers(*names: str) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _content(*models: type[BaseModel], kind: str = "application/json") -> Json:
    """What comes is of one of these models."""
    schemas: list[Json] = [{"$ref": f"#/components/schemas/{model.__name__}"} for model in models]
    return {kind: {"schema": schemas[0] if len(schemas) == 1 else {"anyOf": schemas}}}


def _schemas() -> Json:
    models: set[type[BaseModel]] = {Error, AnthropicError}
    for known in (*OPERATIONS.values(), *ADMIN_OPERATIONS.values()):
        models |= {model for model in (known.body, known.form, *known.replies.values()) if model}
    _, document = models_json_schema(
        [(model, "validation") for model in sorted(models, key=lambda model: model.__name__)],
        ref_template="#/components/schemas/{model}",
        schema_generator=Plain,
    )
    schemas: Json = document["$defs"]
    return schemas
