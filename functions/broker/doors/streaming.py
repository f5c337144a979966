"""A finished answer as the event stream that a client asked for: all events of the protocol, in order, in one reply.

Source: OpenAI's API reference, "Streaming events" of chat completions and of responses, Anthropic's, "Streaming
messages", and their Python packages, which put the answer together from them. Nothing comes sooner than without a
stream: the broker gives no answer that it has not checked whole.
"""

import json
from collections.abc import Callable, Iterator

from broker.doors.reading import Json

MEDIA_TYPE = "text/event-stream; charset=utf-8"


def completion_stream(completion: Json, *, usage: bool) -> str:
    """A `chat.completion` as chunks; with its usage in a chunk of its own where that was asked for."""
    (choice,) = completion["choices"]
    message = choice["message"]
    same = {name: completion[name] for name in ("id", "created", "model", "service_tier")}
    deltas: list[Json] = [{"role": "assistant", "content": ""}]
    if message["content"]:
        deltas.append({"content": message["content"]})
    for number, call in enumerate(message.get("tool_calls", ())):
        deltas.append({"tool_calls": [{"index": number, **call}]})
    chunks = [[{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}] for delta in deltas]
    chunks.append([{"index": 0, "delta": {}, "logprobs": None, "finish_reason": choice["finish_reason"]}])
    told: list[Json] = [{**same, "object": "chat.completion.chunk", "choices": each} for each in chunks]
    if usage:
        told = [each | {"usage": None} for each in told]
        told.append({**told[0], "choices": [], "usage": completion["usage"]})
    return "".join(f"data: {_text(each)}\n\n" for each in told) + "data: [DONE]\n\n"


def response_stream(response: Json) -> str:
    """A `response` that has ended as the events that lead to it."""
    return "".join(
        f"event: {event['type']}\ndata: {_text(event | {'sequence_number': number})}\n\n"
        for number, event in enumerate(_events(response))
    )


def _events(response: Json) -> Iterator[Json]:
    begun: Json = {
        "status": "in_progress",
        "output": [],
        **dict.fromkeys(("usage", "completed_at", "incomplete_details")),
    }
    for name in ("response.created", "response.in_progress"):
        yield {"type": name, "response": response | begun}
    for number, item in enumerate(response["output"]):
        at = {"output_index": number}
        empty, told = OF_ITEMS[item["type"]]
        yield {"type": "response.output_item.added", **at, "item": item | empty | {"status": "in_progress"}}
        yield from told(item, at | {"item_id": item["id"]})
        yield {"type": "response.output_item.done", **at, "item": item}
    yield {"type": f"response.{response['status']}", "response": response}


def _said(item: Json, place: Json) -> Iterator[Json]:
    for number, part in enumerate(item["content"]):
        at, text = place | {"content_index": number}, part["text"]
        yield {"type": "response.content_part.added", **at, "part": part | {"text": ""}}
        yield {"type": "response.output_text.delta", **at, "delta": text, "logprobs": []}
        yield {"type": "response.output_text.done", **at, "text": text, "logprobs": []}
        yield {"type": "response.content_part.done", **at, "part": part}


def _called(item: Json, place: Json) -> Iterator[Json]:
    said = item["arguments"]
    yield {"type": "response.function_call_arguments.delta", **place, "delta": said}
    yield {"type": "response.function_call_arguments.done", **place, "name": item["name"], "arguments": said}


def _thought(item: Json, place: Json) -> Iterator[Json]:
    for number, part in enumerate(item["summary"]):
        at, text = place | {"summary_index": number}, part["text"]
        yield {"type": "response.reasoning_summary_part.added", **at, "part": part | {"text": ""}}
        yield {"type": "response.reasoning_summary_text.delta", **at, "delta": text}
        yield {"type": "response.reasoning_summary_text.done", **at, "text": text}
        yield {"type": "response.reasoning_summary_part.done", **at, "part": part}


OF_ITEMS: dict[str, tuple[Json, Callable[[Json, Json], Iterator[Json]]]] = {
    "message": ({"content": []}, _said),
    "function_call": ({"arguments": ""}, _called),
    "reasoning": ({"summary": [], "encrypted_content": None}, _thought),
}
"""By the type of an item: what it has not when it is added, and the events that bring it."""


def message_stream(message: Json) -> str:
    """A `message` as the events that lead to it."""
    return "".join(f"event: {event['type']}\ndata: {_text(event)}\n\n" for event in _of_message(message))


def _of_message(message: Json) -> Iterator[Json]:
    used = message["usage"]
    begun: Json = {"content": [], "stop_reason": None, "usage": used | {"output_tokens": 0}}
    yield {"type": "message_start", "message": message | begun}
    for number, block in enumerate(message["content"]):
        at = {"index": number}
        empty, deltas = _of_block(block)
        yield {"type": "content_block_start", **at, "content_block": block | empty}
        for delta in deltas:
            yield {"type": "content_block_delta", **at, "delta": delta}
        yield {"type": "content_block_stop", **at}
    ended = {name: message[name] for name in ("stop_reason", "stop_sequence")}
    told = {name: count for name, count in used.items() if name != "service_tier"}
    yield {"type": "message_delta", "delta": ended, "usage": told}
    yield {"type": "message_stop"}


def _of_block(block: Json) -> tuple[Json, list[Json]]:
    """What a block has not when it begins, and the deltas that bring it; what only its provider reads comes whole."""
    match block["type"]:
        case "text":
            return {"text": ""}, [{"type": "text_delta", "text": block["text"]}]
        case "thinking":
            deltas = [{"type": f"{name}_delta", name: block[name]} for name in ("thinking", "signature") if block[name]]
            return {"thinking": "", "signature": ""}, deltas
        case "tool_use":
            return {"input": {}}, [{"type": "input_json_delta", "partial_json": _text(block["input"])}]
    return {}, []


def _text(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)
