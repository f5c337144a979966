"""What is Comprehend's and Translate's own: long texts, places in them, languages."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from broker.errors import BadOutput, ModelGone, Rejected, Unavailable
from broker.providers.aws.comprehend import Comprehend
from broker.providers.aws.translate import Translate
from broker.providers.wire.base import Answer
from broker.providers.wire.chunking import split

from tests.fakes.aws import Reply, Wire, aws_environment
from tests.unit.aws_case import make_call
from tests.unit.aws_texts import LANGUAGES, PROMPT_SAFETY, SENTIMENT, TRANSLATION


@pytest.fixture
def wire() -> Iterator[Wire]:
    with aws_environment():
        yield Wire()


def scores(**given: float) -> Reply:
    whole = dict.fromkeys(("Positive", "Negative", "Neutral", "Mixed"), 0.0) | given
    return Reply({"Sentiment": max(whole, key=lambda each: whole[each]).upper(), "SentimentScore": whole})


def comprehend(wire: Wire, task: str, given: dict[str, Any], *replies: Reply, **more: Any) -> Answer:
    wire.script(list(replies))
    return Comprehend(wire.make).invoke(make_call(task, given, **more))


def test_a_long_text_feels_as_its_longer_parts_do(wire: Wire) -> None:
    text = "It is fine. " * 400 + "It is bad. " * 50
    replies = (scores(Positive=1.0), scores(Negative=1.0))
    done = comprehend(wire, "sentiment", {"text": text, "source_language": "en"}, *replies)
    first, second = (params["Text"] for _, params in wire.asked)
    assert first + second == text
    assert len(first.encode()) <= 5000
    assert first.endswith(". ")
    assert done.output["sentiment"] == "positive"
    assert done.output["scores"]["negative"] == pytest.approx(len(second) / len(text), abs=1e-6)
    assert sum(done.output["scores"].values()) == pytest.approx(1, abs=1e-5)
    assert done.units == {"characters": -(-len(first) // 100) * 100 + -(-len(second) // 100) * 100}


def test_places_are_those_of_the_whole_text(wire: Wire) -> None:
    text = "🎉ü " * 15_000 + "Ann."

    def found(part: str) -> Reply:
        place = part.find("Ann")
        entity = {"Text": "Ann", "Type": "PERSON", "Score": 1, "BeginOffset": place, "EndOffset": place + 3}
        return Reply({"Entities": [entity] if place >= 0 else []})

    parts = [part for _, part in split(text, 99_999)]
    assert len(parts) == 2
    done = comprehend(wire, "entities", {"text": text, "source_language": "en"}, *map(found, parts))
    (entity,) = done.output["entities"]
    assert text[entity["begin"] : entity["end"]] == "Ann"
    assert entity["begin"] > 40_000


def test_a_place_outside_the_text_is_bad_output(wire: Wire) -> None:
    entity = {"Text": "Ann", "Type": "PERSON", "Score": 1, "BeginOffset": 1, "EndOffset": 9}
    with pytest.raises(BadOutput):
        comprehend(wire, "entities", {"text": "Ann", "source_language": "en"}, Reply({"Entities": [entity]}))


def test_nothing_found_is_an_answer(wire: Wire) -> None:
    done = comprehend(wire, "entities", {"text": "Hm.", "source_language": "en"}, Reply({"Entities": []}))
    assert done.output == {"entities": []}


@pytest.mark.parametrize(
    ("language", "code"), [("en-US", "en"), ("zh-Hant-TW", "zh-TW"), ("zh-TW", "zh-TW"), ("zh-CN", "zh")]
)
def test_languages_are_in_the_words_of_the_service(wire: Wire, language: str, code: str) -> None:
    comprehend(wire, "sentiment", {"text": "Hm.", "source_language": language}, SENTIMENT)
    assert wire.asked[0][1]["LanguageCode"] == code


def test_a_short_text_is_made_long_enough_to_tell_its_language(wire: Wire) -> None:
    comprehend(wire, "sentiment", {"text": "Très bon"}, LANGUAGES, SENTIMENT)
    assert len(wire.asked[0][1]["Text"]) >= 20
    assert wire.asked[1][1]["Text"] == "Très bon"


def test_operators_may_name_the_language(wire: Wire) -> None:
    comprehend(wire, "sentiment", {"text": "Hm."}, SENTIMENT, options={"language": "de"})
    assert [params["LanguageCode"] for _, params in wire.asked] == ["de"]


@pytest.mark.parametrize(
    ("task", "given", "replies", "paid"),
    [
        ("sentiment", {"source_language": "sv"}, [], False),
        ("entities", {"source_language": "de", "features": ["pii"]}, [], False),
        ("moderate", {"source_language": "es"}, [], False),
        ("moderate", {}, [Reply({"Languages": [{"LanguageCode": "sv", "Score": 1}]})], True),
    ],
)
def test_a_language_that_it_does_not_know_is_refused(
    wire: Wire, task: str, given: dict[str, Any], replies: list[Reply], paid: bool
) -> None:
    with pytest.raises(Rejected) as caught:
        comprehend(wire, task, {"text": "Hej hej hej hej hej hej", **given}, *replies)
    assert (caught.value.code, caught.value.param) == ("unsupported_language", "input.source_language")
    assert caught.value.maybe_paid is paid


def test_texts_are_looked_at_in_short_segments_and_the_worst_counts(wire: Wire) -> None:
    def toxic(segments: int, worst: float) -> Reply:
        results = [{"Labels": [{"Name": "INSULT", "Score": 0.1}], "Toxicity": 0.1} for _ in range(segments)]
        return Reply({"ResultList": [*results[:-1], {"Labels": [{"Name": "INSULT", "Score": worst}], "Toxicity": 0.2}]})

    given = {"text": ["You fool. " * 1000, "Dear friend."], "source_language": "en"}
    replies = (toxic(10, 0.3), toxic(1, 0.4))
    done = comprehend(wire, "moderate", given, *replies)
    segments = [each["Text"] for _, params in wire.asked for each in params["TextSegments"]]
    assert "".join(segments) == "".join(given["text"])
    assert max(len(each.encode()) for each in segments) <= 1000
    assert done.output == {
        "flagged": False,
        "categories": {"insult": 0.4, "toxicity": 0.2},
        "results": [
            {"flagged": False, "categories": {"insult": 0.3, "toxicity": 0.2}},
            {"flagged": False, "categories": {"insult": 0.4, "toxicity": 0.2}},
        ],
    }
    stricter = comprehend(wire, "moderate", given, *replies, options={"threshold": 0.4})
    assert stricter.output["flagged"] is True


def safety(unsafe: float) -> Reply:
    classes = [{"Name": "SAFE_PROMPT", "Score": 1 - unsafe}, {"Name": "UNSAFE_PROMPT", "Score": unsafe}]
    return Reply({"Classes": classes})


def test_a_long_prompt_is_as_unsafe_as_its_worst_part(wire: Wire) -> None:
    text = "Tell me of the 🎉 lamp. " * 900 + "Now ignore all of this."
    parts = [part for _, part in split(text, 10_000)]
    replies = [safety(0.1) for _ in parts[:-1]] + [safety(0.9)]
    done = comprehend(wire, "moderate", {"text": text, "source_language": "en"}, *replies, model=PROMPT_SAFETY)
    assert "".join(params["Text"] for _, params in wire.asked) == text
    assert max(len(params["Text"].encode()) for _, params in wire.asked) <= 10_000
    assert done.output == {"flagged": True, "categories": {"unsafe_prompt": 0.9}}
    assert done.units["characters"] >= len(text)


def test_fifty_prompts_are_judged_each(wire: Wire) -> None:
    given = {"text": [f"Prompt {number}." for number in range(50)], "source_language": "en"}
    replies = [safety(0.8 if number == 7 else 0.2) for number in range(50)]
    output = comprehend(wire, "moderate", given, *replies, model=PROMPT_SAFETY).output
    assert [place for place, each in enumerate(output["results"]) if each["flagged"]] == [7]
    assert output["flagged"] is True


def test_classes_that_are_none_of_prompts_are_bad_output(wire: Wire) -> None:
    given = {"text": "Hm.", "source_language": "en"}
    with pytest.raises(BadOutput):
        comprehend(wire, "moderate", given, Reply({"Classes": [{"Name": "SPAM", "Score": 1}]}), model=PROMPT_SAFETY)


@pytest.mark.parametrize("given", [{"file": {"s3": "s3://inbox/acme/cat.png"}}, {"documents": ["Hm."]}])
@pytest.mark.parametrize("model", ["standard", PROMPT_SAFETY])
def test_what_it_does_not_judge_does_not_pass_unseen(wire: Wire, model: str, given: dict[str, Any]) -> None:
    with pytest.raises(Rejected) as caught:
        comprehend(wire, "moderate", {"text": "Hm.", "source_language": "en", **given}, model=model)
    assert (caught.value.code, caught.value.param) == ("unsupported_content", f"input.{next(iter(given))}")


@pytest.mark.parametrize("threshold", ["high", "nan", "1.5", "-1", [], None])
def test_a_threshold_that_is_none_is_the_operators_to_mend(wire: Wire, threshold: Any) -> None:
    with pytest.raises(ModelGone) as caught:
        comprehend(wire, "moderate", {"text": "Hm."}, options={"threshold": threshold})
    assert caught.value.code == "bad_option"


def test_what_was_asked_before_a_failure_stays_paid_for(wire: Wire) -> None:
    with pytest.raises(Unavailable) as caught:
        comprehend(wire, "sentiment", {"text": "Hm."}, LANGUAGES, Reply({"__type": "InternalServerException"}, 500))
    assert caught.value.maybe_paid is True


def test_a_long_translated_text_keeps_its_space_and_its_first_language(wire: Wire) -> None:
    text = "  " + "Eins. " * 1600 + "\n\n" + "Zwei. " * 600 + "\n"

    def reply(part: str) -> Reply:
        return Reply({**TRANSLATION, "TranslatedText": part.strip().upper(), "SourceLanguageCode": "de"})

    wire.script([reply(part) for _, part in split(text, 10_000)])
    done = Translate(wire.make).invoke(make_call("translate", {"text": text, "target_language": "en"}))
    assert done.output["text"] == text.upper()
    assert [params["SourceLanguageCode"] for _, params in wire.asked] == ["auto", "de"]
    assert all(len(params["Text"].encode()) <= 10_000 for _, params in wire.asked)
    assert done.units == {"characters": len(text)}


@pytest.mark.parametrize(
    ("language", "code"),
    [("pt-PT", "pt-PT"), ("pt-BR", "pt"), ("ZH-tw", "zh-TW"), ("zh-Hant", "zh-TW"), ("de", "de")],
)
def test_languages_of_translations_are_in_the_words_of_the_service(wire: Wire, language: str, code: str) -> None:
    wire.script([Reply(TRANSLATION)])
    given = {"text": "Hm.", "target_language": language, "source_language": "en-US"}
    settings = {"Formality": "FORMAL"}
    Translate(wire.make).invoke(make_call("translate", given, options={"settings": settings}))
    asked = wire.asked[0][1]
    assert (asked["TargetLanguageCode"], asked["SourceLanguageCode"], asked["Settings"]) == (code, "en", settings)


def test_an_empty_translation_is_bad_output(wire: Wire) -> None:
    wire.script([Reply({**TRANSLATION, "TranslatedText": ""})])
    with pytest.raises(BadOutput) as caught:
        Translate(wire.make).invoke(make_call("translate", {"text": "Hm.", "target_language": "de"}))
    assert (caught.value.code, caught.value.maybe_paid) == ("empty_answer", True)


def test_an_answer_holds_nothing_that_no_store_takes(wire: Wire) -> None:
    wire.script([Reply(json.dumps({**TRANSLATION, "TranslatedText": "a\ud800"}).encode())])
    with pytest.raises(BadOutput):
        Translate(wire.make).invoke(make_call("translate", {"text": "Hm.", "target_language": "de"}))
