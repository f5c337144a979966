"""Fields of a provider's own, by an allow-list; and what becomes of fields that a candidate does not take."""

from dataclasses import replace
from typing import Any

import pytest
from broker.doors import chat_completions, messages, responses
from broker.errors import InvalidRequest, Rejected, Unavailable
from broker.jobs.reading import view
from broker.jobs.request import parse_request, stored_form
from broker.providers.wire.base import Answer, Call
from broker.providers.wire.own_fields import OWN, TAKE, beside
from broker.providers.wire.sending import sending, taken
from broker.registry.document import parse_registry
from broker.routing.model import Model
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.asking import catalog, why
from tests.fakes.asking import taken as chosen
from tests.fakes.provider import ANSWER, FakeProvider, failing
from tests.fakes.stage import Stage
from tests.fakes.world import World, a_model
from tests.unit.dialects.base import MODEL, SECRET
from tests.unit.dialects.table import DIALECTS
from tests.unit.provider_server import ProviderServer, Script

ASKED = {"provider_options": {"fake": {"verbosity": "low"}}}


def refused(body: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as failure:
        parse_request({"input": "Hi", **body})
    return failure.value


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"provider_options": []}, "provider_options"),
        ({"provider_options": {"openai": 5}}, "provider_options.openai"),
        ({"provider_options": {"open ai": {}}}, "provider_options.open ai"),
        ({"provider_options": {"openai": {"a.b": 1}}}, "provider_options.openai.a.b"),
        ({"provider_options": {"openai": {"": 1}}}, "provider_options.openai."),
        ({"provider_options": {"openai": {f"f{each}": 1 for each in range(17)}}}, "provider_options.openai"),
        ({"provider_options": {f"p{each}": {"a": 1, "b": 1} for each in range(9)}}, "provider_options"),
        ({"on_unsupported": "ignore"}, "on_unsupported"),
        ({"on_unsupported": True}, "on_unsupported"),
        ({"task": "sentiment", **ASKED}, "provider_options"),
    ],
)
def test_what_is_at_fault_is_refused_by_its_place(body: Any, field: str) -> None:
    assert refused(body).param == field


ENTRY: dict[str, Any] = {
    "id": "small", "provider": "openai", "name": "small", "tasks": ["chat"], "context_window": 9,
    "max_output_tokens": 9, "price_in_usd": 1, "price_out_usd": 1,
}  # fmt: skip


@pytest.mark.parametrize(
    "more",
    [
        {"provider_options": ["max_tokens"]},
        {"provider_options": ["stream"]},
        {"provider_options": ["n", "verbosity"]},
        {"provider_options": ["verbosity", "verbosity"]},
        {"provider_options": ["a b"]},
        {"provider_options": "verbosity"},
        {"provider": "textract", "provider_options": ["verbosity"]},
    ],
)
def test_nobody_may_be_allowed_what_the_broker_says_itself(more: Any) -> None:
    with pytest.raises(InvalidRequest) as failure:
        parse_registry({"models": [ENTRY | more]})
    assert str(failure.value.param).startswith("models.0.provider_options")


def test_a_list_is_registered() -> None:
    entry = parse_registry({"models": [ENTRY | {"provider_options": ["verbosity"]}]}).models[0]
    assert Model.from_item(entry.item()).provider_options == {"verbosity"}


# when a job is accepted, and when models are chosen


def world(**more: Any) -> World:
    made = World()
    made.register(a_model("first", rank=1, provider_options=["verbosity"]), a_model("second", rank=2), *more.values())
    made.tenant()
    return made


@pytest.mark.parametrize("on_unsupported", ["refuse", "drop_and_tell"])
@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"fake": {"colour": "blue"}}, "provider_options.fake.colour"),
        ({"openai": {"verbosity": "low"}}, "provider_options.openai.verbosity"),
        ({"fake": {"verbosity": "low", "colour": 1}}, "provider_options.fake.colour"),
    ],
)
def test_what_no_model_takes_is_refused_by_name(on_unsupported: str, options: Any, field: str) -> None:
    with pytest.raises(InvalidRequest) as failure:
        world().accept({"input": {"text": "Hi"}, "provider_options": options, "on_unsupported": on_unsupported})
    assert (failure.value.param, failure.value.code) == (field, "unsupported")


def test_what_only_a_disabled_model_takes_is_refused_too() -> None:
    with pytest.raises(InvalidRequest):
        world(again=a_model("first", provider_options=["verbosity"], status="disabled")).accept(
            {"input": {"text": "Hi"}, **ASKED}
        )


