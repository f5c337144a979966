"""Before a job is accepted: its prompt is filled, some model can do it, and its worst case is known."""

import re
from typing import Any

import pytest
from broker.errors import Forbidden, InvalidRequest
from broker.jobs.holding import Prepared
from broker.jobs.request import parse_request, stored_form
from broker.steps.token_counter import Material, counter
from broker.storage import ConditionFailed
from broker.tenants import ledger
from broker.token_estimates import estimate_input

from tests.fakes.world import CHAT, NOW, World, a_model

PICTURE = {"type": "image_url", "image_url": {"url": "s3://inbox/other/a.png"}}


@pytest.fixture
def world() -> World:
    made = World()
    made.register(
        a_model("small", rank=1),
        a_model("large", rank=2, price_in=10, price_out=20),
        a_model("vectors", tasks=["embed"]),
        {"pk": "PROMPT#greet", "sk": "LATEST", "system": "Be kind.", "user": "Greet {{name}}."},
    )
    made.tenant(monthly_budget=10**9)
    made.tenant("free")
    made.tenant("bound", models=["small"])
    return made


def prepare(world: World, body: dict[str, Any], tenant: str = "acme") -> Prepared:
    return world.preparing()(tenant, stored_form(parse_request(body)), NOW)


def test_a_plain_request_is_kept_as_it_is(world: World) -> None:
    assert prepare(world, CHAT).document == {**CHAT, "task": "chat"}


@pytest.mark.parametrize(
    ("given", "after"),
    [
        ({}, []),
        ({"text": "And me."}, [{"role": "user", "content": "And me."}]),
        ({"messages": [{"role": "assistant", "content": "Hi."}]}, [{"role": "assistant", "content": "Hi."}]),
    ],
)
def test_a_prompt_comes_before_what_the_request_has(world: World, given: dict[str, Any], after: list[Any]) -> None:
    body = {"prompt": {"id": "greet", "variables": {"name": "Ann"}}, "input": given}
    document = prepare(world, body).document
    system, user, *rest = document["input"]["messages"]
    assert system["content"].startswith("Be kind.\n\nText between <data_")
    assert re.fullmatch("Greet <data_([0-9a-f]{12})>Ann</data_\\1>.", user["content"])
    assert rest == after
    assert document["prompt_used"] == {"id": "greet", "version": 1, "label": None}


def test_a_prompt_gives_what_the_request_leaves_open(world: World) -> None:
    world.register(
        {
            "pk": "PROMPT#hinted",
            "sk": "LATEST",
            "user": "Hi.",
            "hints": '{"model": "large", "parameters": {"temperature": 0.5}}',
            "output_schema": '{"type": "object"}',
        }
    )
    document = prepare(world, {"prompt": {"id": "hinted"}, "parameters": {"max_output_tokens": 9}}).document
    assert document["model"] == "large"
    assert document["parameters"] == {"temperature": 0.5, "max_output_tokens": 9}
    assert document["output_schema"] == {"type": "object"}
    assert prepare(world, {"prompt": {"id": "hinted"}, "model": "small"}).document["model"] == "small"


def test_the_policies_of_prompt_and_route_are_found_once_each(world: World) -> None:
    world.register(
        {"pk": "PROMPT#greet", "sk": "V#0002", "user": "Hi.", "guardrails": ["polite", "strict"]},
        {"pk": "MODELS", "sk": "ROUTE#kind", "query_type": "kind", "guardrails": ["strict", "kind"]},
        {"pk": "MODELS", "sk": "ROUTE#off", "query_type": "off", "guardrails": ["kind"], "enabled": False},
    )
    kind = {"routing": {"query_type": "kind"}}
    assert prepare(world, CHAT).policies == ()
    assert prepare(world, CHAT | kind).policies == ("strict", "kind")
    assert prepare(world, CHAT | kind | {"model": "small"}).policies == ()
    assert prepare(world, CHAT | {"routing": {"query_type": "off"}}).policies == ()
    prompt = {"prompt": {"id": "greet", "version": 2}}
    assert prepare(world, prompt).policies == ("polite", "strict")
    assert prepare(world, prompt | kind).policies == ("polite", "strict", "kind")
    assert prepare(world, {"prompt": {"id": "greet", "variables": {"name": "Ann"}}}).policies == (), "another version"


