"""Whatever door a request comes by, the job is the same, but for its id, its times and what names the door.

a chat, in no dialect  ──►  eight bodies  ──►  eight jobs  ──►  one record
"""

import json
from dataclasses import asdict, dataclass
from typing import Any

import pytest
from broker.jobs.head import Head
from broker.jobs.store import REQUEST
from broker.permissions.who import ASKED_BY
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.batch_rows import Rows, jsonl
from tests.fakes.inbox import Files
from tests.fakes.queue import FakeQueue
from tests.fakes.world import NOW, World, a_model
from tests.unit.doors.case import Json, a_door, sent
from tests.unit.doors.mcp_case import called
from tests.unit.test_event_consumer import Door as EventDoor

OWN = {
    *("id", "principal", "door", "correlation_id", "expires_at", "rev", "tenant"),
    *("created_at", "deadline_at", "due_at", "payloads_until", "batch", "row", "line", "lane"),
}
"""What is each job's own: who it is, when it is, and by which way it came."""

OF_ROWS = ("priority", "deadline_seconds")
"""What a batch says for its rows, which are served behind those who wait."""

SMALL = a_model("small", tasks=["chat", "embed", "moderate"], capabilities=["json", "tools"])


@dataclass(frozen=True)
class Chat:
    """A chat as anybody may ask for it."""

    system: str | None
    turns: list[Json]
    tools: list[Json]
    choice: str | None
    """`auto`, `required`, `none`, or the name of a tool."""
    limit: int
    parameters: Json
    schema: Json | None

    @property
    def own(self) -> Json:
        """In the broker's own form."""
        messages = [{"role": "system", "content": self.system}] if self.system else []
        for turn in self.turns:
            messages += _said(turn)
        material: Json = {"messages": messages}
        if self.tools:
            material["tools"] = [{"type": "function", "function": tool} for tool in self.tools]
        if self.choice:
            material["tool_choice"] = self._choice()
        asked = {
            "model": "small",
            "input": material,
            "parameters": {**self.parameters, "max_output_tokens": self.limit},
        }
        return asked | ({"output_schema": self.schema} if self.schema else {})

    def _choice(self) -> Any:
        if self.choice in ("auto", "required", "none"):
            return self.choice
        return {"type": "function", "function": {"name": self.choice}}

    @property
    def completion(self) -> Json:
        """As OpenAI's chat completions have it."""
        own = self.own
        body = {"model": "small", **own["input"], **self.parameters, "max_completion_tokens": self.limit}
        if self.schema:
            body["response_format"] = {"type": "json_schema", "json_schema": {"schema": self.schema}}
        return body

    @property
    def response(self) -> Json:
        """As OpenAI's responses have it."""
        items: list[Json] = []
        for turn in self.turns:
            match turn:
                case {"call": arguments, "gave": gave, "id": call_id}:
                    named = {"call_id": call_id, "name": "look_up", "arguments": _text(arguments)}
                    items.append({"type": "function_call", **named})
                    items.append({"type": "function_call_output", "call_id": call_id, "output": gave})
                case _:
                    items.append(dict(turn))
        body: Json = {"model": "small", "input": items, **self.parameters, "max_output_tokens": self.limit}
        if self.system:
            body["instructions"] = self.system
        if self.tools:
            body["tools"] = [{"type": "function", **tool} for tool in self.tools]
        if self.choice:
            named_tool = {"type": "function", "name": self.choice}
            body["tool_choice"] = self.choice if self.choice in ("auto", "required", "none") else named_tool
        if self.schema:
            body["text"] = {"format": {"type": "json_schema", "schema": self.schema}}
        return body

    @property
    def message(self) -> Json:
        """As Anthropic's messages have it."""
        messages: list[Json] = []
        for turn in self.turns:
            match turn:
                case {"call": arguments, "gave": gave, "id": call_id}:
                    used = {"type": "tool_use", "id": call_id, "name": "look_up", "input": arguments}
                    result = {"type": "tool_result", "tool_use_id": call_id, "content": gave}
                    messages.append({"role": "assistant", "content": [used]})
                    messages.append({"role": "user", "content": [result]})
                case _:
                    messages.append(dict(turn))
        body: Json = {"model": "small", "max_tokens": self.limit, "messages": messages, **self.parameters}
        if self.system:
            body["system"] = self.system
        if self.tools:
            body["tools"] = [
                {"name": tool["name"], "description": tool["description"], "input_schema": tool["parameters"]}
                for tool in self.tools
            ]
        if self.choice:
            words = {"auto": {"type": "auto"}, "required": {"type": "any"}, "none": {"type": "none"}}
            body["tool_choice"] = words.get(self.choice, {"type": "tool", "name": self.choice})
        if self.schema:
            body["output_config"] = {"format": {"type": "json_schema", "schema": self.schema}}
        return body


def _text(arguments: Json) -> str:
    return json.dumps(arguments, ensure_ascii=False)


def _said(turn: Json) -> list[Json]:
    match turn:
        case {"call": arguments, "gave": gave, "id": call_id}:
            function = {"name": "look_up", "arguments": _text(arguments)}
            called = {"id": call_id, "type": "function", "function": function}
            return [
                {"role": "assistant", "content": None, "tool_calls": [called]},
                {"role": "tool", "tool_call_id": call_id, "content": gave},
            ]
    return [dict(turn)]


