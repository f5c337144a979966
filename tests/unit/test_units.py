"""What is held for a call is never less than what it costs."""

from typing import Any

import pytest
from broker.providers.aws.comprehend import Comprehend
from broker.providers.wire.base import Call
from broker.routing.units import most_units
from hypothesis import given
from hypothesis import strategies as some

from tests.unit.aws_cases import CASES

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
            }

        return ask


PIECES = some.sampled_from(["a", "word ", "End. ", "日本。", "🎉", "Grüße, ", "x" * 90])
TEXTS = some.builds(lambda pieces, times: "".join(pieces) * times, some.lists(PIECES, min_size=1), some.integers(1, 60))


@given(
    task=some.sampled_from(["sentiment", "entities", "moderate"]),
    texts=some.lists(TEXTS, min_size=1, max_size=12),
    features=some.sets(some.sampled_from(["key_phrases", "pii"])),
)
def test_comprehend_charges_no_more_however_a_text_is_split(task: str, texts: list[str], features: set[str]) -> None:
    asked: dict[str, Any] = {"text": texts if task == "moderate" else texts[0]}
    if task == "entities":
        asked["features"] = sorted(features)
    done = Comprehend(lambda *_: Polite()).invoke(Call(task, "standard", asked, {}, 20))
    assert done.units["characters"] <= most_units({"task": task, "input": asked})["characters"]
