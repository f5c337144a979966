"""Residency: which models may be told what no rule has redacted, as routes demand it, and what redacted means."""

from collections.abc import Iterable
from typing import Any

import pytest
from broker.errors import InvalidRequest
from broker.guardrails.checks.base import About
from broker.guardrails.pipeline import inspect
from broker.guardrails.policy import DEFAULT, Policy, Rule, redacts
from broker.guardrails.spans import Span
from broker.guardrails.walk import has_unread, input_texts
from broker.routing.routes import Catalog
from broker.routing.selection import select
from broker.storage import Item
from broker.token_estimates import estimate_input
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.asking import ask, catalog, row, taken, why
from tests.fakes.world import NOW, World, a_model

EU = {"residency": {"regions": ["eu"]}}
MODELS = (
    a_model("here", regions=["eu"], rank=9),
    a_model("there", regions=["us"], rank=1),
    a_model("both", regions=["eu", "us"], rank=2),
    a_model("nowhere", rank=3),
    a_model("ours", provider="house", regions=["us"], rank=4),
)


def known(*rows: Item) -> Catalog:
    return catalog(*MODELS, *rows)


@pytest.mark.parametrize(
    ("demand", "fit"),
    [
        ({"regions": ["eu"]}, ["here"]),
        ({"regions": ["eu", "us"]}, ["there", "both", "ours", "here"]),
        ({"providers": ["house"]}, ["ours"]),
        ({"regions": ["eu"], "providers": ["house"]}, ["ours", "here"]),
        ({"regions": ["ch"]}, []),
    ],
)
def test_a_model_fits_by_its_regions_or_by_its_provider(demand: dict[str, Any], fit: list[str]) -> None:
    assert taken(known(row("all", residency=demand))) == fit
    assert sorted(taken(known(row("all", residency=demand)), redacts=True)) == ["both", "nowhere", "ours", "there"], (
        "what is redacted may go anywhere; four are tried at most"
    )


def test_who_is_left_out_has_the_reason() -> None:
    told = why(known(row("records", residency={"regions": ["eu"], "providers": ["bedrock"]})))
    assert told["there"] == ("may send data to us, and route records keeps unredacted data in eu or with bedrock")
    assert told["nowhere"].startswith("keeps to no known data region, and route records")


@pytest.mark.parametrize(
    "wish",
    [
        {"model": "there"},
        {"model": "fast"},
        {"model": "there", "routing": {"fallbacks": ["ours", "both"]}},
        {"model": "there", "routing": {"query_type": "free"}},
        {"routing": {"query_type": "free"}},
        {"routing": {"query_type": "free", "regions": ["us"]}},
        {"routing": {"query_type": "unheard-of", "objective": "cost", "fallbacks": ["nowhere"]}},
        {"routing": {"fallbacks": ["there"], "require": []}},
        {"task": "embed"},
    ],
)
def test_no_wish_of_a_request_gets_round_it(wish: dict[str, Any]) -> None:
    rows = (
        row("all", "there", fallbacks=["nowhere"], **EU),
        row("free", "there", query_type="free", fallbacks=["ours"]),
        {"pk": "MODELS", "sk": "ALIAS#fast", "models": ["there", "both"]},
    )
    chosen = select(ask(wish), known(*rows))
    assert chosen.candidates == ()
    error = chosen.refusal()
    assert (type(error), error.code, error.status) == (InvalidRequest, "no_candidate", 400)


def test_the_demands_of_all_rows_that_cover_a_job_hold_together() -> None:
    rows = (
        row("all", residency={"regions": ["eu", "us"]}),
        row("chats", task="chat", residency={"regions": ["us"], "providers": ["fake"]}),
        row("letters", query_type="letters", residency={"regions": ["eu"]}),
    )
    letters = {"routing": {"query_type": "letters"}}
    demands = known(*rows).residency({"task": "chat"} | letters)
    assert [each.route for each in demands] == ["letters", "chats", "all"]
    assert taken(known(*rows), letters) == ["here"]
    assert known(*rows).residency({"task": "embed"}) == demands[2:]
    assert known(*rows).residency(letters, redacts=True) == ()


