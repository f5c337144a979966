"""Conversations and their items, as OpenAI's own package makes, reads, changes and erases them."""

from dataclasses import replace
from typing import Any

import openai
import pytest
from broker.context.conversations import Turn, turn_of
from broker.errors import NotFound
from broker.jobs.head import Status
from broker.jobs.store import REQUEST
from broker.rest import conversations
from broker.rest.http import Request

from tests.fakes.world import BASE_URL
from tests.unit.doors.case import answering, says, sent
from tests.unit.rest_door import Door

CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}


@pytest.fixture(autouse=True)
def together(door: Door) -> None:
    """The turns that jobs are told of are those that the routes show."""
    door.turns = door.world.turns


def keep(door: Door) -> None:
    """Let the newest job's turn be kept, as the end of a job does it."""
    head = door.world.jobs.get(sent(door)[-1].id)
    assert head.status is Status.SUCCEEDED and head.conversation
    document = door.world.payloads.load(head.id, REQUEST) or {}
    output = door.world.payloads.load(head.id, "OUTPUT#1.1") or {}
    door.turns.keep(head.tenant, head.conversation, turn_of(head, document, output), head.payloads_until)


def said(door: Door) -> list[Any]:
    """What the model of the newest job is told."""
    request = door.world.payloads.load(sent(door)[-1].id, REQUEST) or {}
    return [(message["role"], message.get("content")) for message in request["input"]["messages"]]


def user(text: str) -> Any:
    return {"type": "message", "role": "user", "content": text}


def texts(client: openai.OpenAI, conversation: str, **how: Any) -> list[str]:
    return [item.content[0].text for item in client.conversations.items.list(conversation, **how)]  # type: ignore[union-attr]


def test_a_conversation_is_made_told_changed_and_erased(client: openai.OpenAI) -> None:
    made = client.conversations.create(metadata={"topic": "birds"}, items=[user("I like herons.")])
    assert made.id.startswith("conv_") and made.object == "conversation" and made.metadata == {"topic": "birds"}
    assert client.conversations.retrieve(made.id).to_dict() == made.to_dict()
    changed = client.conversations.update(made.id, metadata={"topic": "lamps"})
    assert (changed.metadata, changed.created_at) == ({"topic": "lamps"}, made.created_at)
    assert client.conversations.retrieve(made.id).metadata == {"topic": "lamps"}
    gone = client.conversations.delete(made.id)
    assert (gone.deleted, gone.object) == (True, "conversation.deleted")
    for call in (client.conversations.retrieve, client.conversations.items.list):
        with pytest.raises(openai.NotFoundError):
            call(made.id)
    assert client.conversations.delete(made.id).deleted, "whether there is one or not"


def test_a_response_goes_on_in_it_and_adds_its_items(client: openai.OpenAI, door: Door) -> None:
    made = client.conversations.create(items=[user("I like herons."), {"role": "developer", "content": "Be brief."}])
    answering(door).answer = says("Herons, then.")
    response = client.responses.create(model="small", input="What do I like?", conversation=made.id)
    keep(door)
    assert said(door) == [("user", "I like herons."), ("developer", "Be brief."), ("user", "What do I like?")]
    assert response.conversation and response.conversation.id == made.id
    assert texts(client, made.id, order="asc") == ["I like herons.", "Be brief.", "What do I like?", "Herons, then."]
    newest = next(iter(client.conversations.items.list(made.id)))
    assert newest.id == response.output[0].id, "an item has the id that the response gave it"


def test_one_that_was_only_named_is_one_as_well(client: openai.OpenAI, door: Door) -> None:
    client.responses.create(model="small", input="Hi.", conversation="chat-17")
    keep(door)
    shown = client.conversations.retrieve("chat-17")
    assert (shown.id, shown.metadata) == ("chat-17", {}) and shown.created_at > 0
    assert client.conversations.update("chat-17", metadata={"a": "b"}).metadata == {"a": "b"}
    assert client.conversations.items.create("chat-17", items=[user("More.")]).data[0].id
    assert texts(client, "chat-17") == ["More.", "Hello to you", "Hi."]


