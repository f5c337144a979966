"""Google Gemini's generateContent and batchEmbedContents.

Source: the API reference of the Gemini API (v1beta), "Structured output", "Function calling", "Thought signatures". It
takes no OpenAI forms, so messages and tools are rewritten both ways.

JSON to a schema comes by its own schema mode where the schema keeps to the words that it knows and the request has no
tools, which older models do not take together; else by instruction. A call's thought signature travels as in Google's
own OpenAI format: `tool_calls[].extra_content.google.thought_signature`. Options of a model: `safety_settings`, as the
API takes them; for embeddings `task_type` and `dimensions`; for pictures those of `images`; and those of
`wire.abilities`. The service takes no name of a caller.
"""

import re
from typing import Any

from broker.packed_numbers import Vectors
from broker.providers.gemini.format import answered, cached, facts, post, tokens
from broker.providers.wire import chat as chats
from broker.providers.wire import exchange, reasoning
from broker.providers.wire.abilities import cannot
from broker.providers.wire.base import Answer, Blob, Call
from broker.providers.wire.dialects import GEMINI
from broker.providers.wire.embeddings import is_vector
from broker.providers.wire.exchange import Json, bad, field
from broker.providers.wire.history import History, Result, Spoken, prepare
from broker.providers.wire.http_client import ProviderReply
from broker.providers.wire.language import LANGUAGE, perform
from broker.providers.wire.own_fields import beside
from broker.providers.wire.picture_parts import encoded
from broker.providers.wire.several_requests import in_batches
from broker.providers.wire.tools import NAMED

MOST_TEXTS = 100

PARAMETERS = {
    "max_output_tokens": "maxOutputTokens",
    "temperature": "temperature",
    "top_p": "topP",
    "stop": "stopSequences",
    "seed": "seed",
}
LEVELS = ("low", "high")
"""That all models with levels know."""

LEAST_BUDGET = 512

MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY", NAMED: "ANY"}

ROLES = {"user": "user", "assistant": "model"}

UNSIGNED = "skip_thought_signature_validator"
"""In place of a signature, for calls that another model made (Gemini API, "Thought signatures"): without any, models
from Gemini 3 on refuse the history."""
_SIGNATURE = re.compile("[A-Za-z0-9+/_=-]+")

FINISHES = {"MAX_TOKENS": "length"}
"""Why a model stopped, in the broker's words; all others are `stop`."""
SCHEMA_WORDS = frozenset(
    {
        *("$id", "$defs", "$ref", "$anchor", "type", "format", "title", "description", "enum", "items", "prefixItems"),
        *("minItems", "maxItems", "minimum", "maximum", "anyOf", "oneOf", "properties", "additionalProperties"),
        "required",
    }
)
"""Of JSON Schema, what `responseJsonSchema` takes."""
_INNER = {"properties": dict, "$defs": dict, "anyOf": list, "oneOf": list, "prefixItems": list}
_DEEPEST = 20


class Gemini:
    """Google's models, at `Call.endpoint` (which ends in `/v1beta`) or at Google's own platform."""

    tasks = frozenset({"chat", "embed", "generate_image", *LANGUAGE})

    def invoke(self, call: Call) -> Answer:
        """Make the call; see `Provider`."""
        return perform(call, {"chat": _chat, "embed": _embed, "generate_image": _generate_image})


def _chat(call: Call) -> Answer:
    history = prepare(call, GEMINI)
    reply = post(call, "generateContent", _request(call, history), call.timeout)
    reason, shown, thoughts = answered(reply)
    answer = chats.answer(
        call,
        text="".join(str(part.get("text") or "") for part in shown),
        tool_calls=history.toolbox.named([_called(part) for part in shown if "functionCall" in part], call),
        finish=FINISHES.get(reason, "stop"),
        tokens=tokens(reply),
        facts=facts(reply),
        thinking=reasoning.Thinking(
            [reasoning.thought(str(part.get("text") or "")) for part in thoughts],
            exchange.counted(field(reply.body, "usageMetadata", "thoughtsTokenCount")),
        ),
        cached=cached(reply),
    )
    return history.toolbox.restored(answer)


def _generate_image(call: Call) -> Answer:
    from broker.providers.gemini.images import generate_image

    return generate_image(call)