def test_a_row_of_a_kind_of_work_is_for_that_kind_alone_and_one_that_is_disabled_for_nobody() -> None:
    rows = (row("letters", query_type="letters", **EU), row("off", enabled=False, **EU))
    assert taken(known(*rows), {"model": "there"}) == ["there"]
    assert taken(known(*rows), {"model": "there", "routing": {"query_type": "letters"}}) == []


def test_a_successor_has_to_fit_too() -> None:
    over = a_model("old", regions=["eu"], status="deprecated", sunset="2020-01-01", successor="there")
    chosen = select(ask({"model": "old"}), known(over, row("all", **EU)))
    assert chosen.candidates == ()
    assert "keeps unredacted data in eu" in str(chosen.route)


@given(
    models=st.dictionaries(
        st.sampled_from("abcdef"),
        st.tuples(st.sets(st.sampled_from(["eu", "us", "ch"])), st.sampled_from(["x", "y"])),
        min_size=1,
    ),
    demands=st.lists(
        st.tuples(
            st.sampled_from([(None, None), ("chat", None), (None, "k"), ("chat", "k")]),
            st.sets(st.sampled_from(["eu", "us", "ch"])),
            st.sets(st.sampled_from(["x", "y"])),
        ),
        max_size=4,
    ),
    wish=st.fixed_dictionaries(
        {},
        optional={
            "model": st.sampled_from("abcdef"),
            "routing": st.fixed_dictionaries({}, optional={"query_type": st.sampled_from(["k", "m"])}),
        },
    ),
)
def test_whoever_is_taken_meets_every_demand(models: Any, demands: Any, wish: dict[str, Any]) -> None:
    rows = {
        (task, kind): row(f"r{at}", task=task, query_type=kind, residency={"regions": [*regions], "providers": [*by]})
        for at, ((task, kind), regions, by) in enumerate(demands)
        if regions or by
    }
    items = [a_model(name, regions=sorted(regions), provider=by) for name, (regions, by) in models.items()]
    if wish.get("model", "auto") not in {"auto", *models}:
        return
    kind = wish.get("routing", {}).get("query_type")
    held = [item["residency"] for (_, of), item in rows.items() if of in (None, kind)]
    for model in taken(catalog(*items, *rows.values()), wish):
        regions, by = models[model]
        assert all(by in each["providers"] or (regions and regions <= set(each["regions"])) for each in held)


def rule(**facts: Any) -> Rule:
    return Rule(**{"check": "personal_data", "action": "redact"} | facts)


@pytest.mark.parametrize(
    ("policies", "told"),
    [
        ([DEFAULT], False),
        ([], False),
        *(([Policy(rules=(rule(action=each),))], True) for each in ("mask", "hash", "redact", "remove")),
        *(([Policy(rules=(rule(action=each),))], False) for each in ("flag", "review", "block")),
        ([Policy(rules=(rule(stages=("output",)),))], False),
        ([Policy(rules=(rule(check="secrets"), rule(check="card_numbers")))], False),
        ([Policy(rules=(rule(),), shadow=True)], False),
        ([Policy(rules=(rule(),), shadow=True), DEFAULT, Policy(rules=(rule(kinds=("email",)),))], True),
        ([Policy(rules=(rule(engines=("names",)),))], True),
    ],
)
def test_policies_redact_that_take_personal_data_out_of_the_request(policies: list[Policy], told: bool) -> None:
    assert redacts(policies) is told


class Check:
    """A check that finds nothing, or breaks off as it is told."""

    version = "1"
    threshold = 0.0
    reads_original = False

    def __init__(self, how: str) -> None:
        self.how = how

    def find(self, text: str, about: About) -> Iterable[Span]:
        """See `checks.base.Check`."""
        if self.how == "fails":
            raise ZeroDivisionError
        if self.how == "stops":
            about.work.take(10**9)
        if self.how == "finds":
            yield Span(0, 2, "email")


