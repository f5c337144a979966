"""Prompt caches of providers: what a request may ask of them, what is told of them, and what they cost."""

from dataclasses import replace
from typing import Any

import pytest
from broker.cached_input import CachedInput
from broker.clock import NANO
from broker.errors import BadOutput, InvalidRequest
from broker.jobs.head import Head
from broker.jobs.reading import view
from broker.jobs.request import parse_request, stored_form
from broker.jobs.store import REQUEST
from broker.prompt_marks import longest_asked
from broker.providers.wire.base import Answer, Call
from broker.registry.document import parse_registry
from broker.routing.model import Model

from tests.fakes.asking import ask, catalog, row, taken, why
from tests.fakes.settling import settling_of
from tests.fakes.stage import Stage
from tests.fakes.world import JOB_ID, NOW, World, a_model

SHORT, LONG = {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}
PART = "input.messages.0.content"
PRICES = {"price_in": 100, "price_cached_in": 10, "price_cache_write": 125, "price_cache_write_1h": 200}


def said(*marks: Any, role: str = "user") -> dict[str, Any]:
    parts = [{"type": "text", "text": "Hi"} | ({} if mark is None else {"cache_control": mark}) for mark in marks]
    return {"role": role, "content": parts}


def request(*messages: Any, **more: Any) -> dict[str, Any]:
    return stored_form(parse_request({"input": {"messages": list(messages)}, **more}))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (
            {"input": {"messages": [said(SHORT, SHORT, SHORT, SHORT, SHORT)]}},
            f"{PART}.4.cache_control",
        ),
        ({"input": {"messages": [said(SHORT, LONG)]}}, f"{PART}.1.cache_control"),
        # Instructions are read first, wherever they stand.
        (
            {"input": {"messages": [said(LONG), said(SHORT, role="system")]}},
            f"{PART}.0.cache_control",
        ),
        (
            {"input": {"messages": [said({"type": "ephemeral", "ttl": "2h"})]}},
            f"{PART}.0.cache_control.ttl",
        ),
        ({"input": {"messages": [said({"type": "forever"})]}}, f"{PART}.0.cache_control.type"),
        ({"input": {"messages": [said(SHORT | {"scope": "all"})]}}, f"{PART}.0.cache_control.scope"),
        ({"input": {"messages": [said(True)]}}, f"{PART}.0.cache_control"),
        ({"input": "Hi", "prompt_cache": {"key": ""}}, "prompt_cache.key"),
        ({"input": "Hi", "prompt_cache": {"ttl": "2d"}}, "prompt_cache.ttl"),
        ({"input": "Hi", "prompt_cache": {"mode": "on"}}, "prompt_cache.mode"),
        ({"task": "embed", "input": "Hi", "prompt_cache": {}}, "prompt_cache"),
    ],
)
def test_what_no_cache_knows_is_refused_by_its_place(body: Any, field: str) -> None:
    with pytest.raises(InvalidRequest) as failure:
        parse_request(body)
    assert failure.value.param == field


def test_marks_may_stand_wherever_there_is_something_to_keep() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}, "cache_control": LONG}
    kept = request(
        {"role": "user", "content": "Hi", "cache_control": LONG},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "1", "cache_control": SHORT},
    )
    assert longest_asked(kept) == "1h"
    assert longest_asked(request(said(SHORT))) == "5m"
    assert longest_asked(request(said(None), prompt_cache={"ttl": "24h"})) == "1h"
    assert longest_asked(request(said(None))) is None


@pytest.mark.parametrize("calls", ["0", ["0"], [{"cache_control": 5}], {"cache_control": LONG}])
def test_what_a_user_calls_so_is_no_mark(calls: Any) -> None:
    kept = request({"role": "user", "content": "Hi", "tool_calls": calls})
    assert longest_asked(kept) is None
    assert ask(kept, tokens=10).worst(Model.from_item(a_model("small", provider="anthropic", **PRICES)))


def test_each_token_of_a_prompt_is_priced_once() -> None:
    model = Model.from_item(a_model("small", price_out=0, **PRICES))
    assert model.cost(1000, 0) == 100_000
    assert model.cost(1000, 0, cached=CachedInput(600, 200, 100)) == 600 * 10 + 200 * 125 + 100 * 200 + 100 * 100
    # A provider that tells more than there is.
    assert model.cost(1000, 0, cached=CachedInput(900, 900, 900)) == 900 * 10 + 100 * 125
    without = Model.from_item(a_model("small", price_out=0, price_in=100))
    assert without.cost(1000, 0, cached=CachedInput(600, 200, 100)) == 100_000
    minutes = Model.from_item(a_model("small", price_out=0, **PRICES | {"price_cache_write_1h": None}))
    assert minutes.cost(10, 0, cached=CachedInput(0, 0, 10)) == 1250


@pytest.mark.parametrize(
    ("provider", "more", "price"),
    [
        ("anthropic", {}, 100),
        ("anthropic", {"prompt_cache": {}}, 125),
        ("anthropic", {"input": {"messages": [said(SHORT)]}}, 125),
        ("anthropic", {"input": {"messages": [said(LONG)]}}, 200),
        ("bedrock", {"prompt_cache": {"ttl": "24h"}}, 200),
        ("openai", {}, 125),  # which keeps without being asked
    ],
)
def test_what_is_held_covers_the_dearest_way_to_read_a_prompt(provider: str, more: Any, price: int) -> None:
    model = Model.from_item(a_model("small", provider=provider, price_out=0, **PRICES))
    assert ask(more, tokens=10).worst(model) == 10 * price