def test_who_does_not_take_it_is_a_candidate_or_not_as_the_request_says() -> None:
    known = catalog(a_model("first", rank=1, provider_options=["verbosity"]), a_model("second", rank=2))
    assert chosen(known, ASKED) == ["first", "second"]
    strict = {**ASKED, "on_unsupported": "refuse"}
    assert chosen(known, strict) == ["first"]
    assert why(known, strict)["second"] == "does not take provider_options.fake.verbosity"


# what is sent, and told


class Takes(FakeProvider):
    """A provider that takes some parameters and sends them."""

    names: tuple[str, ...] = ()

    def invoke(self, call: Call) -> Answer:
        taken(*(each for each in self.names if call.parameters.get(each) is not None))
        sending()
        FakeProvider.invoke(self, call)
        return ANSWER


def staged(*takes: str, **asked: Any) -> Stage:
    stage = Stage()
    stage.world.register(a_model("small", provider_options=["verbosity"]), a_model("large"))
    stage.provider = Takes()
    stage.provider.names = takes  # type: ignore[attr-defined]
    request = stored_form(parse_request({"input": {"text": "Hi"}, **asked}))
    stage.world.payloads.save(stage.head, "BODY", request)
    stage.run = replace(stage.run, head=None)
    return stage


def told(stage: Stage) -> list[list[str]]:
    return [each["dropped"] for each in view(stage.head, {}, None, "https://example.com")["attempts"]]


def test_an_allowed_field_reaches_its_provider_and_no_other_does() -> None:
    stage = staged(provider_options={"fake": {"verbosity": "low", "colour": 1}, "other": {"verbosity": "high"}})
    made = stage()
    assert stage.provider.calls[0].extra == {"verbosity": "low"}
    assert made["facts"]["dropped"] == ["provider_options.fake.colour", "provider_options.other.verbosity"]


def test_what_a_candidate_was_asked_without_stands_in_its_attempt() -> None:
    stage = staged("temperature", parameters={"temperature": 0.2, "seed": 7}, **ASKED)
    stage.fails(failing(Unavailable), "large")
    assert stage.provider.calls[0].extra == {}
    assert told(stage) == [["provider_options.fake.verbosity", "parameters.seed"]]


def test_where_all_is_taken_nothing_is_told() -> None:
    stage = staged("temperature", "seed", parameters={"temperature": 0.2, "seed": 7}, **ASKED)
    assert "dropped" not in stage()["facts"]
    assert told(stage) == [[]]


def test_where_the_request_refuses_it_nothing_is_sent_without_it() -> None:
    stage = staged("temperature", parameters={"temperature": 0.2, "seed": 7}, on_unsupported="refuse")
    with pytest.raises(Rejected) as failure:
        stage()
    assert (failure.value.code, failure.value.param) == ("unsupported_parameter", "parameters.seed")
    assert stage.provider.calls == [], "it was found before the first byte"
    (call,) = stage.head.calls.values()
    assert (call["o"], call["p"], call["c"]) == ("Rejected", "no", 0)
    assert [outcome for _, outcome, _ in stage.circuits.recorded] == ["InvalidRequest"], "nothing against the model"


def test_a_model_that_was_registered_anew_since_is_not_sent_less_than_is_wanted() -> None:
    stage = staged(on_unsupported="refuse", **ASKED)
    stage.world.register(a_model("small"))
    with pytest.raises(Rejected) as failure:
        stage()
    assert failure.value.param == "provider_options.fake.verbosity" and stage.provider.calls == []


# dialects


@pytest.fixture(scope="module")
def server() -> Any:
    from tests.fakes.aws import aws_environment

    with ProviderServer() as running, aws_environment(SECRET, running.url):
        yield running


def body_of(server: ProviderServer, name: str, **more: Any) -> Any:
    dialect = DIALECTS[name]()
    server.answer(Script(dialect.says("Fine.")))
    more = {"parameters": {"max_output_tokens": 9}, **more}
    dialect.provider.invoke(
        Call("chat", MODEL, {"text": "Hi"}, timeout=9, endpoint=dialect.endpoint(server.url), **more)
    )
    return server.asked[0].body


