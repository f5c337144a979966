"""What makes two requests the same question."""

from dataclasses import replace
from typing import Any

import pytest
from broker.cache.canonical import ASIDE, cache_key_of, last_words
from broker.jobs.request import JobRequest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.questions import LARGE, SMALL, question, stored

PICTURE = "data:image/png;base64,QUJD"
TOOL = {"type": "function", "function": {"name": "look", "url": "https://example.com"}}
BODY: dict[str, Any] = {
    "input": {
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "How are you?"}],
        "tools": [{"type": "function", "function": {"name": "look", "parameters": {}}}],
    },
    "parameters": {"temperature": 0.2, "max_output_tokens": 100},
    "output_schema": {"type": "object"},
    "cache": {},
}


def change(path: str, value: Any) -> dict[str, Any]:
    """The body with one field set."""
    names = path.split(".")
    changed = {**BODY}
    place = changed
    for name in names[:-1]:
        place[name] = {**place.get(name, {})}
        place = place[name]
    place[names[-1]] = value
    return changed


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata", {"order": "17"}),
        ("webhook", {"url": "https://example.com/hook"}),
        ("priority", "bulk"),
        ("deadline_seconds", 60),
        ("timeout_seconds", 60),
        ("ttl_seconds", 7200),
        ("cache", {"mode": "use", "ttl_seconds": 60}),
        ("coalesce", True),
        ("routing", {"objective": "cost", "fallbacks": ["large"]}),
        ("model", "small"),
        ("prompt_cache", {"key": "manual"}),
        (
            "input.messages",
            [
                {"role": "system", "content": "Be brief.", "cache_control": {"type": "ephemeral"}},
                {"role": "user", "content": "How are you?"},
            ],
        ),
        ("context", {"strategy": "error"}),
        ("parameters", {"max_output_tokens": 100, "temperature": 0.20}),
    ],
)
def test_what_does_not_change_the_answer_does_not_change_the_key(path: str, value: Any) -> None:
    assert question(change(path, value)).keys == question(BODY).keys


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("input.messages", [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "How are You?"}]),
        ("input.messages", [{"role": "user", "content": "How are you?"}]),
        ("input.messages", [{"role": "system", "content": "Be long."}, {"role": "user", "content": "How are you?"}]),
        ("input.tools", [{"type": "function", "function": {"name": "see", "parameters": {}}}]),
        ("input.tool_choice", "none"),
        ("parameters", {"temperature": 0.3, "max_output_tokens": 100}),
        ("parameters", {"max_output_tokens": 100}),
        ("parameters.top_p", 0.5),
        ("parameters.seed", 1),
        ("parameters.stop", ["."]),
        ("parameters.max_output_tokens", 101),
        ("output_schema", {"type": "array"}),
        ("context", {"strategy": "truncate_oldest"}),
        ("prompt", {"id": "greet", "version": 2}),
    ],
)
def test_what_may_change_the_answer_changes_the_key(path: str, value: Any) -> None:
    assert question(change(path, value)).key != question(BODY).key


def test_a_field_that_is_new_to_the_contract_counts_until_it_is_set_aside() -> None:
    known = {*ASIDE, "task", "input", "output_schema", "context", "provider_options"}
    known -= {"history", "prompt_used", "asked_by"}
    assert known == set(JobRequest.model_fields), "say in ASIDE whether the field changes the answer"
    request = stored(BODY)
    plain, new = (cache_key_of("acme", each, [SMALL], {}) for each in (request, request | {"mood": "merry"}))
    assert plain is not None
    assert new is not None
    assert plain.key != new.key


def test_the_version_of_a_prompt_counts_and_its_label_does_not() -> None:
    first, second = ({**BODY, "prompt": {"id": "greet", "version": number}} for number in (1, 2))
    assert question(first).key != question(second).key
    assert question({**BODY, "prompt": {"id": "greet", "version": 1, "label": "staging"}}).key == question(first).key


def test_a_limit_that_is_left_out_is_the_models_own() -> None:
    bare = {**BODY, "parameters": {}}
    assert question(bare).key == question({**BODY, "parameters": {"max_output_tokens": 1_000}}).key
    assert question(bare).key == question({**BODY, "parameters": {"max_output_tokens": 9_999}}).key
    assert question(bare).key != question({**BODY, "parameters": {"max_output_tokens": 999}}).key


def test_each_candidate_has_a_key_of_its_own_and_the_first_is_asked_for() -> None:
    both = question(BODY)
    assert list(both.keys) == ["small", "large"]
    assert len(set(both.keys.values())) == 2
    assert both.key == both.keys["small"]
    assert question(BODY, candidates=(LARGE,)).key == both.keys["large"]


@pytest.mark.parametrize("changes", [{"name": "small-2"}, {"provider": "x"}, {"endpoint": "eu"}, {"options": {"a": 1}}])
def test_another_model_behind_the_same_id_is_another(changes: dict[str, Any]) -> None:
    assert question(BODY, candidates=(replace(SMALL, **changes),)).key != question(BODY).key


def test_a_models_price_and_rank_change_no_answer() -> None:
    dearer = replace(SMALL, price_in=9, rank=7, version=2, weight=1)
    assert question(BODY, candidates=(dearer,)).key == question(BODY).key


def test_other_guardrail_settings_make_another_question() -> None:
    assert question(BODY, guardrails={"policies": ["strict@2"]}).key != question(BODY).key


