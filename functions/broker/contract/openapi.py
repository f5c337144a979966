"""The OpenAPI document, from the table of routes and the models of the contract.

A route without an entry in `OPERATIONS` has no document, and a test says so.
"""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from broker.contract.admin_operations import ADMIN_OPERATIONS
from broker.contract.anthropic import AnthropicError
from broker.contract.batches import Batch
from broker.contract.common import Plain
from broker.contract.errors import Error
from broker.contract.openai import Response
from broker.contract.operation import LIMITED, LIMITED_ANTHROPIC, LIMITED_OPENAI, Json, Operation, parameter
from broker.contract.operations import OPERATIONS
from broker.contract.problems import Problem
from broker.contract.public_operations import PUBLIC_OPERATIONS
from broker.contract.replies import Job
from broker.contract.statuses import (
    CODES,
    EITHER,
    ERRORS,
    EVERYWHERE,
    HEADERS,
    IDS,
    OWN,
    PUBLIC_EVERYWHERE,
    SIGNED_EVERYWHERE,
    WITH_RETRY_AFTER,
)
from broker.rest.admin import ADMIN_ROUTES
from broker.rest.api import ROUTES
from broker.rest.published import PUBLIC_ROUTES
from broker.rest.representing import PROBLEM
from broker.tenants.limits import BODY_BYTES

EXAMPLES: dict[str, Json] = json.loads(Path(__file__).with_name("examples.json").read_text())
"""By method and path: a body that was sent (`body`), what was answered (`replies`, by status), and the codes of errors
that were met (`codes`, by status). `python -m tests.contract.openapi_examples` writes them of the tests' calls."""

GOES_ON: tuple[type[BaseModel], ...] = (Job, Batch, Response)
"""What may go on after the reply, which then says when to look again."""

IF_NONE_MATCH = parameter(
    "header",
    "If-None-Match",
    "The `ETag` of a reply to the same call by the same caller: where nothing is new, the reply is `304`.",
    {"type": "string"},
)

ABOUT = (
    "Submit work, poll for answers. A path that is read with a credential has `HEAD` too, and every path `OPTIONS`; "
    "another method is a `405` that names those there are. A call that clients' packages know and that is not "
    "answered is a `400` (`unsupported_call`) that says what there is instead. Errors are problem details (RFC 9457) "
    "for who accepts `application/problem+json`, but for those of the gateway itself."
)