@pytest.mark.parametrize("name", sorted(TAKE))
def test_each_dialect_has_a_place_for_them(server: ProviderServer, name: str) -> None:
    assert name in DIALECTS
    plain = body_of(server, name)
    body = body_of(server, name, extra={"verbosity": "low", "top_k": {"a": [1, 2.5, None]}})
    place = {"gemini": "generationConfig", "bedrock": "additionalModelRequestFields"}.get(name)
    where = body[place] if place else body
    assert (where["verbosity"], where["top_k"]) == ("low", {"a": [1, 2.5, None]})
    for each in ("verbosity", "top_k"):
        del where[each]
    assert {each: value for each, value in body.items() if value != {}} == plain


@pytest.mark.parametrize("name", sorted(TAKE))
def test_a_parameter_that_a_dialect_has_no_word_for_is_noticed_before_it_is_sent(
    server: ProviderServer, name: str
) -> None:
    from broker.providers.wire.sending import watched

    asked = {"temperature": 0.5, "top_p": 0.9, "seed": 7, "stop": ["END"]}
    with watched(asked) as watch:
        body_of(server, name, parameters={**asked, "max_output_tokens": 9})
    assert watch.sent
    silent = {"anthropic", "bedrock"}
    assert watch.dropped == (["parameters.seed"] if name in silent else [])
    with watched(asked) as watch:
        body_of(server, name, parameters={**asked, "max_output_tokens": 9}, options={"without": ["stop"]})
    assert "parameters.stop" in watch.dropped
    if name in silent:
        with watched(asked, strict=True) as watch, pytest.raises(Rejected):
            body_of(server, name, parameters={**asked, "max_output_tokens": 9})
        assert not watch.sent and server.asked == []


@pytest.mark.parametrize(("name", "model"), [("anthropic", MODEL), ("bedrock", "anthropic.claude-sonnet-4-5")])
def test_what_does_not_go_with_thinking_is_told_and_thinking_is_taken(
    server: ProviderServer, name: str, model: str
) -> None:
    from broker.providers.wire.sending import watched

    asked = {"temperature": 0.5, "top_p": 0.5, "reasoning": {"effort": "low"}, "max_output_tokens": 9000}
    dialect = DIALECTS[name]()
    server.answer(Script(dialect.says("Fine.")))
    call = Call("chat", model, {"text": "Hi"}, asked, 9, endpoint=dialect.endpoint(server.url))
    with watched(asked) as watch:
        dialect.provider.invoke(replace(call, extra={"top_k": 5}))
    assert watch.dropped == ["parameters.temperature", "parameters.top_p"]
    body = server.asked[0].body
    where = body["additionalModelRequestFields"] if name == "bedrock" else body
    assert (where["thinking"]["type"], where["top_k"]) == ("enabled", 5)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from("abc"), JSON, max_size=3)


@given(asked=OBJECTS, extra=OBJECTS)
def test_what_the_broker_says_is_never_overwritten(asked: Any, extra: Any) -> None:
    def holds(whole: Any, part: Any) -> bool:
        if isinstance(part, dict) and isinstance(whole, dict):
            return all(name in whole and holds(whole[name], value) for name, value in part.items())
        return bool(whole == part)

    made = beside(asked, extra)
    assert holds(made, asked)
    assert made.keys() == asked.keys() | extra.keys()
    assert "max_tokens" in OWN


# doors


@pytest.mark.parametrize(
    ("door", "body"),
    [
        (chat_completions, {"model": "small", "messages": [{"role": "user", "content": "Hi"}]}),
        (responses, {"model": "small", "input": "Hi"}),
        (messages, {"model": "small", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}),
    ],
)
def test_clients_of_each_dialect_may_send_them_beside_their_own(door: Any, body: Any) -> None:
    more = {**ASKED, "on_unsupported": "refuse"}
    request = stored_form(parse_request(door.job_of(body | more).job))
    assert {name: request[name] for name in more} == more
    with pytest.raises(InvalidRequest) as failure:
        parse_request(door.job_of(body | {"provider_options": {"x": 1}}).job)
    assert failure.value.param == "provider_options.x"


def test_they_make_another_question_of_the_cache() -> None:
    from broker.cache.canonical import cache_key_of

    small = Model.from_item(a_model("small", provider_options=["verbosity"]))
    plain = stored_form(parse_request({"input": "Hi"}))
    asked = stored_form(parse_request({"input": "Hi", **ASKED}))
    keys = [cache_key_of("acme", each, [small], {}) for each in (plain, asked, asked | {"on_unsupported": "refuse"})]
    assert keys[0] != keys[1] == keys[2]
