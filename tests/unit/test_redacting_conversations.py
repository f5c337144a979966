"""Redaction in conversations: one value has one placeholder over all turns, and what it stands for goes with them."""

from typing import Any

import pytest
from broker.jobs.erasing import erase
from broker.providers.wire.base import Answer, Call, OperationStarted

from tests.fakes.flow import Echo, Flow
from tests.fakes.stage import Stage
from tests.fakes.talk import FILLER, LONGEST, SUMMARIZE, WINDOW
from tests.fakes.world import a_model
from tests.unit.test_redacting import ANN, BOB, EVE, PEOPLE, PII, people

NAME_1, NAME_2, NAME_3 = (f"<DENIED_TERM_{number}>" for number in (1, 2, 3))


class Gist(Echo):
    """Makes summaries that have no names."""

    def invoke(self, call: Call) -> Answer | OperationStarted:
        """See `Provider.invoke`."""
        if call.model == "cheap-1":
            self.script.append(Answer({"text": "They spoke."}))
        return super().invoke(call)


@pytest.fixture
def flow() -> Flow:
    made = Flow([people("redact")], stage=Stage(provider=Gist()))
    made.world.register(
        a_model("narrow", context_window=WINDOW, max_output_tokens=LONGEST),
        a_model("cheap", price_in=0, price_out=1, context_window=50_000),
    )
    return made


def say(text: str, **more: Any) -> dict[str, Any]:
    kept = {"conversation_id": "c-1", "ttl_seconds": 31_536_000}  # the door that lists them looks at the clock
    return {"input": {"text": text}, "model": "small", **kept, **more}


def test_the_same_value_keeps_its_placeholder_over_the_turns(flow: Flow) -> None:
    flow(say(f"I am {ANN}."))
    flow(say(f"{BOB} is here."))
    job = flow(say(f"Who met {ANN}, {EVE} or {BOB}?"))
    assert f"Who met {NAME_1}, {NAME_3} or {NAME_2}?" in flow.sent[2]
    assert f"I am {NAME_1}." in flow.sent[2]
    assert f"{NAME_2} is here." in flow.sent[2]
    assert not any(name in "".join(flow.sent) + flow.kept() for name in PEOPLE)
    assert flow.look(job.id, PII)["output"]["text"] == f"You: Who met {ANN}, {EVE} or {BOB}?"


def test_an_answer_may_speak_of_an_earlier_turn(flow: Flow) -> None:
    flow(say(f"I am {ANN}."))
    flow.stage.provider.script.append(Answer({"text": f"{NAME_1}, you said."}))
    job = flow(say("Who am I?"))
    assert flow.look(job.id, PII)["output"]["text"] == f"{ANN}, you said."
    assert flow.look(job.id)["output"]["text"] == f"{NAME_1}, you said."


def test_what_is_said_is_listed_filled_in_for_those_who_may_see_it(flow: Flow) -> None:
    flow(say(f"I am {ANN}."))
    shown = {
        scope: flow.look("c-1", scope, resource="/conversations/{id}/turns")["data"][0]["messages"][0]["content"]
        for scope in ("jobs:read", PII)
    }
    assert shown == {"jobs:read": f"I am {NAME_1}.", PII: f"I am {ANN}."}


def test_it_keeps_it_where_the_first_turn_no_longer_comes_in(flow: Flow) -> None:
    flow(say(f"I am {ANN}."))
    for _ in range(2):
        flow(say(f"Hear:{FILLER * 4}"))
    job = flow(say(f"{BOB} met {ANN}.", model="narrow"))
    assert f"I am {NAME_1}" not in flow.sent[-1], "then the first turn was not cut, and nothing is proved"
    assert f"{NAME_2} met {NAME_1}." in flow.sent[-1]
    assert flow.look(job.id, PII)["output"]["text"] == f"You: {BOB} met {ANN}."