def looked(how: str, *rules: Rule, shadow: bool = False) -> bool | None:
    texts = input_texts({"input": {"text": "Hi there"}})
    return inspect("input", texts, [Policy(rules=rules, shadow=shadow)], check_of=lambda name: Check(how)).redacts


@pytest.mark.parametrize("how", ["", "finds"])
def test_rules_that_have_read_all_have_redacted(how: str) -> None:
    assert looked(how, rule()) is True
    assert looked(how, rule(), shadow=True) is None
    assert looked(how, rule(action="block")) is None
    assert looked(how, rule(engines=("names",))) is None, "that is to be asked yet"
    assert looked(how, rule(engines=("rules", "names"))) is True
    assert looked(how, rule(engines=("rules", "names"), combine="all")) is (None if how else True)


@pytest.mark.parametrize("how", ["fails", "stops"])
def test_a_rule_that_has_not_read_all_has_not_redacted(how: str) -> None:
    assert looked(how, rule(fail_open=True)) is False
    assert looked(how, rule(check="injection", action="flag")) is None
    assert looked(how, rule(action="flag"), rule(fail_open=True)) is False


TEXT = {"type": "text", "text": "Hi"}


@pytest.mark.parametrize(
    ("given_input", "unread"),
    [
        ({"text": "Hi"}, False),
        ({"text": ["Hi", "Ho"], "documents": ["Hi"]}, False),
        ({"messages": [{"role": "user", "content": "Hi"}], "tools": [{"type": "function"}]}, False),
        ({"messages": [{"role": "assistant", "content": None}, {"role": "user", "content": [TEXT]}]}, False),
        ({"messages": [{"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}]}, False),
        ({"file": {"s3": "s3://inbox/acme/a.png"}}, True),
        ({"file": {"data": "aGVsbG8=", "media_type": "image/png"}}, True),
        ({"body": {"inputs": "Hi"}}, True),
        ({"messages": [{"role": "user", "content": [TEXT, {"type": "image_url", "image_url": "https://x/a"}]}]}, True),
        ({"messages": [{"role": "tool", "content": [{"type": "file", "file": {"file_data": "data:,"}}]}]}, True),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "aGk="}}]}]}, True),
        ({"messages": [{"role": "user", "content": [TEXT | {"image_url": "data:image/png;base64,aGk="}]}]}, True),
        ({"messages": [{"role": "user", "content": [{"type": "anything-new"}]}]}, True),
    ],
)
def test_what_is_no_text_is_read_by_no_rule(given_input: dict[str, Any], unread: bool) -> None:
    assert has_unread({"task": "chat", "input": given_input}) is unread


def test_a_request_is_refused_at_the_door_as_by_other_constraints() -> None:
    world = World()
    world.register(*MODELS, row("all", **EU))
    world.tenant()
    with pytest.raises(InvalidRequest) as failure:
        world.accept({"input": {"text": "Hi"}, "model": "there"})
    assert (failure.value.code, failure.value.param, failure.value.status) == ("no_candidate", "model", 400)
    assert "route all keeps unredacted data in eu" in failure.value.message
    assert world.accept({"input": {"text": "Hi"}}).head.asked == "auto"


def test_a_summary_is_reckoned_by_a_model_that_may_make_it() -> None:
    world = World()
    world.register(
        a_model("here", regions=["eu"], price_in=50, price_out=50),
        a_model("there", regions=["us"], price_in=0, price_out=0),
    )
    world.tenant(monthly_budget=10**12)
    body = {"input": {"text": "Hi"}, "model": "here", "context": {"strategy": "summarize"}}
    free = world.accept(body, now=NOW).head.limit
    world.register(row("all", **EU))
    bound = world.accept(body, now=NOW).head.limit
    assert bound > free + 50 * estimate_input({"input": {"text": "Hi"}}, None)
