"""Google Gemini's generateContent and batchEmbedContents.

Source: the API reference of the Gemini API (v1beta), "Structured output", "Function calling", "Thought signatures". It
takes no OpenAI forms, so messages and tools are rewritten both ways.

JSON to a schema comes by its own schema mode where the schema keeps to the words that it knows and the request has no
tools, which older models do not take together; else by instruction. A call's thought signature travels as in Google's
own OpenAI format: `tool_calls[].extra_content.google.thought_signature`. Options of a model: `safety_settings`, as the
API takes them; for embeddings `task_type` and `dimensions`; for pictures those of `images`.
"""

from typing import Any

from broker.errors import InvalidRequest
from broker.providers.gemini.format import answered, facts, post, tokens
from broker.providers.wire import chat as chats
from broker.providers.wire import exchange
from broker.providers.wire.base import Answer, Blob, Call
from broker.providers.wire.embedding_batches import in_batches
from broker.providers.wire.exchange import Json, bad, field
from broker.providers.wire.http import Reply
from broker.providers.wire.language import LANGUAGE, perform
from broker.providers.wire.media import encoded, parts
from broker.providers.wire.vectors import is_vector

MOST_TEXTS = 100

PARAMETERS = {
    "max_output_tokens": "maxOutputTokens",
    "temperature": "temperature",
    "top_p": "topP",
    "stop": "stopSequences",
    "seed": "seed",
}
MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY", chats.NAMED: "ANY"}

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
    reply = post(call, "generateContent", _request(call), call.timeout)
    reason, shown = answered(reply)
    return chats.answer(
        call,
        text="".join(str(part.get("text") or "") for part in shown),
        tool_calls=[_called(part) for part in shown if "functionCall" in part],
        finish=FINISHES.get(reason, "stop"),
        tokens=tokens(reply),
        facts=facts(reply),
    )


def _generate_image(call: Call) -> Answer:
    from broker.providers.gemini.images import generate_image

    return generate_image(call)


def _request(call: Call) -> Json:
    system, contents = _contents(call)
    config = chats.parameters(call, PARAMETERS)
    tools = chats.functions(call)
    told = call.output_schema is not None and not tools and fits(call.output_schema)
    if call.output_schema is not None and not tools:
        config["responseMimeType"] = "application/json"
        config |= {"responseJsonSchema": call.output_schema} if told else {}
    if said := chats.instruction(call, told=told):
        system.append({"text": said})
    asked: Json = {"contents": contents}
    if system:
        asked["systemInstruction"] = {"parts": system}
    if config:
        asked["generationConfig"] = config
    if tools:
        asked["tools"] = [{"functionDeclarations": [_declared(each) for each in tools]}]
        if choice := chats.choice(call):
            word, name = choice
            calling = {"mode": MODES[word]} | ({"allowedFunctionNames": [name]} if name else {})
            asked["toolConfig"] = {"functionCallingConfig": calling}
    if "safety_settings" in call.options:
        asked["safetySettings"] = call.options["safety_settings"]
    return asked


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


def _contents(call: Call) -> tuple[list[Json], list[Json]]:
    """System parts and turns; turns of one role that follow each other are one, and the user's is the first."""
    system: list[Json] = []
    turns: list[Json] = []
    names: dict[str, str] = {}
    for place, message in enumerate(chats.messages(call)):
        where = f"input.messages.{place}"
        given = parts(message.get("content"), call.media, where)
        if message["role"] in ("system", "developer"):
            system += [_part(each) for each in chats.only_texts(given, place)]
            continue
        found = [_part(each) for each in given]
        role = "model" if message["role"] == "assistant" else "user"
        if message["role"] == "tool":
            found = [_result(message, found, names, where)]
        for made, (identity, name, arguments) in zip(
            message.get("tool_calls") or [], chats.used_tools(message, place), strict=True
        ):
            names[identity] = name
            signature = field(made, "extra_content", "google", "thought_signature")
            part = {"functionCall": {"id": identity, "name": name, "args": arguments}}
            found.append(part | ({"thoughtSignature": signature} if signature else {}))
        if turns and turns[-1]["role"] == role:
            turns[-1]["parts"] += found
        elif found:
            turns.append({"role": role, "parts": found})
    if not turns or turns[0]["role"] != "user":
        turns.insert(0, {"role": "user", "parts": [{"text": chats.OPENING}]})
    return system, turns


def _part(part: Any) -> Json:
    if isinstance(part, Blob):
        return {"inlineData": {"mimeType": part.media_type, "data": encoded(part)}}
    return {"text": part}


def _result(message: Json, found: list[Json], names: dict[str, str], where: str) -> Json:
    """A tool's result, which the service finds by the tool's name."""
    identity = str(message.get("tool_call_id"))
    name = names.get(identity) or message.get("name")
    if not name:
        fault = "A tool's result belongs to no call that came before it."
        raise InvalidRequest(fault, code="invalid_tool_call", param=f"{where}.tool_call_id")
    said = "\n".join(part["text"] for part in found if "text" in part)
    return {"functionResponse": {"id": identity, "name": name, "response": {"output": said}}}


def _declared(function: Json) -> Json:
    rest = {name: value for name, value in function.items() if name != "parameters"}
    return rest | {"parametersJsonSchema": function["parameters"]}


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
    vectors: list[Any] = []
    count = 0

    def ask(some: list[str], left: float) -> tuple[list[str], Reply]:
        one = {"model": f"models/{call.model}", **more}
        asked = {"requests": [{**one, "content": {"parts": [{"text": text}]}} for text in some]}
        return some, post(call, "batchEmbedContents", asked, left)

    for some, reply in in_batches(texts, MOST_TEXTS, call.timeout, ask):
        rows = field(reply.body, "embeddings")
        found = [field(row, "values") for row in rows] if isinstance(rows, list) else []
        if len(found) != len(some) or not all(map(is_vector, found)):
            bad("The provider's reply is not one vector of numbers for each text.")
        vectors += found
        told = exchange.counted(field(reply.body, "usageMetadata", "promptTokenCount"))
        count += told or exchange.used(None, "".join(some))
    return Answer({"embeddings": vectors}, input_tokens=count)
