"""What is held for a call is never less than what it costs."""

from typing import Any

import pytest
from broker.providers.aws.comprehend import Comprehend
from broker.providers.bedrock.guardrails import UNITS, BedrockGuardrails
from broker.providers.wire.base import Call
from broker.routing.units import most_units
from hypothesis import given
from hypothesis import strategies as some

from tests.unit.aws_cases import CASES
from tests.unit.aws_texts import PROMPT_SAFETY

PAID = {name: case for name, case in CASES.items() if case.units}


@pytest.mark.parametrize("name", PAID)
def test_no_service_charges_more_than_was_held(name: str) -> None:
    call, units = PAID[name].call, PAID[name].units
    held = most_units({"task": call.task, "input": call.input})
    assert {unit: held[unit] for unit, used in units.items() if used > held[unit]} == {}


class Polite:
    """A client of Comprehend's that finds nothing."""

    def __getattr__(self, operation: str) -> Any:
        def ask(**asked: Any) -> dict[str, Any]:
            return {
                "ResponseMetadata": {},
                "Languages": [{"LanguageCode": "en", "Score": 1.0}],
                "Sentiment": "NEUTRAL",
                "SentimentScore": {name: 0.25 for name in ("Positive", "Negative", "Neutral", "Mixed")},
                "Entities": [],
                "KeyPhrases": [],
                "ResultList": [{"Labels": [], "Toxicity": 0.0}] * len(asked.get("TextSegments", ())),
                "Classes": [{"Name": "UNSAFE_PROMPT", "Score": 0.1}],
            }

        return ask


PIECES = some.sampled_from(["a", "word ", "End. ", "日本。", "🎉", "Grüße, ", "x" * 90])
TEXTS = some.builds(lambda pieces, times: "".join(pieces) * times, some.lists(PIECES, min_size=1), some.integers(1, 60))


@given(
    task=some.sampled_from(["sentiment", "entities", "moderate"]),
    texts=some.lists(TEXTS, min_size=1, max_size=12),
    features=some.sets(some.sampled_from(["key_phrases", "pii"])),
    model=some.sampled_from(["standard", PROMPT_SAFETY]),
)
def test_comprehend_charges_no_more_however_a_text_is_split(
    task: str, texts: list[str], features: set[str], model: str
) -> None:
    asked: dict[str, Any] = {"text": texts if task == "moderate" else texts[0]}
    if task == "entities":
        asked["features"] = sorted(features)
    done = Comprehend(lambda *_: Polite()).invoke(Call(task, model, asked, {}, 20))
    assert done.units["characters"] <= most_units({"task": task, "input": asked})["characters"]


class Counting:
    """A client of Bedrock Guardrails that charges every policy for each thousand of UTF-16 units, and rounds up."""

    def apply_guardrail(self, content: list[dict[str, Any]], **_: Any) -> dict[str, Any]:
        units = [-(-len(each["text"]["text"].encode("utf-16-le")) // 2_000) for each in content]
        usage = dict.fromkeys(UNITS, units[-1]) | {"contentPolicyImageUnits": 0}
        if len(content) > 1:
            usage["contextualGroundingPolicyUnits"] = sum(units)
        else:
            usage["contextualGroundingPolicyUnits"] = 0
        return {"ResponseMetadata": {}, "usage": usage, "action": "NONE", "assessments": []}


LONG = some.builds(lambda text, times: text * times, TEXTS, some.integers(1, 40))


@given(
    texts=some.lists(LONG, min_size=1, max_size=4),
    documents=some.lists(TEXTS, max_size=3),
    query=TEXTS,
    stage=some.sampled_from(["input", "output"]),
)
def test_a_guardrail_charges_no_more_however_a_text_is_split(
    texts: list[str], documents: list[str], query: str, stage: str
) -> None:
    asked: dict[str, Any] = {"text": texts, "stage": stage}
    if documents:
        asked |= {"documents": documents} | ({"query": query} if stage == "output" else {})
    done = BedrockGuardrails(lambda *_: Counting()).invoke(Call("moderate", "gr1", asked, {}, 20))
    held = most_units({"task": "moderate", "input": asked})
    assert {unit: used for unit, used in done.units.items() if used > held[unit]} == {}
