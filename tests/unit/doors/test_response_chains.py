"""Responses that go on from others, as OpenAI's own package asks for them, and what such a response was asked."""

from typing import Any

import openai
import pytest
from broker.clock import now_ms
from broker.context import chains
from broker.errors import BadOutput
from broker.jobs.store import REDACTED, REQUEST
from broker.storage import Unread

from tests.unit.doors.case import answering, says, sent
from tests.unit.rest_door import Door

CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"a": 1}'}}
TOOL: Any = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}, "strict": False}


def seen(door: Door) -> list[Any]:
    """What the model of the newest job is told, as role and words."""
    request = door.world.payloads.load(sent(door)[-1].id, REQUEST) or {}
    return [(message["role"], message.get("content")) for message in request["input"]["messages"]]


def say(client: openai.OpenAI, text: Any, **more: Any) -> Any:
    return client.responses.create(model="small", input=text, **more)


def test_what_was_said_comes_first_but_for_the_instructions(client: openai.OpenAI, door: Door) -> None:
    first = say(client, "I am Ann.", instructions="Be brief.")
    answering(door).answer = says("You are Ann.")
    second = say(client, "Who am I?", previous_response_id=first.id, instructions="Be kind.")
    assert second.previous_response_id == first.id
    assert client.responses.retrieve(second.id).previous_response_id == first.id
    talk = [("user", "I am Ann."), ("assistant", "Hello to you"), ("user", "Who am I?")]
    assert seen(door) == [("system", "Be kind."), *talk]
    say(client, "Again?", previous_response_id=second.id)
    assert seen(door) == [*talk, ("assistant", "You are Ann."), ("user", "Again?")]


def test_instructions_that_are_items_are_part_of_the_talk(client: openai.OpenAI, door: Door) -> None:
    items: Any = [{"role": "developer", "content": "Speak as a pirate."}, {"role": "user", "content": "Hi."}]
    for instructions in ("Be brief.", openai.omit):
        first = say(client, items, instructions=instructions)
        say(client, "And now?", previous_response_id=first.id, instructions="Be kind.")
        talk = [("developer", "Speak as a pirate."), ("user", "Hi."), ("assistant", "Hello to you")]
        assert seen(door) == [("system", "Be kind."), *talk, ("user", "And now?")]


def test_one_response_has_several_that_go_on_from_it(client: openai.OpenAI, door: Door) -> None:
    root = say(client, "A number.")
    for text in ("Double it.", "Halve it."):
        say(client, text, previous_response_id=root.id)
        assert seen(door) == [("user", "A number."), ("assistant", "Hello to you"), ("user", text)]


def test_calls_of_tools_and_what_they_gave_stay_together(client: openai.OpenAI, door: Door) -> None:
    answering(door).answer = says("", "tool_calls", tool_calls=[CALL])
    first = say(client, "Look.", tools=[TOOL])
    answering(door).answer = says("A heron.")
    output: Any = [{"type": "function_call_output", "call_id": "call_1", "output": "a heron"}]
    second = say(client, output, previous_response_id=first.id, tools=[TOOL])
    say(client, "Sure?", previous_response_id=second.id)
    messages = (door.world.payloads.load(sent(door)[-1].id, REQUEST) or {})["input"]["messages"]
    assert messages[1]["tool_calls"] == [CALL]
    assert messages[2] == {"role": "tool", "tool_call_id": "call_1", "content": "a heron"}
    listed = list(client.responses.input_items.list(second.id, order="asc"))
    assert [item.type for item in listed] == ["message", "function_call", "function_call_output"]
    assert [item.id for item in listed[1:2]] == [first.output[0].id], "an item keeps the id that it was given out by"