def _request(call: Call, history: History) -> Json:
    config = chats.parameters(call, PARAMETERS) | _thinking(call)
    tools, choice = history.toolbox.tools, history.toolbox.choice
    natively = call.output_schema is not None and not tools and fits(call.output_schema)
    if call.output_schema is not None and not tools:
        config["responseMimeType"] = "application/json"
        config |= {"responseJsonSchema": call.output_schema} if natively else {}
    said = chats.instruction(call, natively=natively)
    signed = not cannot(call.options, "thought_signatures")
    asked: Json = {"contents": [_content(each, signed) for each in history.turns]}
    if system := [*history.system, *([said] if said else [])]:
        asked["systemInstruction"] = {"parts": [{"text": each} for each in system]}
    if config := beside(config, call.extra):
        asked["generationConfig"] = config
    if tools:
        declared = [each.function("parametersJsonSchema") for each in tools]
        asked["tools"] = [{"functionDeclarations": declared}]
        if choice:
            word, name = choice
            calling = {"mode": MODES[word]} | ({"allowedFunctionNames": [name]} if name else {})
            asked["toolConfig"] = {"functionCallingConfig": calling}
    if "safety_settings" in call.options:
        asked["safetySettings"] = call.options["safety_settings"]
    return asked


def _thinking(call: Call) -> Json:
    """Its thinking is measured in tokens; from Gemini 3 on (`reasoning: "level"`), in words."""
    asked = reasoning.wanted(call)
    if asked is None:
        return {}
    told: Json = {"includeThoughts": True} if asked.summary and not asked.is_off else {}
    if call.options.get("reasoning") == "level":
        effort = reasoning.effort_of(call, asked, LEVELS)
        return {"thinkingConfig": told | ({"thinkingLevel": effort} if effort else {})}
    if asked.is_off:
        return {"thinkingConfig": {"thinkingBudget": 0}}
    if asked.effort is None and asked.budget is None:
        return {"thinkingConfig": told}
    return {"thinkingConfig": told | {"thinkingBudget": reasoning.budget_of(call, asked, LEAST_BUDGET)}}


def fits(schema: Any, depth: int = 0) -> bool:
    """True for a schema that keeps to the words which the service takes."""
    if isinstance(schema, bool):
        return True
    if not isinstance(schema, dict) or depth > _DEEPEST or not schema.keys() <= SCHEMA_WORDS:
        return False
    inner = [schema[name] for name in ("items", "additionalProperties") if name in schema]
    for name, kind in _INNER.items():
        found = schema.get(name, kind())
        inner += found.values() if isinstance(found, dict) else found
    return all(fits(each, depth + 1) for each in inner)


def _content(turn: Spoken, signed: bool) -> Json:
    """A turn; the first of a turn's calls has to be signed, and one that another model made has no signature."""
    found = [_result(each) for each in turn.results] + [_part(each) for each in turn.parts]
    for place, use in enumerate(turn.uses):
        part: Json = {"functionCall": {"id": use.id, "name": use.name, "args": use.arguments}}
        signature = use.signature if _SIGNATURE.fullmatch(use.signature or "") else None
        if signed and (signature or place == 0):
            part["thoughtSignature"] = signature or UNSIGNED
        found.append(part)
    return {"role": ROLES[turn.role], "parts": found}


def _part(part: Any) -> Json:
    if isinstance(part, Blob):
        return {"inlineData": {"mimeType": part.media_type, "data": encoded(part)}}
    return {"text": part}


def _result(result: Result) -> Json:
    said = "\n".join(str(part) for part in result.parts)
    return {"functionResponse": {"id": result.id, "name": result.name, "response": {"output": said}}}


def _called(part: Json) -> Json:
    made = part["functionCall"]
    call = {"id": field(made, "id"), "name": field(made, "name"), "arguments": field(made, "args")}
    if signature := part.get("thoughtSignature"):
        call["extra_content"] = {"google": {"thought_signature": str(signature)}}
    return call


def _embed(call: Call) -> Answer:
    """Embed, at most 100 texts in one request."""
    texts = exchange.texts(call)
    options = {"taskType": call.options.get("task_type"), "outputDimensionality": call.options.get("dimensions")}
    more = {name: value for name, value in options.items() if value is not None}
    vectors = Vectors()
    count = 0

    def ask(some: list[str], left: float) -> tuple[list[str], ProviderReply]:
        one = {"model": f"models/{call.model}", **more}
        asked = {"requests": [{**one, "content": {"parts": [{"text": text}]}} for text in some]}
        return some, post(call, "batchEmbedContents", asked, left)

    for some, reply in in_batches(texts, MOST_TEXTS, call.timeout, ask):
        rows = field(reply.body, "embeddings")
        found = [field(row, "values") for row in rows] if isinstance(rows, list) else []
        if len(found) != len(some) or not all(map(is_vector, found)):
            bad("The provider's reply is not one vector of numbers for each text.")
        vectors.add(found)
        reported = exchange.counted(field(reply.body, "usageMetadata", "promptTokenCount"))
        count += reported or exchange.used(None, "".join(some))
    return Answer({"embeddings": vectors}, input_tokens=count)