def test_items_are_added_read_and_taken_out(client: openai.OpenAI, door: Door) -> None:
    made = client.conversations.create()
    with pytest.raises(openai.NotFoundError):
        client.conversations.items.retrieve("msg_0", conversation_id=made.id)
    assert list(client.conversations.items.list(made.id)) == []
    added = client.conversations.items.create(made.id, items=[user(f"{number}") for number in range(20)])
    assert len(added.data) == 20 and not added.has_more
    one = client.conversations.items.retrieve(added.data[3].id, conversation_id=made.id)
    assert one.to_dict() == added.data[3].to_dict()
    after = client.conversations.items.delete(one.id, conversation_id=made.id)
    assert after.id == made.id
    assert texts(client, made.id, order="asc", limit=7) == [f"{number}" for number in range(20) if number != 3]
    with pytest.raises(openai.NotFoundError):
        client.conversations.items.delete(one.id, conversation_id=made.id)


def test_a_call_goes_with_what_it_gave(client: openai.OpenAI, door: Door) -> None:
    items: Any = [
        user("Look."),
        {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "a heron"},
        {"role": "assistant", "content": "A heron."},
    ]
    made = client.conversations.create(items=items)
    listed = list(client.conversations.items.list(made.id, order="asc"))
    assert [item.type for item in listed] == ["message", "function_call", "function_call_output", "message"]
    client.conversations.items.delete(listed[1].id, conversation_id=made.id)
    left = list(client.conversations.items.list(made.id, order="asc"))
    assert [item.type for item in left] == ["message", "message"]
    for item in left:
        client.conversations.items.delete(item.id, conversation_id=made.id)
        if item is left[0]:
            left[1:] = list(client.conversations.items.list(made.id))
    assert list(client.conversations.items.list(made.id)) == []
    assert client.conversations.retrieve(made.id).id == made.id, "it is there, and empty"