def test_what_is_not_there_or_another_tenants_is_not_found(
    client: openai.OpenAI, stranger: openai.OpenAI, door: Door
) -> None:
    first = say(client, "I am Ann.")
    unkept = say(client, "I am Ann.", store=False)
    assert (first.store, unkept.store) == (True, False)
    deleted = say(client, "I am Ann.")
    client.responses.delete(deleted.id)
    jobs = len(sent(door))
    for who, given in [
        (stranger, first.id),
        (client, "resp_none"),
        (client, "chatcmpl-1"),
        (client, "../x" * 20),
        (client, unkept.id),
        (client, deleted.id),
        (stranger, unkept.id),
    ]:
        with pytest.raises(openai.BadRequestError) as failure:
            say(who, "Who am I?", previous_response_id=given)
        known = (failure.value.code, failure.value.param)
        assert known == ("previous_response_not_found", "previous_response_id"), given
        assert ("store: false" in failure.value.message) is (given == unkept.id and who is client)
    assert len(sent(door)) == jobs
    with pytest.raises(openai.BadRequestError) as failure:
        client.responses.input_tokens.count(model="small", input="Hi.", previous_response_id="resp_none")
    assert failure.value.code == "previous_response_not_found"


def test_a_response_without_an_answer_is_none_to_go_on_from(client: openai.OpenAI, door: Door) -> None:
    answering(door).answer = lambda request: None
    going = say(client, "Hi.", background=True)
    with pytest.raises(openai.BadRequestError, match="it has not ended yet"):
        say(client, "And?", previous_response_id=going.id)
    answering(door).answer = lambda request: BadOutput("No.")
    answering(door).work()
    with pytest.raises(openai.BadRequestError, match="it has no answer"):
        say(client, "And?", previous_response_id=going.id)


def test_another_response_and_a_conversation_do_not_go_together(client: openai.OpenAI, door: Door) -> None:
    first = say(client, "Hi.")
    with pytest.raises(openai.BadRequestError) as failure:
        say(client, "And?", previous_response_id=first.id, conversation="chat-1")
    assert failure.value.code == "mutually_exclusive_parameters"
    turn = say(client, "Hi.", conversation="chat-1")
    with pytest.raises(openai.BadRequestError, match="a turn of the conversation chat-1"):
        say(client, "And?", previous_response_id=turn.id)


def test_a_part_that_was_erased_or_is_over_is_told_no_more(client: openai.OpenAI, door: Door) -> None:
    first = say(client, "My name is Ann.")
    second = say(client, "I have a boat.", previous_response_id=first.id)
    third = say(client, "It is red.", previous_response_id=second.id)
    client.responses.delete(first.id)
    fourth = say(client, "What is red?", previous_response_id=third.id)
    words = [words for role, words in seen(door) if role == "user"]
    assert words == ["I have a boat.", "It is red.", "What is red?"]
    assert "Ann" not in str(list(client.responses.input_items.list(third.id)))
    assert "boat" in str(list(client.responses.input_items.list(fourth.id)))
    request = door.world.payloads.load(sent(door)[-1].id, REQUEST) or {}
    ends = [part["expires_at"] for part in request["history"]["chain"]]
    known = chains.Chains(door.world.jobs, door.world.payloads)
    assert [len(known.before(request, at * 1000)) for at in (min(ends) - 1, max(ends))] == [2, 0]


