"""Cohere's chat, embed and error bodies, in the second version of its API."""

from dataclasses import replace

from local.model_server.brain.vectors import embed
from local.model_server.exchange import Answer, Ask, Json, Kind, Problem, Request, limit, tokens
from local.model_server.formats import openai
from local.model_server.misbehaviour import allow
from local.model_server.rules import cohere as rules

DIMENSIONS = 1024

_FINISH = {"stop": "COMPLETE", "length": "MAX_TOKENS", "refusal": "ERROR_TOXIC"}
_ERRORS: dict[Kind, str] = {
    "context": "too many tokens: size limit exceeded by 168512 tokens. The limit for this model is 132000 tokens.",
    "credentials": "Incorrect API key provided: ***-123.",
    "not_found": "model '{model}' was removed on September 15, 2025. See https://docs.cohere.com/docs/models#command "
    "for a list of models you can use instead.",
    "throttled": "You are past the per minute request limit, please wait and try again later.",
    "server": "internal server error",
}


def error(problem: Problem, request_id: str) -> Json:
    """Give the body of an error reply."""
    words = _ERRORS.get(problem.kind, "invalid request").format(model=problem.model)
    return {"id": request_id, "message": problem.message or words}


def headers(problem: Problem | None, request_id: str) -> dict[str, str]:
    """Add the id by which Cohere finds a call."""
    return {"x-debug-trace-id": request_id}


def read(request: Request) -> Ask:
    """Read a chat: turns and tools are as OpenAI has them; one tool of several cannot be named."""
    body: Json = {name: request.body[name] for name in ("messages", "tools") if name in request.body}
    body["tool_choice"] = str(request.body.get("tool_choice", "auto")).lower()
    ask = openai.asked(replace(request, body=body))
    rules.check(request.body)
    wanted = request.body.get("response_format") or {}
    return replace(
        ask,
        schema=wanted.get("json_schema"),
        max_tokens=limit(request.body.get("max_tokens"), "max_tokens"),
    )


def write(request: Request, ask: Ask, answer: Answer) -> Json:
    """Write the reply to a chat."""
    used = {"input_tokens": answer.input_tokens, "output_tokens": answer.output_tokens}
    message: Json = {"role": "assistant", "content": [{"type": "text", "text": answer.text}]}
    finish = _FINISH[answer.finish]
    if ask.tool and answer.text:
        function = {"name": ask.tool.name, "arguments": answer.text}
        message = {
            "role": "assistant",
            "tool_calls": [{"id": f"tool_{request.seed[:12]}", "type": "function", "function": function}],
        }
        finish = "TOOL_CALL" if answer.finish == "stop" else finish
    return {
        "id": request.seed[:32],
        "finish_reason": finish,
        "message": message,
        "usage": {"billed_units": used, "tokens": used},
    }


def embeddings(request: Request) -> Json:
    """Embed up to 96 texts."""
    allow(request.orders)
    texts = request.body.get("texts")
    if not isinstance(texts, list) or not 1 <= len(texts) <= 96 or not all(isinstance(each, str) for each in texts):
        raise Problem("invalid", "texts: from 1 to 96 are allowed")
    vectors = [embed(text, request.body.get("output_dimension", DIMENSIONS)) for text in texts]
    used = sum(tokens(len(text)) for text in texts)
    return {
        "id": request.seed[:32],
        "embeddings": {"float": vectors},
        "meta": {"billed_units": {"input_tokens": used}},
        "response_type": "embeddings_by_type",
    }