TEXT = st.text(max_size=20)
BODIES = st.fixed_dictionaries(
    {"input": st.fixed_dictionaries({"text": st.text(min_size=1, max_size=20).filter(str.strip)})},
    optional={
        "parameters": st.fixed_dictionaries({}, optional={"temperature": st.floats(0, 2), "seed": st.integers(0, 9)}),
        "output_schema": st.dictionaries(TEXT, TEXT, max_size=2),
    },
)


def sayable(body: dict[str, Any]) -> bool:
    try:
        str(body).encode()
    except UnicodeEncodeError:
        return False
    return True


@given(
    BODIES.filter(sayable), BODIES.filter(sayable), st.sampled_from(["acme", "zeta"]), st.sampled_from(["acme", "zeta"])
)
def test_two_questions_meet_only_if_tenant_and_material_are_the_same(
    one: dict[str, Any], two: dict[str, Any], first: str, second: str
) -> None:
    same = first == second and stored(one) == stored(two)
    assert (question(one, tenant=first).key == question(two, tenant=second).key) == same


@given(BODIES.filter(sayable), st.randoms())
def test_the_order_of_fields_does_not_count(body: dict[str, Any], chance: Any) -> None:
    pairs = list(body.items())
    chance.shuffle(pairs)
    assert question(dict(pairs)).key == question(body).key


@pytest.mark.parametrize(
    "body",
    [
        {"task": "extract_text", "input": {"file": {"s3": "s3://inbox/acme/a.pdf"}}},
        {
            "input": {
                "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "s3://i/k"}}]}]
            }
        },
        {"input": {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "https://x.org"}]}]}},
        {"input": {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f-1"}}]}]}},
        {"task": "custom", "input": {"body": {"rows": [{"url": "http://x.org"}]}}},
        {"task": "speak", "input": {"text": "Hello"}},
        {"task": "generate_image", "input": {"text": "A lamp"}},
        {"input": {"text": "And then?"}, "conversation_id": "c-1"},
    ],
    ids=["object", "picture", "address", "file id", "body", "sound", "picture made", "conversation"],
)
def test_what_may_change_elsewhere_or_lies_in_files_is_no_question(body: dict[str, Any]) -> None:
    assert cache_key_of("acme", stored(body), [SMALL], {}) is None


@pytest.mark.parametrize(
    "body",
    [
        {"task": "extract_text", "input": {"file": {"data": "QUJD", "media_type": "image/png"}}},
        {"input": {"text": "What is at https://example.com and s3://a/b?"}},
        {"input": {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": PICTURE}}]}]}},
        {"input": {"text": "x", "tools": [TOOL]}},
    ],
    ids=["bytes", "words", "data", "tools"],
)
def test_material_that_is_all_there_is_a_question(body: dict[str, Any]) -> None:
    assert cache_key_of("acme", stored(body), [SMALL], {}) is not None


def test_the_turns_of_a_conversation_are_part_of_the_question() -> None:
    body = {"input": {"text": "And then?"}, "conversation_id": "c-1"}
    turns = [{"role": "user", "content": "Tell me."}, {"role": "assistant", "content": "It went out."}]
    own = {"role": "user", "content": "And then?"}
    assert cache_key_of("acme", stored(body), [SMALL], {}) is None, "its turns are not known"

    def asked(conversation: str, *earlier: dict[str, str]) -> str:
        recalled = {"input": {"messages": [*earlier, own]}, "history": {"from": 0, "to": len(earlier)}}
        found = cache_key_of("acme", stored(body) | recalled | {"conversation_id": conversation}, [SMALL], {})
        assert found is not None
        return found.key

    assert asked("c-1", *turns) != asked("c-1")
    assert asked("c-1", *turns) == asked("c-2", *turns)


def chat(*contents: Any) -> dict[str, Any]:
    return {"input": {"messages": [{"role": "user", "content": each} for each in contents]}}


def test_questions_of_one_shape_differ_in_their_last_words_alone() -> None:
    def shape(body: dict[str, Any], **facts: Any) -> str:
        return question(body, **{"embedding_model": "titan", **facts}).shape

    assert shape(chat("Who are you?")) == shape(chat("Who is that?")) != ""
    assert shape(chat([{"type": "text", "text": "Who are you?"}])) == shape(chat("Who is that?"))
    assert shape(chat("Before.", "Who?")) != shape(chat("After.", "Who?"))
    assert shape({**chat("Who?"), "parameters": {"temperature": 1}}) != shape(chat("Who?"))
    assert shape(chat("Who?"), embedding_model="cohere") != shape(chat("Who?"))
    assert shape(chat("Who?"), tenant="zeta") != shape(chat("Who?"))
    assert shape(chat("Who?"), candidates=(LARGE, SMALL)) != shape(chat("Who?"))
    assert question(chat("Who?")).shape == "", "nobody asked for similarity"


def test_only_a_chat_that_ends_with_a_users_words_has_a_shape() -> None:
    ended = {"input": {"messages": [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "I"}]}}
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}
    for body in (ended, chat([picture]), {"task": "embed", "input": {"text": "Who?"}}):
        assert question(body, embedding_model="titan").shape == ""


def test_the_last_words_are_the_text_of_the_last_turn() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}
    parts = [{"type": "text", "text": "What is"}, picture, {"type": "text", "text": "this?"}]
    assert last_words(stored(chat("Hello.", parts)))[0] == "What is\nthis?"
    assert last_words(stored({"input": {"text": "Hello"}})) == ("Hello", {})