def test_a_label_is_stable_for_a_routing_key(world: World) -> None:
    arms = [{"version": number, "weight": 50} for number in (1, 2)]
    world.register(
        {"pk": "PROMPT#split", "sk": "V#0001", "user": "One.", "version": 1},
        {"pk": "PROMPT#split", "sk": "V#0002", "user": "Two.", "version": 2},
        {"pk": "PROMPT#split", "sk": "LABELS", "labels": {"production": arms}, "revision": 1},
    )

    def used(number: int) -> Any:
        body = {"prompt": {"id": "split"}, "metadata": {"routing_key": f"user-{number}"}}
        return prepare(world, body).document["prompt_used"]

    assert [used(number) for number in range(20)] == [used(number) for number in range(20)]
    assert {used(number)["version"] for number in range(20)} == {1, 2}
    assert used(1)["label"] == "production"


def test_every_candidate_is_held_once_and_the_dearest_twice(world: World) -> None:
    body = {**CHAT, "parameters": {"max_output_tokens": 100}}
    tokens = estimate_input(body)
    small, large = tokens + 200, 10 * tokens + 2_000
    assert prepare(world, body).hold.limit == small + 2 * large
    assert prepare(world, {**body, "model": "small"}).hold.limit == 2 * small


def test_the_hold_grows_with_the_prompt(world: World) -> None:
    short = {"model": "small", "input": {"text": "The lamp. "}}
    long = {"model": "small", "input": {"text": "The lamp. " * 1_000}}
    grown = estimate_input(long) - estimate_input(short)
    assert grown > 2_000
    assert prepare(world, long).hold.limit == prepare(world, short).hold.limit + 2 * grown


def test_a_limit_of_the_job_caps_what_is_held(world: World) -> None:
    limited = {**CHAT, "model": "small", "routing": {"max_cost_usd": 0.000003}}
    assert prepare(world, limited).hold.limit == 3_000
    generous = {**CHAT, "model": "small", "routing": {"max_cost_usd": 1}}
    assert prepare(world, generous).hold.limit == prepare(world, {**CHAT, "model": "small"}).hold.limit


def test_without_budget_and_limit_nothing_is_held(world: World) -> None:
    hold = prepare(world, CHAT, "free").hold
    assert (hold.limit, hold.buckets) == (0, {})


def test_a_limit_without_budget_binds_the_job_alone(world: World) -> None:
    hold = prepare(world, {**CHAT, "model": "small", "routing": {"max_cost_usd": 0.000003}}, "free").hold
    assert (hold.limit, hold.buckets) == (3_000, {})


def test_preparing_takes_nothing_by_itself(world: World) -> None:
    hold = prepare(world, CHAT).hold
    assert world.available() == 10**9
    assert hold.buckets == {"acme/2026-11": hold.limit}
    world.database.write(*[ledger.hold(bucket, amount) for bucket, amount in hold.buckets.items()])
    assert world.available() == 10**9 - hold.limit
    world.tenant("poor", monthly_budget=1)
    refused = prepare(world, CHAT, "poor").hold.buckets
    with pytest.raises(ConditionFailed):
        world.database.write(*[ledger.hold(bucket, amount) for bucket, amount in refused.items()])


def test_nothing_that_fits_is_an_error_that_says_why(world: World) -> None:
    with pytest.raises(InvalidRequest) as failure:
        prepare(world, {"task": "speak", "input": {"text": "Hi"}})
    assert (failure.value.code, failure.value.param, failure.value.status) == ("no_candidate", "model", 400)
    assert all(f"{name}: does not do speak" in failure.value.message for name in ("small", "large", "vectors"))


