"""Whatever registry and request: candidates meet every constraint, stand in order, and each model has one reason."""

from typing import Any

from broker.clock import NANO, iso
from broker.errors import InvalidRequest
from broker.routing.circuits import State
from broker.routing.figures import Figures
from broker.routing.model import Model
from broker.routing.question import Question
from broker.routing.routes import Alias, Catalog, Choice, Route
from broker.routing.selection import MOST, Selection, select, worst_case_price
from hypothesis import event, given
from hypothesis import strategies as st

from tests.fakes.world import NOW

IDS = tuple("abcdefgh")
TASKS = ("chat", "embed")
CAPABILITIES = ("json", "schema", "tools", "vision", "poetry")
REGIONS = ("eu", "us", "uk")
NAMES = st.sampled_from((*IDS, "fast", "best"))
OBJECTIVES = ("quality", "cost", "latency", "balanced")


def some(values: tuple[str, ...], **size: Any) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), unique=True, **size)


def often(usual: Any, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.sampled_from("uuuuuo").flatmap(lambda side: st.just(usual) if side == "u" else values)


@st.composite
def models(draw: st.DrawFn) -> dict[str, Model]:
    return {
        model_id: Model(
            model_id,
            "fake",
            model_id,
            frozenset(draw(often(["chat"], some(TASKS)))),
            context_window=draw(often(10_000, st.integers(1, 200))),
            max_output_tokens=draw(st.integers(1, 50)),
            price_in=draw(st.integers(0, 20)),
            price_out=draw(st.integers(0, 20)),
            capabilities=frozenset(draw(often(CAPABILITIES, some(CAPABILITIES)))),
            rank=draw(st.integers(1, 3)),
            status=draw(often("active", st.sampled_from(("deprecated", "disabled")))),
            sunset=draw(often(None, st.sampled_from(("2020-01-01", "2026-11-18", "2026-11-19")))),
            successor=draw(st.none() | st.sampled_from(IDS)),
            quality=draw(st.integers(1, 5)),
            regions=frozenset(draw(some(REGIONS))),
            weight=draw(st.integers(0, 100)),
            by_name_only=draw(often(False, st.booleans())),
            fewest_texts=draw(often(1, st.integers(1, 2))),
        )
        for model_id in draw(often(IDS, some(IDS)))
    }


CHOICES = st.builds(Choice, NAMES, st.none() | st.integers(0, 5))


@st.composite
def catalogs(draw: st.DrawFn) -> Catalog:
    names = st.lists(NAMES, max_size=3).map(tuple)
    objective = st.none() | st.sampled_from(OBJECTIVES)
    row = st.builds(
        Route, st.just("row"), st.none(), st.none(), st.lists(CHOICES, max_size=5).map(tuple), objective, names
    )
    aliases = {name: Alias(name, tuple(draw(some(IDS, max_size=3)))) for name in ("fast", "best")}
    return Catalog(draw(models()), aliases, draw(st.dictionaries(st.just((None, None)), row, max_size=1)))


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    routing = {
        "objective": draw(st.sampled_from(OBJECTIVES)),
        "require": draw(often([], some(CAPABILITIES))),
        "regions": draw(st.sampled_from(([], [], ["eu"], ["us", "uk"], ["eu", "us"]))),
        "fallbacks": draw(st.lists(NAMES, max_size=3)),
        "max_cost_usd": draw(often(None, st.integers(0, 9_000).map(lambda nano: nano / NANO))),
    }
    part = draw(st.sampled_from(("text", "image_url")))
    return {
        "task": draw(often("chat", st.sampled_from(TASKS))),
        "model": draw(often("auto", NAMES)),
        "input": {
            "messages": [{"role": "user", "content": draw(often("x", st.just([{"type": part}])))}],
            "tools": draw(often([], st.just([{}]))),
        },
        "routing": {name: value for name, value in routing.items() if value is not None and draw(st.booleans())},
        "metadata": draw(st.sampled_from(({}, {"routing_key": "k"}))),
        "context": {"strategy": draw(often("error", st.just("truncate_oldest")))},
    } | draw(st.sampled_from(({}, {"output_schema": {}}, {"parameters": {"max_output_tokens": 5}})))


STATES = st.sampled_from((State("open", NOW + 5), State("half_open", NOW + 5), State("half_open")))
FIGURES = st.builds(
    Figures,
    at=st.just(NOW),
    calls=st.integers(10, 99),
    failures=st.integers(0, 10),
    mean_ms=st.none() | st.integers(0, 9_000),
    p95_ms=st.none() | st.integers(0, 9_000),
)


@st.composite
def questions(draw: st.DrawFn) -> Question:
    tokens = draw(st.integers(1, 150))
    return Question(
        draw(requests()),
        lambda model: tokens,
        NOW,
        allowed=draw(often(None, some(IDS))),
        tenant="acme",
        job_id=draw(st.sampled_from(("", "job_1"))),
        states=draw(st.dictionaries(st.sampled_from(IDS), STATES, max_size=3)),
        figures=draw(st.dictionaries(st.sampled_from(IDS), FIGURES)),
        left_ms=draw(often(None, st.integers(0, 10_000))),
        held=draw(often(None, st.integers(0, 5_000))),
    )


def selected(question: Question, catalog: Catalog) -> Selection | None:
    try:
        return select(question, catalog)
    except InvalidRequest as error:
        named = [question.request["model"], *question.routing.get("fallbacks", [])]
        assert error.code == "unknown_model"
        assert any(not catalog.expand(name) for name in named if name != "auto")
        return None


def meets_all(model: Model, question: Question, *, in_time: bool = True) -> bool:
    """The same constraints, said again in the plainest way; that it is usually quick enough may be left out."""
    request, routing = question.request, question.routing
    content = request["input"]["messages"][0]["content"]
    cost = question.tokens(model) * model.price_in + model.price_out * min(
        model.max_output_tokens, request.get("parameters", {}).get("max_output_tokens", 10**9)
    )
    state, figures = question.states.get(model.id), question.figures.get(model.id)
    p95 = figures.p95_ms if figures else None
    return all(
        (
            model.status != "disabled",
            model.sunset is None or model.sunset > str(iso(NOW))[:10],
            question.allowed is None or model.id in question.allowed,
            request["task"] in model.tasks,
            set(routing.get("require", ())) <= model.capabilities,
            not request["input"]["tools"] or "tools" in model.capabilities,
            isinstance(content, str) or content[0]["type"] == "text" or "vision" in model.capabilities,
            not routing.get("regions") or (model.regions and model.regions <= set(routing["regions"])),
            request["context"]["strategy"] != "error" or question.tokens(model) < model.context_window,
            model.fewest_texts == 1,
            cost <= routing.get("max_cost_usd", 1) * NANO,
            question.held is None or cost <= question.held,
            state is None or (state.phase == "half_open" and state.until is None),
            not in_time or question.left_ms is None or p95 is None or p95 <= question.left_ms,
        )
    )


def request_is_open(question: Question) -> bool:
    return question.request["model"] == "auto" and not question.routing.get("fallbacks")


def succeeds(catalog: Catalog, model: str) -> bool:
    return any(each.successor == model for each in catalog.models.values())


@given(questions(), catalogs())
def test_candidates_meet_every_constraint_and_every_model_has_one_reason(question: Question, catalog: Catalog) -> None:
    chosen = selected(question, catalog)
    if chosen is None:
        return
    event(f"{len(chosen.candidates)} candidates")
    taken = [model.id for model in chosen.candidates]
    assert len(taken) == len(set(taken)) <= MOST
    # Where all that could do it are usually too slow, they are tried all the same.
    quick = any(meets_all(model, question) for model in chosen.fitting)
    assert all(meets_all(model, question, in_time=quick) for model in chosen.fitting)
    assert [each["model"] for each in chosen.route if each["taken"]] == taken
    assert sorted(each["model"] for each in chosen.route) == sorted(catalog.models)
    assert all(isinstance(each["why"], str) and len(each["why"]) > 3 for each in chosen.route)
    if request_is_open(question) and not catalog.routes:
        assert not any(catalog.models[each].by_name_only for each in taken if not succeeds(catalog, each))
    if not taken:
        assert chosen.refusal().message


@given(questions(), catalogs())
def test_nobody_who_could_do_it_is_left_out_without_cause(question: Question, catalog: Catalog) -> None:
    chosen = selected(question, catalog)
    if chosen is None:
        return
    taken = {model.id for model in chosen.candidates}
    for each in chosen.route:
        if each["model"] not in taken and meets_all(catalog.models[each["model"]], question):
            excuses = ("not named by the request", "not in route row", "route row gives it a weight of 0")
            if catalog.models[each["model"]].by_name_only:
                excuses += ("taken only where it is named",)
            # A model that takes the place of one past its sunset says that first.
            assert each["why"].endswith(excuses) or len(taken) == MOST, each


@given(questions(), catalogs())
def test_the_order_is_that_of_the_list_or_of_the_objective(question: Question, catalog: Catalog) -> None:
    chosen = selected(question, catalog)
    if chosen is None:
        return
    reserve = ["as a fallback" in each["why"] for each in chosen.route if each["taken"]]
    assert reserve == sorted(reserve)
    if catalog.routes:
        return
    taken = [model.id for model in chosen.candidates]
    request, routing = question.request, question.routing
    names = [*([request["model"]] if request["model"] != "auto" else []), *routing.get("fallbacks", [])]
    if names:
        # Sunsets aside, the list is tried as it stands.
        listed = [model for name in names for model in catalog.expand(name)]
        places = [listed.index(model) for model in taken if model in listed]
        if not any(model.sunset for model in catalog.models.values()):
            assert places == sorted(places)
            assert len(places) == len(taken)
        return
    objective = routing.get("objective", "quality")
    for one, next_one in zip(chosen.candidates, chosen.candidates[1:], strict=False):
        if "output_schema" in request and one.capabilities != next_one.capabilities:
            continue
        if objective == "cost":
            assert question.worst(one) <= question.worst(next_one)
        if objective == "quality":
            assert (-one.quality, one.rank, one.id) < (-next_one.quality, next_one.rank, next_one.id)
        known = [question.figures.get(model.id) for model in (one, next_one)]
        if objective == "latency" and all(each and each.mean_ms is not None and not each.failures for each in known):
            assert known[0].mean_ms <= known[1].mean_ms  # type: ignore[union-attr, operator]


@given(questions(), catalogs())
def test_the_same_question_has_the_same_answer_and_the_quote_covers_it(question: Question, catalog: Catalog) -> None:
    chosen = selected(question, catalog)
    if chosen is None:
        return
    again = select(question, catalog)
    assert (again.candidates, again.route) == (chosen.candidates, chosen.route)
    cases = [question.worst(model) for model in chosen.candidates]
    limit = question.routing.get("max_cost_usd")
    needed = sum(cases) + max(cases, default=0)
    assert worst_case_price(chosen, question) >= (needed if limit is None else min(needed, int(limit * NANO)))