WORDS = st.text(min_size=1, max_size=20).filter(lambda text: text.strip() != "").map(lambda text: f"{text} please")
ARGUMENTS = st.dictionaries(
    st.text(max_size=5), st.none() | st.booleans() | st.integers() | st.text(max_size=5), max_size=3
)


@st.composite
def chats(draw: st.DrawFn) -> Chat:
    """Any chat that all dialects can say."""
    turns: list[Json] = []
    has_calls = draw(st.booleans())
    for number in range(draw(st.integers(0, 3))):
        turns.append({"role": "user", "content": draw(WORDS)})
        if has_calls and draw(st.booleans()):
            turns.append({"call": draw(ARGUMENTS), "gave": draw(WORDS), "id": f"call_{number}"})
        else:
            turns.append({"role": "assistant", "content": draw(WORDS)})
    turns.append({"role": "user", "content": draw(WORDS)})
    look_up = {
        "name": "look_up",
        "description": draw(WORDS),
        "parameters": {"type": "object", "properties": {"word": {"type": "string"}}},
    }
    tools = [look_up] if has_calls or draw(st.booleans()) else []
    numbers = st.sampled_from([0.0, 0.25, 0.5, 1.0])
    parameters = draw(st.fixed_dictionaries({}, optional={"temperature": numbers, "top_p": numbers.filter(bool)}))
    schema = {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]}
    return Chat(
        draw(st.none() | WORDS),
        turns,
        tools,
        draw(st.sampled_from([None, "auto", "required", "none", "look_up"])) if tools else None,
        draw(st.integers(1, 900)),
        parameters,
        draw(st.sampled_from([None, schema])),
    )


def record(world: World, head: Head) -> tuple[Json, Json]:
    """What is kept of a job, without what is its own: its head, and its request as steps read it."""
    kept = {name: value for name, value in asdict(world.jobs.get(head.id)).items() if name not in OWN}
    request = world.payloads.load(head.id, REQUEST) or {}
    return kept, {name: value for name, value in request.items() if name not in (*OF_ROWS, ASKED_BY)}


def by_rest(resource: str, body: Json) -> tuple[Json, Json]:
    door = a_door()
    door.world.queue = FakeQueue()  # jobs stay as they were accepted
    door.world.register(SMALL)
    reply = door("POST", resource, json.dumps(body), ago_s=60)
    assert reply.status in (202, 504), reply.body
    (head,) = sent(door)
    return record(door.world, head)


def by_tool(body: Json) -> tuple[Json, Json]:
    door = a_door()
    door.world.queue = FakeQueue()
    door.world.register(SMALL)
    job = called(door, "submit_job", body)["structuredContent"]
    head = door.world.jobs.get(job["id"])
    assert head.door == "mcp"
    return record(door.world, head)


def by_event(body: Json) -> tuple[Json, Json]:
    door = EventDoor()
    door.world.register(SMALL)
    accepted = door(detail=body)
    assert accepted is not None, door.rejections
    return record(door.world, accepted.head)


def by_row(row: Json, endpoint: str | None = None) -> tuple[Json, Json]:
    rows = Rows()
    rows.world.register(SMALL)
    asked = {"asked": {"endpoint": endpoint}} if endpoint else {}
    rows.put(jsonl({"custom_id": "a", **row}), **asked)
    rows.plan()
    rows.run()
    rows.tend_all()
    assert rows.errors() == {}
    (head,) = rows.jobs()
    return record(rows.world, head)


def by_inbox(body: Json) -> tuple[Json, Json]:
    files = Files()
    files.world.register(SMALL)
    taken = files.taken("acme/one.json", json.dumps(body), NOW)
    assert (taken.accepted, taken.error) == (1, None)
    (head,) = files.jobs(taken.batch_id)
    return record(files.world, head)


@settings(max_examples=40, deadline=None)
@given(chats())
def test_a_chat_is_one_job_by_every_door(chat: Chat) -> None:
    wanted = by_rest("/jobs", chat.own)
    assert by_tool(chat.own) == wanted
    assert by_rest("/chat/completions", chat.completion) == wanted
    assert by_rest("/responses", chat.response) == wanted
    assert by_rest("/messages", chat.message) == wanted
    assert by_event(chat.own) == wanted
    assert by_inbox(chat.own) == wanted
    assert by_row(chat.own) == wanted
    for url, body in (
        ("/v1/chat/completions", chat.completion),
        ("/v1/responses", chat.response),
        ("/v1/messages", chat.message),
    ):
        assert by_row({"method": "POST", "url": url, "body": body}, url) == wanted, url


@pytest.mark.parametrize(
    ("own", "url", "body"),
    [
        ({"task": "embed", "model": "small", "input": {"text": ["One.", "Two."]}}, "/v1/embeddings", ["One.", "Two."]),
        ({"task": "embed", "model": "small", "input": {"text": "One."}}, "/v1/embeddings", "One."),
        ({"task": "moderate", "model": "small", "input": {"text": "One."}}, "/v1/moderations", "One."),
    ],
)
def test_other_tasks_are_one_job_by_every_door(own: Json, url: str, body: Any) -> None:
    asked = {"model": "small", "input": body}
    wanted = by_rest("/jobs", own)
    assert by_rest(url.removeprefix("/v1"), asked) == wanted
    assert by_event(own) == by_inbox(own) == by_row(own) == by_tool(own) == wanted
    assert by_row({"method": "POST", "url": url, "body": asked}, url) == wanted