def test_another_tenants_is_another_one(client: openai.OpenAI, stranger: openai.OpenAI, door: Door) -> None:
    made = client.conversations.create(items=[user("I am Ann.")], metadata={"topic": "me"})
    item = next(iter(client.conversations.items.list(made.id)))
    attempts: list[Any] = [
        lambda: stranger.conversations.retrieve(made.id),
        lambda: stranger.conversations.update(made.id, metadata={"topic": "mine"}),
        lambda: list(stranger.conversations.items.list(made.id)),
        lambda: stranger.conversations.items.create(made.id, items=[user("I am Eve.")]),
        lambda: stranger.conversations.items.retrieve(item.id, conversation_id=made.id),
        lambda: stranger.conversations.items.delete(item.id, conversation_id=made.id),
    ]
    for attempt in attempts:
        with pytest.raises(openai.NotFoundError):
            attempt()
    stranger.conversations.delete(made.id)
    stranger.responses.create(model="small", input="Who am I?", conversation=made.id)
    assert said(door) == [("user", "Who am I?")]
    assert texts(client, made.id) == ["I am Ann."] and client.conversations.retrieve(made.id).metadata == {
        "topic": "me"
    }


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"items": [user("x")] * 21}, "items"),
        ({"items": "x"}, "items"),
        ({"items": [{"type": "web_search_call"}]}, "items.0.type"),
        ({"items": [user("x"), user("")]}, "items.1.content"),
        ({"items": [{"role": "user", "content": [{"type": "input_text"}]}]}, "items.0.content.0.text"),
        ({"metadata": {"a": 1}}, "metadata.a"),
        ({"metadata": "x"}, "metadata"),
        ({"metadata": {f"{number}": "x" for number in range(17)}}, "metadata"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_what_is_none_is_refused_by_its_place(client: openai.OpenAI, body: Any, param: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.post("/conversations", body=body, cast_to=object)
    assert refused.value.param == param


def test_an_item_may_not_point_to_another_tenants_file(client: openai.OpenAI) -> None:
    def pointing(tenant: str) -> Any:
        part = {"type": "input_image", "image_url": f"s3://inbox/{tenant}/a.png"}
        return {"role": "user", "content": [part]}

    assert client.conversations.create(items=[pointing("acme")]).id
    with pytest.raises(openai.BadRequestError) as refused:
        client.conversations.create(items=[pointing("rich")])
    assert refused.value.code == "file_not_yours" and str(refused.value.param).startswith("items.0.content.0")


def test_two_who_take_items_out_at_once_lose_none_of_it(client: openai.OpenAI, door: Door) -> None:
    made = client.conversations.create(items=[user("1"), user("2"), user("3")])
    first, second, _ = client.conversations.items.list(made.id, order="asc")
    change, calls = door.turns.change, []

    def contended(*known: Any) -> bool:
        calls.append(1)
        if len(calls) == 1:  # between its read and its write another one is taken out
            client.conversations.items.delete(second.id, conversation_id=made.id)
        return change(*known)

    type(door.turns).change, kept = lambda self, *known: contended(*known), type(door.turns).change  # type: ignore[method-assign]
    try:
        client.conversations.items.delete(first.id, conversation_id=made.id)
    finally:
        type(door.turns).change = kept  # type: ignore[method-assign]
    assert texts(client, made.id) == ["3"]


def test_what_was_taken_out_by_guardrails_is_shown_to_whom_may_see_it(client: openai.OpenAI, door: Door) -> None:
    messages: Any = [{"role": "user", "content": "I am <NAME_1>."}, {"role": "assistant", "content": "Hi, <NAME_1>."}]
    made = client.conversations.create()
    turn = Turn("job_0193a000000070008000000000000001", 1_795_000_000_000, 9, messages, {"NAME_1": "Ann Lee"})
    door.turns.keep("acme", made.id, turn, 9_999_999_999)
    assert texts(client, made.id) == ["Hi, <NAME_1>.", "I am <NAME_1>."]
    shown = door("GET", "/conversations/{id}/items", job_id=made.id, scopes="jobs:read pii:read")
    assert "Ann Lee" in str(shown.body)


def test_our_own_form_has_a_path_of_its_own(client: openai.OpenAI, door: Door) -> None:
    made = client.conversations.create(items=[user("I like herons.")], metadata={"a": "b"})
    turns: Any = door("GET", "/conversations/{id}/turns", job_id=made.id).body
    assert turns["data"][0]["messages"] == [{"role": "user", "content": "I like herons."}]
    assert door("DELETE", "/conversations/{id}/turns", job_id=made.id).status == 204
    with pytest.raises(openai.NotFoundError):
        client.conversations.retrieve(made.id)


@pytest.mark.parametrize("name", ["x" * 3000, "a#b", "a/b", "é", "\ud800", " "])
def test_what_can_be_no_conversations_name_is_never_asked_of_the_table(door: Door, name: str) -> None:
    door.turns.asked.clear()
    before = door.turns.database.items()

    def ask(method: str, way: str) -> Any:
        path = {"id": name}
        who = frozenset("*")
        resource = f"/conversations/{{id}}{way}"
        return door.api(Request(method, resource, path, {}, {}, None, "acme", "ci", who, "req-1", BASE_URL, 0.0))

    for way in ("", "/items", "/turns"):
        with pytest.raises(NotFound):
            ask("GET", way)
    assert (ask("DELETE", "").status, ask("DELETE", "/turns").status) == (200, 204)
    assert (door.turns.database.items(), door.turns.asked) == (before, [])


def test_items_are_those_that_a_next_response_can_be_told_of(
    client: openai.OpenAI, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = client.conversations.create()
    for number in range(4):
        client.conversations.items.create(made.id, items=[user(f"{number}")])
    monkeypatch.setattr(conversations, "MOST_TURNS", 3)
    assert texts(client, made.id) == ["3", "2", "1"]
    newest = door.turns.newest("acme", made.id, limit=2, now=0)
    monkeypatch.setattr(conversations, "MOST_TOKENS", sum(kept.tokens for kept in newest))
    assert texts(client, made.id) == ["3", "2"]


def test_what_is_added_is_kept_for_thirty_days_after_the_last_change(client: openai.OpenAI, door: Door) -> None:
    made = client.conversations.create(items=[user("x")])
    record, (kept,) = door.turns.record("acme", made.id, 0), door.turns.newest("acme", made.id, limit=9, now=0)
    assert record and record.expires_at == kept.expires_at == record.created_at // 1000 + 30 * 86_400
    door.turns.keep_record("acme", made.id, replace(record, expires_at=record.expires_at - 86_400))
    client.conversations.items.create(made.id, items=[user("y")])
    again = door.turns.record("acme", made.id, 0)
    assert again and again.expires_at >= record.expires_at and again.created_at == record.created_at