def test_two_jobs_at_once_may_give_one_placeholder_to_two_values(flow: Flow) -> None:
    heads = [flow.submit(say(f"I am {name}.")) for name in (ANN, BOB)]
    assert [flow.look(flow.run(head).id, PII)["output"]["text"] for head in heads] == [
        f"You: I am {ANN}.",
        f"You: I am {BOB}.",
    ]
    assert all(f"I am {NAME_1}." in sent for sent in flow.sent)
    job = flow(say(f"So {ANN} is not {BOB}?"))
    assert all(part in flow.sent[2] for part in (f"I am {NAME_1}.", f"I am {NAME_2}.", f"So {NAME_1} is not {NAME_2}?"))
    assert flow.look(job.id, PII)["output"]["text"] == f"You: So {ANN} is not {BOB}?"


def test_another_tenants_conversation_of_that_name_has_values_of_its_own(flow: Flow) -> None:
    flow(say(f"I am {ANN}."))
    flow.stage.provider.script.append(Answer({"text": f"Not {NAME_1}?"}))
    job = flow(say("Who am I?"), "other")
    assert flow.look(job.id, PII, "other")["output"]["text"] == f"Not {NAME_1}?"
    flow(say(f"I am {BOB}."), "other")
    assert f"I am {NAME_2}." in flow.sent[2], "the model's own words are left to it"
    assert flow.look("c-1", PII, "other", resource="/conversations/{id}/turns")["data"][0]["messages"][0][
        "content"
    ] == (f"I am {BOB}.")


def test_what_it_stands_for_goes_with_its_turn(flow: Flow) -> None:
    head = flow(say(f"I am {ANN}."))
    flow(say(f"I am {BOB}."))
    erase(flow.world.jobs, flow.world.payloads, lambda job_id: None, flow.world.turns.erase_turn, head)
    turns = flow.world.turns.newest("acme", "c-1", limit=9, now=flow.now)
    assert [list(turn.mapping().values()) for turn in turns] == [[BOB]]
    flow.world.turns.erase("acme", "c-1", flow.now)
    flow(say(f"I am {EVE}."))
    assert f"I am {NAME_1}." in flow.sent[-1]


def next_summary(flow: Flow) -> dict[str, str]:
    """Go on until another summary of what was said is kept; what its placeholders stand for."""
    before = flow.world.turns.place("acme", "c-1", flow.now).summary
    for _ in range(9):
        flow(say(f"Hear:{FILLER}", model="narrow", **SUMMARIZE))
        summary = flow.world.turns.place("acme", "c-1", flow.now).summary
        if summary and summary != before:
            return summary.mapping
    raise AssertionError("no summary was made")


def test_it_keeps_it_where_a_summary_stands_for_its_turn(flow: Flow) -> None:
    flow(say(f"I am {ANN}, she is {BOB}.", model="narrow", **SUMMARIZE))
    assert next_summary(flow) == {"DENIED_TERM_1": ANN, "DENIED_TERM_2": BOB}
    told = next(call for call in flow.stage.provider.calls if call.model == "cheap-1")
    assert f"I am {NAME_1}, she is {NAME_2}." in str(told.input)
    job = flow(say(f"{EVE} met {BOB}.", model="narrow", **SUMMARIZE))
    assert f"{NAME_3} met {NAME_2}." in flow.sent[-1]
    assert f"I am {NAME_1}" not in flow.sent[-1]
    assert flow.look(job.id, PII)["output"]["text"].endswith(f"{EVE} met {BOB}.")
    assert set(next_summary(flow).values()) == {ANN, BOB, EVE}
    assert not any(name in "".join(flow.sent) + flow.kept() for name in PEOPLE)


def test_a_turn_from_before_there_was_a_policy_goes_out_redacted(flow: Flow) -> None:
    flow.hold()
    flow(say(f"I am {ANN}."))
    flow.hold(people("redact"))
    for text in (f"{BOB} is here.", f"{ANN} met {BOB}."):
        flow(say(text))
    assert f"I am {NAME_1}." in flow.sent[1]
    assert f"{NAME_1} met {NAME_2}." in flow.sent[2]
    assert not any(name in sent for sent in flow.sent[1:] for name in PEOPLE)
