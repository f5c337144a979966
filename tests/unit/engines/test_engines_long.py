"""Texts that are long for a judge: read in parts, or not at all."""

from broker.errors import ContextExceeded
from broker.jobs.head import Status
from broker.token_estimates import estimate

from tests.fakes.flow import Flow
from tests.fakes.judging import DOWN, Judging
from tests.fakes.world import a_model
from tests.unit.engines.engines_case import BAD, CHAT, findings, rule, said


def test_what_a_judge_found_in_one_part_counts_though_it_failed_at_another(flow: Flow, judging: Judging) -> None:
    flow.world.register(a_model("small", name="judge", context_window=3_000))
    judging.fails_at["sabotage"] = DOWN
    flow.hold(rule("small", stages=["input"], fail_open=True))
    head = flow(said(BAD + " and so on, word by word" * 400 + " sabotage"))
    assert head.status is Status.BLOCKED
    assert {kind for _, kind, _, _ in findings(flow, head)} == {"crime", "engine_failed"}


def test_a_text_too_long_for_a_judge_blocks_where_its_rule_would_block_some(flow: Flow) -> None:
    flow.world.register(a_model("small", name="judge", context_window=1_500))
    flow.hold(rule("small", stages=["input"], action="flag", block_from=900))
    head = flow(said("word by word " * 2_000))
    assert head.status is Status.BLOCKED
    assert findings(flow, head) == [("input", "not_all_read", "error", "small")]


def test_very_many_short_messages_are_cut_by_what_their_markers_take(flow: Flow) -> None:
    flow.world.register(a_model("small", name="judge", context_window=8_000))
    flow.hold(rule("small", stages=["input"]))
    turns = [{"role": ("user", "assistant")[number % 2], "content": "ok"} for number in range(301)]
    assert flow({"task": "chat", "input": {"messages": turns}}).status is Status.SUCCEEDED
    asked = [call for call in flow.stage.provider.calls if "safety classifier" in str(call.input)]
    assert asked and all(estimate(str(call.input)) < 8_000 for call in asked)


def test_a_text_too_long_for_a_service_is_one_that_was_not_all_read(flow: Flow, judging: Judging) -> None:
    judging.fails["shield"] = ContextExceeded("It is too long.", code="text_too_long")
    flow.hold(rule("shield", stages=["input"], action="flag", block_from=900))
    head = flow(CHAT)
    assert (head.status, findings(flow, head)) == (Status.BLOCKED, [("input", "not_all_read", "error", "shield")])