def test_prices_are_registered_by_the_million() -> None:
    entry = {
        "id": "claude", "provider": "anthropic", "name": "claude", "tasks": ["chat"], "context_window": 9,
        "max_output_tokens": 9, "price_in_usd": 3, "price_out_usd": 15, "price_cached_in_usd": 0.3,
        "price_cache_write_usd": 3.75, "price_cache_write_1h_usd": 6,
    }  # fmt: skip
    model = Model.from_item(parse_registry({"models": [entry]}).models[0].item())
    assert (model.price_cached_in, model.price_cache_write, model.price_cache_write_1h) == (300, 3750, 6000)
    with pytest.raises(InvalidRequest):
        parse_registry({"models": [{name: each for name, each in entry.items() if name != "price_cache_write_usd"}]})


def staged(**more: Any) -> Stage:
    stage = Stage()
    stage.world.register(a_model("small", secret="key", **PRICES))
    head = replace(stage.head, conversation=more.pop("conversation", None), rev=stage.head.rev + 1)
    stage.world.jobs.change(JOB_ID, lambda current: head)
    stage.world.payloads.save(head, "BODY", {"task": "chat", "input": {"text": "Hi"}, **more})
    stage.run = replace(stage.run, head=None)
    return stage


def ended(stage: Stage, answer: Any) -> dict[str, Any]:
    head: Head = settling_of(stage.world)(stage.run, {"answer": answer}, NOW + 5)
    return view(head, {}, {}, "https://example.com")


def test_what_a_cache_had_is_told_and_paid_for_once() -> None:
    stage = staged()
    answer = Answer({"text": "Fine."}, 100, 20, cached=CachedInput(60, 20, 10))
    stage.provider.script.append(answer)
    shown = ended(stage, stage())
    cost = (60 * 10 + 20 * 125 + 10 * 200 + 10 * 100 + 2 * 20) / NANO
    told = {"input_tokens": 100, "output_tokens": 20, "cached_tokens": 60, "cache_write_tokens": 30}
    assert shown["usage"].items() >= (told | {"cost_usd": cost}).items()
    (attempt,) = shown["attempts"]
    assert (attempt["cached_tokens"], attempt["cache_write_tokens"], attempt["cost_usd"]) == (60, 30, cost)


def test_so_is_it_of_an_answer_that_was_no_good() -> None:
    stage = staged()
    stage.fails(BadOutput("No.", maybe_paid=True, tokens=(100, 20), cached=CachedInput(100)))
    (call,) = stage.head.calls.values()
    assert (call["c"], call["k"], "y" in call) == (100 * 10 + 2 * 20, 100, False)


def key_of(tenant: str = "acme", **more: Any) -> Call:
    stage = staged(**more)
    stage.run = replace(stage.run, tenant=tenant)
    stage()
    return stage.provider.calls[0]


def test_a_key_is_the_tenants_own_and_a_conversation_has_one() -> None:
    mine = key_of(prompt_cache={"key": "manual", "ttl": "24h"})
    assert (len(mine.cache_key), mine.cache_ttl) == (32, "24h")
    assert "manual" not in mine.cache_key
    assert key_of(prompt_cache={"key": "manual"}).cache_key == mine.cache_key
    assert key_of("other", prompt_cache={"key": "manual"}).cache_key != mine.cache_key
    assert key_of(prompt_cache={"key": "another"}).cache_key != mine.cache_key
    talk = key_of(conversation="c-1")
    assert talk.cache_key == key_of(conversation="c-1").cache_key != key_of("other", conversation="c-1").cache_key
    assert talk.cache_ttl == ""
    assert (key_of().cache_key, key_of(prompt_cache={}).cache_ttl) == ("", "5m")


CHAT = {"input": {"text": "And then?"}, "conversation_id": "c-1"}


def test_a_conversation_goes_on_with_the_model_that_answered() -> None:
    stage = staged(conversation="c-1", conversation_id="c-1")
    ended(stage, stage())
    world = stage.world
    world.tenant()
    world.tenant("other")
    world.register(a_model("better", quality=5), a_model("named", quality=1))
    assert history_of(world)["model"] == "small"
    assert history_of(world, tenant="other").get("model") is None
    known = world.models().catalog(NOW)
    assert taken(known)[0] == "better"
    goes_on = {"history": {"from": 0, "to": 2, "model": "small"}}
    assert taken(known, goes_on)[0] == "small"
    assert why(known, goes_on)["small"] == "answered the turn before"
    assert taken(known, goes_on | {"model": "named"}) == ["named"], "what is asked for by name is"
    world.register(a_model("small", status="disabled"))
    assert taken(world.models().catalog(NOW), goes_on)[0] == "better"


def history_of(world: World, tenant: str = "acme") -> dict[str, Any]:
    head = world.accept(CHAT, tenant=tenant).head
    return (world.payloads.load(head.id, REQUEST) or {})["history"]


def test_experiments_are_not_drawn_anew_within_a_conversation() -> None:
    split = row("all", {"model": "a", "weight": 50}, {"model": "b", "weight": 50}, task="chat")
    known = catalog(a_model("a"), a_model("b"), split)
    for number in range(9):
        for model in ("a", "b"):
            goes_on = {"history": {"from": 0, "to": 2, "model": model}, "metadata": {"routing_key": str(number)}}
            assert taken(known, goes_on)[0] == model