def test_a_model_that_the_tenant_may_not_use_is_forbidden(world: World) -> None:
    with pytest.raises(Forbidden) as failure:
        prepare(world, {**CHAT, "model": "large"}, "bound")
    assert (failure.value.code, failure.value.param, failure.value.status) == ("model_not_allowed", "model", 403)
    assert prepare(world, CHAT, "bound").document["input"] == CHAT["input"]


@pytest.mark.parametrize("schema", [{"type": "nonsense"}, {"$ref": "https://example.com/schema.json"}])
def test_a_schema_that_no_answer_can_be_held_against_is_refused(world: World, schema: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as failure:
        prepare(world, {**CHAT, "output_schema": schema})
    assert failure.value.param == "output_schema"


def test_an_empty_registry_says_so() -> None:
    world = World()
    world.tenant()
    with pytest.raises(InvalidRequest, match="no model is registered"):
        prepare(world, CHAT)


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"file": {"s3": "s3://elsewhere/acme/a.pdf"}}, "input.file.s3"),
        ({"file": {"s3": "s3://inbox/other/a.pdf"}}, "input.file.s3"),
        ({"file": {"s3": "s3://inbox/acme-too/a.pdf"}}, "input.file.s3"),
        ({"messages": [{"role": "user", "content": [PICTURE]}]}, "input.messages.0.content.0.image_url"),
    ],
)
def test_a_file_that_is_not_the_tenants_own_is_refused(world: World, given: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as failure:
        prepare(world, {"task": "chat", "input": {"text": "Hi", **given}})
    assert (failure.value.code, failure.value.param) == ("file_not_yours", param)


STRANGE = (
    *("../other/a.pdf", "a/../../other/a.pdf", "./a.pdf", "a//b.pdf", "a/..", "a/"),
    *("a.pdf?versionId=1", "a.pdf#1", "a\nb", "a\x00", "a\x7f", "a\x85b"),
)


@pytest.mark.parametrize("key", STRANGE)
def test_a_key_that_others_would_read_as_another_one_is_refused(world: World, key: str) -> None:
    address = f"s3://inbox/acme/{key}"
    picture = {"type": "image_url", "image_url": {"url": address}}
    for given, param in (
        ({"file": {"s3": address}}, "input.file.s3"),
        ({"messages": [{"role": "user", "content": [picture]}]}, "input.messages.0.content.0.image_url"),
    ):
        with pytest.raises(InvalidRequest) as failure:
            prepare(world, {"task": "chat", "input": {"text": "Hi", **given}})
        assert (failure.value.code, failure.value.param) == ("invalid_key", param)


@pytest.mark.parametrize("key", ["a..b.pdf", "...", ".hidden", "grüße & co (1).pdf", "a/b/c+d=e%20.pdf"])
def test_an_unusual_key_is_taken(world: World, key: str) -> None:
    assert prepare(world, {"task": "chat", "input": {"text": "Hi", "file": {"s3": f"s3://inbox/acme/{key}"}}})


def test_a_file_of_the_tenants_own_is_taken(world: World) -> None:
    prepare(world, {**CHAT, "input": {**CHAT["input"], "file": {"s3": "s3://inbox/acme/a.pdf"}}})


def test_tokens_are_counted_once_and_kept_beside_the_request(world: World) -> None:
    prepared = prepare(world, CHAT)
    assert prepared.tokens == {"unknown": estimate_input(prepared.document)}
    stored = {**prepared.kept, "tokens": {"unknown": 77}}
    request, small = Material(stored), world.models().get("small", NOW)
    assert request == prepared.document
    assert counter(request)(small) == 77, "it was counted again"
    longer = {**request, "input": {"text": "And one more. " * 100}}
    assert counter(longer)(small) == counter(request | {"input": longer["input"]})(small) == estimate_input(longer)
    assert counter(Material(prepared.document))(small) == prepared.tokens["unknown"], "of a job from before"