def test_where_it_is_not_known_what_was_erased_nothing_is_told(
    client: openai.OpenAI, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = say(client, "1")
    second = say(client, "2", previous_response_id=first.id)

    def busy(*_: Any) -> Any:
        raise Unread("jobs")

    monkeypatch.setattr(door.world.jobs, "erased", busy)
    with pytest.raises(openai.InternalServerError) as refused:
        say(client.with_options(max_retries=0), "3", previous_response_id=second.id)
    assert (refused.value.status_code, refused.value.code) == (503, "busy")


def test_a_chain_is_read_at_once_however_long_it_is(client: openai.OpenAI, door: Door) -> None:
    loads: list[str] = []
    load = door.world.payloads.load

    def counted(job_id: str, name: str, *more: Any, **known: Any) -> Any:
        loads.append(name)
        return load(job_id, name, *more, **known)

    door.world.payloads.load = counted  # type: ignore[method-assign]
    last = say(client, "1")
    reads = []
    for number in range(2, 30):
        loads.clear()
        last = say(client, str(number), previous_response_id=last.id)
        reads.append(len(loads))
    assert len(set(reads)) == 1
    assert [words for role, words in seen(door) if role == "user"] == [str(number) for number in range(1, 30)]


def test_a_chain_that_is_too_long_is_refused_or_shortened(
    client: openai.OpenAI, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chains, "MOST_JOBS", 2)
    last = say(client, "1")
    for text in ("2", "3"):
        last = say(client, text, previous_response_id=last.id)
    with pytest.raises(openai.BadRequestError, match="more than 2 answers") as failure:
        say(client, "4", previous_response_id=last.id)
    assert failure.value.code == "context_length_exceeded"
    last = say(client, "4", previous_response_id=last.id, truncation="auto")
    assert [words for role, words in seen(door) if role == "user"] == ["2", "3", "4"]
    last = say(client, "5", previous_response_id=last.id, truncation="auto")
    assert [words for role, words in seen(door) if role == "user"] == ["3", "4", "5"]


def test_items_are_listed_by_pages_in_either_order(client: openai.OpenAI, door: Door) -> None:
    last = say(client, "1")
    for number in range(2, 6):
        last = say(client, str(number), previous_response_id=last.id)
    newest = [item.id for item in client.responses.input_items.list(last.id)]
    assert len(newest) == 9 == len(set(newest))
    for order in ("asc", "desc"):
        by_pages = [item.id for item in client.responses.input_items.list(last.id, order=order, limit=2)]
        assert by_pages == newest[:: 1 if order == "desc" else -1]
    page = client.responses.input_items.list(last.id, limit=2)
    assert page.has_more and page.data[0].content[0].text == "5"  # type: ignore[union-attr]
    for name, value in [("limit", 0), ("limit", 101), ("after", "msg_none"), ("order", "up"), ("include", ["x"])]:
        with pytest.raises(openai.BadRequestError) as failure:
            client.responses.input_items.list(last.id, **{name: value})  # type: ignore[arg-type]
        assert failure.value.param == name


def test_items_are_their_tenants_and_go_with_the_response(client: openai.OpenAI, stranger: openai.OpenAI) -> None:
    response = say(client, "I am Ann.", instructions="Be brief.")
    (item,) = client.responses.input_items.list(response.id)
    assert item.to_dict() == {
        "type": "message",
        "id": f"msg_{response.id.removeprefix('resp_')}_i1",
        "role": "user",
        "status": "completed",
        "content": [{"type": "input_text", "text": "I am Ann."}],
    }
    with pytest.raises(openai.NotFoundError):
        stranger.responses.input_items.list(response.id)
    client.responses.delete(response.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.input_items.list(response.id)


def test_items_may_be_sent_back(client: openai.OpenAI, door: Door) -> None:
    picture = {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"}
    file = {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}
    items: Any = [
        {"role": "user", "content": [{"type": "input_text", "text": "See"}, picture, file]},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
        {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "a lamp"}]},
    ]
    door.world.register(
        {**door.world.database.get("registry", "MODELS", "small"), "sk": "sees", "capabilities": ["vision", "tools"]}
    )  # type: ignore[dict-item]
    first = client.responses.create(model="sees", input=items)
    listed = [item.to_dict() for item in client.responses.input_items.list(first.id, order="asc")]
    client.responses.create(model="sees", input=listed)  # type: ignore[arg-type]
    known = [door.world.payloads.load(head.id, REQUEST) or {} for head in sent(door)]
    assert known[0]["input"] == known[1]["input"]


def test_what_was_taken_out_stays_out_of_the_chain(client: openai.OpenAI, door: Door) -> None:
    """What models saw goes on, and who may not see the values is not told them by the list either."""
    first = say(client, "I am Ann Lee.")
    (head,) = sent(door)
    kept = door.world.payloads.load(head.id, REQUEST) or {}
    hidden = {**kept, "input": {"messages": [{"role": "user", "content": "I am <NAME_1>."}]}}
    door.world.payloads.save(head, REDACTED, {"request": hidden, "mapping": {"NAME_1": "Ann Lee"}})
    second = say(client, "Who am I?", previous_response_id=first.id)
    assert seen(door)[0] == ("user", "I am <NAME_1>.")
    request = door.world.payloads.load(sent(door)[-1].id, REQUEST) or {}
    assert request["history"]["mapping"] == {"NAME_1": "Ann Lee"}
    assert "Ann Lee" not in str(list(client.responses.input_items.list(second.id)))
    job_id = f"resp_{sent(door)[-1].id.removeprefix('job_')}"
    shown = door("GET", "/responses/{id}/input_items", job_id=job_id, scopes="jobs:read pii:read")
    assert "Ann Lee" in str(shown.body) and now_ms() > 0
