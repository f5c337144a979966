"""Gemini's generateContent, batchEmbedContents and error bodies."""

import json

from local.model_server.brain.vectors import DIMENSIONS, embed
from local.model_server.exchange import (
    STATUS,
    Answer,
    Ask,
    ForcedTool,
    Json,
    Kind,
    Problem,
    Request,
    SpokenTurn,
    items,
    limit,
    mapping,
    pick_tool,
    text_of,
)
from local.model_server.misbehaviour import allow
from local.model_server.rules import gemini as rules

_ERRORS: dict[Kind, tuple[str, str]] = {
    "invalid": ("INVALID_ARGUMENT", "Request contains an invalid argument."),
    "context": (
        "INVALID_ARGUMENT",
        "The input token count (1048577) exceeds the maximum number of tokens allowed (1048576).",
    ),
    "credentials": ("UNAUTHENTICATED", "Request had invalid authentication credentials."),
    "forbidden": ("PERMISSION_DENIED", "The caller does not have permission"),
    "not_found": (
        "NOT_FOUND",
        "models/{model} is not found for API version v1beta, or is not supported for generateContent.",
    ),
    "method": ("UNIMPLEMENTED", "Method not allowed."),
    "too_large": ("INVALID_ARGUMENT", "Request payload size exceeds the limit."),
    "throttled": ("RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."),
    "server": ("INTERNAL", "An internal error has occurred. Please retry."),
    "unavailable": ("UNAVAILABLE", "The model is overloaded. Please try again later."),
}
_MOST_TEXTS = 100
_FINISH = {"stop": "STOP", "length": "MAX_TOKENS", "refusal": "SAFETY"}
_HARMS = ("SEXUALLY_EXPLICIT", "HATE_SPEECH", "HARASSMENT", "DANGEROUS_CONTENT")


def error(problem: Problem, request_id: str) -> Json:
    """Give the body of an error reply; a 429 says in its details how long to wait."""
    kind, words = _ERRORS[problem.kind]
    message = problem.message or words.format(model=problem.model)
    body: Json = {"code": STATUS[problem.kind], "message": message, "status": kind}
    if problem.retry_after is not None:
        delay = f"{problem.retry_after:g}s"
        body["details"] = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}]
    return {"error": body}


def headers(problem: Problem | None, request_id: str) -> dict[str, str]:
    """Add nothing: Gemini has no request id in its headers."""
    return {}


def read(request: Request) -> Ask:
    """Read a request; fields may be in camel case or, as the service allows, in snake case."""
    body = request.body
    contents = items(body.get("contents"), "contents")
    if not contents:
        raise Problem("invalid", "* GenerateContentRequest.contents: contents is not specified\n")
    rules.check(body, request.model)
    config = mapping(_field(body, "generationConfig"), "generation_config")
    turns = [
        SpokenTurn(
            "assistant" if entry.get("role") == "model" else "user", text_of(entry.get("parts"), "contents.parts")
        )
        for entry in contents
    ]
    system = mapping(_field(body, "systemInstruction"), "system_instruction")
    if words := text_of(system.get("parts"), "system_instruction.parts"):
        turns.insert(0, SpokenTurn("system", words))
    schema = None
    if _field(config, "responseMimeType") == "application/json":
        schema = mapping(_field(config, "responseJsonSchema") or _field(config, "responseSchema"), "response_schema")
    maximum = limit(_field(config, "maxOutputTokens"), "max_output_tokens")
    return Ask(tuple(turns), schema, _tool(body), maximum)


def _field(body: Json, name: str) -> object:
    snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
    return body.get(name, body.get(snake))


def _tool(body: Json) -> ForcedTool | None:
    settings = mapping(_field(body, "toolConfig"), "tool_config")
    calling = mapping(_field(settings, "functionCallingConfig"), "function_calling_config")
    if calling.get("mode") != "ANY":
        return None
    allowed = _field(calling, "allowedFunctionNames")
    name = allowed[0] if isinstance(allowed, list) and allowed else None
    tools = [
        ForcedTool(str(entry.get("name")), mapping(schema, "tools"), name is not None)
        for group in items(body.get("tools"), "tools")
        for entry in items(_field(group, "functionDeclarations"), "tools")
        for schema in [_field(entry, "parametersJsonSchema") or _field(entry, "parameters")]
    ]
    return pick_tool(tools, name, "tool_config")


def write(request: Request, ask: Ask, answer: Answer) -> Json:
    """Write a reply; a refusal has no content, a call that was cut off has no parts."""
    parts: list[Json] = [{"text": answer.text}] if answer.text else []
    if ask.tool and answer.text:
        whole = answer.finish == "stop"
        parts = [{"functionCall": {"name": ask.tool.name, "args": json.loads(answer.text)}}] if whole else []
    candidate: Json = {"content": {"parts": parts, "role": "model"} if parts else {"role": "model"}}
    if answer.finish == "refusal":
        candidate = {"safetyRatings": [_rated(harm, harm == "DANGEROUS_CONTENT") for harm in _HARMS]}
    used: Json = {
        "promptTokenCount": answer.input_tokens,
        "totalTokenCount": answer.input_tokens + answer.output_tokens,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": answer.input_tokens}],
    }
    if answer.output_tokens:
        used["candidatesTokenCount"] = answer.output_tokens
    return {
        "candidates": [candidate | {"finishReason": _FINISH[answer.finish], "index": 0}],
        "usageMetadata": used,
        "modelVersion": request.model,
        "responseId": request.seed[:22],
    }


def embeddings(request: Request) -> Json:
    """Embed each request's text; the service's limit of 100 is kept."""
    allow(request.orders)
    asked = items(request.body.get("requests"), "requests")
    if not 1 <= len(asked) <= _MOST_TEXTS:
        raise Problem("invalid", f"* BatchEmbedContentsRequest.requests: 1 to {_MOST_TEXTS} are allowed in one batch\n")
    return {"embeddings": [{"values": _embedded(each)} for each in asked]}


def _embedded(asked: Json) -> list[float]:
    text = text_of(mapping(asked.get("content"), "content").get("parts"), "content.parts")
    if not text or not str(asked.get("model", "")).startswith("models/"):
        raise Problem("invalid", "* BatchEmbedContentsRequest.requests: a model and a content are needed\n")
    return embed(text, limit(_field(asked, "outputDimensionality"), "output_dimensionality") or DIMENSIONS)


def _rated(harm: str, blocked: bool) -> Json:
    rating: Json = {"category": f"HARM_CATEGORY_{harm}", "probability": "HIGH" if blocked else "NEGLIGIBLE"}
    return rating | {"blocked": True} if blocked else rating
