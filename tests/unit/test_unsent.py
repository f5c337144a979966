"""Fields of messages and tools that no model is sent are told, or refused, by name."""

from typing import Any

import pytest
from broker.doors import chat_completions
from broker.errors import InvalidRequest
from broker.jobs import messages
from broker.jobs.request import parse_request, stored_form
from broker.routing import unsent

from tests.fakes.world import World, a_model
from tests.unit.test_provider_options import staged, told

PICTURE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low", "zz": 1}}
ASKED: dict[str, Any] = {
    "input": {
        "messages": [
            {"role": "system", "content": "Be brief.", "zz": 1},
            {"role": "user", "content": [{"type": "text", "text": "Hi", "zz": {"a": 1}, "more": None}, PICTURE]},
            {"role": "assistant", "content": "Well.", "annotations": [], "zz": 1},
            {"role": "user", "content": [{"type": "input_audio", "zz": 1}]},
        ],
        "tools": [{"type": "function", "zz": 1, "function": {"name": "f", "zz": 1}}],
    }
}
PLACES = [
    "input.tools.0.zz",
    "input.tools.0.function.zz",
    "input.messages.0.zz",
    "input.messages.1.content.0.zz",
    "input.messages.1.content.1.image_url.zz",
]


def test_they_are_found_wherever_they_stand() -> None:
    assert unsent.unsent(stored_form(parse_request(ASKED))) == PLACES
    assert unsent.unsent(stored_form(parse_request({"input": "Hi"}))) == []
    many = {"messages": [{"role": "user", "content": "Hi", **{f"f{each}": 1 for each in range(90)}}]}
    assert len(unsent.unsent({"input": many})) == unsent.MOST


def test_an_attempt_tells_them() -> None:
    stage = staged(**ASKED)
    assert stage()["facts"]["dropped"] == PLACES
    assert told(stage) == [[]], "it is told when the call is settled"


def test_a_request_that_wants_nothing_left_out_is_refused() -> None:
    world = World()
    world.register(a_model("small", capabilities=["tools", "vision"]))
    world.tenant()
    with pytest.raises(InvalidRequest) as failure:
        world.accept(ASKED | {"on_unsupported": "refuse"})
    assert failure.value.param == PLACES[0]
    job = chat_completions.job_of(
        {"model": "small", "messages": ASKED["input"]["messages"], "on_unsupported": "refuse"}
    )
    with pytest.raises(InvalidRequest) as failure:
        world.accept(job.job)
    assert failure.value.param == PLACES[2]


@pytest.mark.parametrize(
    ("kind", "known"),
    [
        (messages.SystemMessage, unsent.MESSAGE),
        (messages.UserMessage, unsent.MESSAGE),
        (messages.ToolMessage, unsent.MESSAGE),
        (messages.Tool, unsent.TOOL),
        (messages.Function, unsent.FUNCTION),
        (messages.TextPart, unsent.PARTS["text"]),
        (messages.PicturePart, unsent.PARTS["image_url"]),
    ],
)
def test_what_the_contract_names_is_none_of_them(kind: Any, known: frozenset[str]) -> None:
    assert kind.model_fields.keys() <= known