def openapi() -> Json:
    """The document.

    Raises:
        KeyError: a route has no entry in `OPERATIONS` or `ADMIN_OPERATIONS`.
    """
    operations = {
        route: _operation(route, OPERATIONS[route], answer.__name__, {"bearer": [scope]}, EVERYWHERE)
        for route, (scope, answer) in ROUTES.items()
    } | {
        route: _operation(route, ADMIN_OPERATIONS[route], answer.__name__, {"sigv4": []}, SIGNED_EVERYWHERE)
        for route, answer in ADMIN_ROUTES.items()
    }
    operations |= {
        route: _operation(route, PUBLIC_OPERATIONS[route], name, None, PUBLIC_EVERYWHERE)
        for route, name in PUBLIC_ROUTES.items()
    }
    paths: dict[str, Json] = {}
    for (method, path), operation in operations.items():
        paths.setdefault(path, {})[method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Inference Broker",
            "version": "1",
            "description": ABOUT,
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
            {"name": "mcp", "description": "The same work, as tools of the Model Context Protocol."},
            {"name": "about", "description": "What describes the API."},
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


def _operation(
    route: tuple[str, str], known: Operation, name: str, security: Json | None, everywhere: tuple[int, ...]
) -> Json:
    shown = EXAMPLES.get(" ".join(route), {})
    replies, parameters = dict(known.replies), list(known.parameters)
    if _is_tagged(route, known):
        replies[304] = None
        parameters.append(IF_NONE_MATCH)
    found: Json = {
        "operationId": name,
        "summary": known.summary,
        "tags": [known.tag],
        "security": _security(known, security),
        "responses": {str(status): _own(status, model, route, known) for status, model in sorted(replies.items())},
    }
    either = known.by_either_header
    for status in sorted({*known.errors, *everywhere} | ({529} if either else set())):
        found["responses"][str(status)] = {"$ref": f"#/components/responses/{EITHER if either else ''}{status}"}
    met = shown.get("codes", {})
    found["x-error-codes"] = {
        status: sorted({*met.get(status, ()), *CODES.get(int(status), ())} | _more(status, known, everywhere))
        for status in found["responses"]
        if status >= "4"
    }
    if parameters:
        found["parameters"] = parameters
    if known.body or known.form:
        form = _content(known.form, kind="multipart/form-data") if known.form else {}
        example = {"example": shown["body"]} if "body" in shown else {}
        content = (_content(known.body, **example) if known.body else {}) | form
        found["requestBody"] = {"required": not known.body_is_optional, "content": content}
    return found


def _security(known: Operation, needed: Json | None) -> list[Json]:
    if needed is None:
        return []
    return [needed, *({"key": each} for each in needed.values() if known.by_either_header)]


def _more(status: str, known: Operation, everywhere: tuple[int, ...]) -> set[str]:
    """Codes of what API Gateway or the caller's limits refuse on some routes."""
    limited = status == "413" and {*LIMITED} <= {*known.headers}
    unsigned = status == "404" and (404 in everywhere or known.tag == "about")
    return {"unknown_route"} if unsigned else {BODY_BYTES} if limited else set()


def _is_tagged(route: tuple[str, str], known: Operation) -> bool:
    """Whether the reply has a tag of what it shows, so that who has it need not be sent it again; bytes have none."""
    return route[0] == "GET" and 200 in known.replies and 307 not in known.replies


def _own(status: int, model: type[BaseModel] | None, route: tuple[str, str], known: Operation) -> Json:
    told = ["X-Should-Retry"] if status >= 400 else []
    if status in (200, 304) and _is_tagged(route, known):
        told += ["ETag", *(["Link"] if _is_page(known) else [])]
    if (known.replies[200] if status == 304 else model) in GOES_ON:
        told.append("Retry-After")
    headers = _headers(*dict.fromkeys([*known.headers, *told, *IDS]))
    found: Json = {"description": OWN[status], "headers": headers}
    if model is None:
        return found | ({"content": known.content} if known.content and status == 200 else {})
    replies = EXAMPLES.get(" ".join(route), {}).get("replies", {})
    example = {"example": replies[str(status)]} if str(status) in replies else {}
    stream: Json = {"text/event-stream": {"schema": {"type": "string"}}} if known.streams else {}
    models = [each for each in (model, known.in_dialect) if each]
    return found | {"content": _content(*models, **example) | stream | (known.content or {})}


def _is_page(known: Operation) -> bool:
    """Whether there may be a next page; of lists that two dialects ask for, one of them may have it."""
    model = known.replies[200]
    marks = {"next_cursor", "has_more"}
    return known.by_either_header or (model is not None and not marks.isdisjoint(model.model_fields))


def _error(status: int, *other: type[BaseModel]) -> Json:
    named = ("Retry-After", "Retry-After-Ms") if status in WITH_RETRY_AFTER else ()
    limits = (*LIMITED, *LIMITED_OPENAI, *LIMITED_ANTHROPIC) if status == 429 else ()
    headers = _headers(*named, *limits, "X-Should-Retry", *IDS)
    content = _content(Error, *other) | _content(Problem, kind=PROBLEM)
    return {"description": ERRORS[status], "headers": headers, "content": content}


def _headers(*names: str) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _content(*models: type[BaseModel], kind: str = "application/json", **more: Any) -> Json:
    """What comes is of one of these models."""
    schemas: list[Json] = [{"$ref": f"#/components/schemas/{model.__name__}"} for model in models]
    return {kind: {"schema": schemas[0] if len(schemas) == 1 else {"anyOf": schemas}, **more}}


def _schemas() -> Json:
    models: set[type[BaseModel]] = {Error, Problem, AnthropicError}
    for known in (*OPERATIONS.values(), *ADMIN_OPERATIONS.values()):
        models |= {model for model in (known.body, known.form, known.in_dialect, *known.replies.values()) if model}
    _, document = models_json_schema(
        [(model, "validation") for model in sorted(models, key=lambda model: model.__name__)],
        ref_template="#/components/schemas/{model}",
        schema_generator=Plain,
    )
    schemas: Json = document["$defs"]
    return schemas
