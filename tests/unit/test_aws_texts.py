"""What is each AWS service's own, of those that work on texts: long ones, languages, sessions, sounds."""

import io
import json
import wave
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import botocore.session
import pytest
from broker.errors import BadOutput, ContextExceeded, Rejected, Unavailable
from broker.providers.aws.comprehend import Comprehend
from broker.providers.aws.lex import Lex
from broker.providers.aws.polly import VOICES, Polly
from broker.providers.aws.translate import Translate
from broker.providers.wire.base import Answer
from broker.providers.wire.chunking import split

from tests.fakes.aws import Reply, Wire, aws_environment
from tests.unit.aws_case import SOUND, make_call
from tests.unit.aws_texts import LANGUAGES, SENTIMENT, TRANSLATION, TURN


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
    assert done.output == {"flagged": False, "categories": {"insult": 0.4, "toxicity": 0.2}}
    stricter = comprehend(wire, "moderate", given, *replies, options={"threshold": 0.4})
    assert stricter.output["flagged"] is True


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


def speak(wire: Wire, given: dict[str, Any], *sounds: bytes, **more: Any) -> Answer:
    wire.script([Reply(sound, headers={"content-type": "audio/x"}) for sound in sounds])
    return Polly(wire.make).invoke(make_call("speak", given, "neural", **more))


def test_a_long_text_is_one_sound(wire: Wire) -> None:
    text = "Eins. " * 900
    done = speak(wire, {"text": text}, b"one", b"two")
    assert "".join(params["Text"] for _, params in wire.asked) == text
    assert done.files[0].data == b"onetwo"
    assert done.units == {"characters": len(text)}


def test_a_wav_has_a_head_that_is_right(wire: Wire) -> None:
    done = speak(wire, {"text": "Hm.", "format": "wav"}, b"\x01\x00\x02\x00")
    with wave.open(io.BytesIO(done.files[0].data)) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (16_000, 1, 2)
        assert sound.readframes(9) == b"\x01\x00\x02\x00"
    assert wire.asked[0][1]["SampleRate"] == "16000"
    assert done.files[0].media_type == "audio/wav"


def test_sounds_that_do_not_join_are_not_joined(wire: Wire) -> None:
    with pytest.raises(ContextExceeded):
        speak(wire, {"text": "Eins. " * 900, "format": "ogg"})
    assert speak(wire, {"text": "Eins.", "format": "ogg"}, SOUND).files[0].media_type == "audio/ogg"


def test_the_voice_is_the_request_s_then_the_operators_then_the_language_s(wire: Wire) -> None:
    for given, options, voice in (
        ({"voice": "Brian", "source_language": "de"}, {"voice": "Emma"}, "Brian"),
        ({"source_language": "de"}, {"voice": "Emma"}, "Emma"),
        ({"source_language": "en-GB"}, {}, "Amy"),
        ({"source_language": "fr-BE"}, {}, "Lea"),
        ({}, {}, "Joanna"),
    ):
        assert speak(wire, {"text": "Hm.", **given}, SOUND, options=options).output["voice"] == voice


def test_all_voices_are_the_service_s() -> None:
    operation = botocore.session.get_session().get_service_model("polly").operation_model("SynthesizeSpeech")
    assert set(VOICES.values()) <= set(operation.input_shape.members["VoiceId"].enum)


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"format": "midi"}, "input.format"),
        ({"voice": "../x"}, "input.voice"),
        ({"source_language": "tlh"}, "input.source_language"),
    ],
)
def test_what_it_has_not_is_refused(wire: Wire, given: dict[str, Any], param: str) -> None:
    with pytest.raises(Rejected) as caught:
        speak(wire, {"text": "Hm.", **given})
    assert (caught.value.param, wire.asked) == (param, [])


def test_no_sound_is_bad_output(wire: Wire) -> None:
    with pytest.raises(BadOutput) as caught:
        speak(wire, {"text": "Hm."}, b"")
    assert caught.value.code == "empty_answer"


def test_a_sound_without_end_is_too_large(wire: Wire) -> None:
    with pytest.raises(BadOutput) as caught:
        speak(wire, {"text": "Hm."}, bytes(17 * 1024 * 1024))
    assert caught.value.code == "reply_too_large"


def turn(wire: Wire, reply: Any, scope: str = "acme", **given: Any) -> Answer:
    wire.script([Reply(reply)])
    call = make_call("converse", {"text": "Hi.", **given}, "ABCDEFGHIJ/TSTALIASID/en_US")
    return Lex(wire.make).invoke(replace(call, scope=scope))


def session_of(wire: Wire) -> str:
    """The session that the service was last told."""
    return str(wire.asked[-1][1]["sessionId"])


def test_a_session_is_told_so_that_it_can_go_on(wire: Wire) -> None:
    session = turn(wire, TURN).output["session"]
    kept = session_of(wire)
    assert turn(wire, TURN, session=session).output["session"] == session
    assert session_of(wire) == kept


def test_sessions_of_two_tenants_never_meet(wire: Wire) -> None:
    kept = []
    for scope in ("acme", "acme", "other"):
        turn(wire, TURN, scope, session="s-1")
        kept.append(session_of(wire))
    assert kept[0] == kept[1] != kept[2]


def test_a_turn_without_words_is_an_answer(wire: Wire) -> None:
    output = turn(wire, {"sessionState": {"intent": {"name": "Order", "state": "Fulfilled"}}}).output
    assert (output["text"], output["messages"], output["slots"], output["state"]) == ("", [], {}, "Fulfilled")


def test_a_turn_without_anything_is_bad_output(wire: Wire) -> None:
    with pytest.raises(BadOutput) as caught:
        turn(wire, {"sessionState": {}})
    assert caught.value.code == "empty_answer"


def test_slots_of_slots_are_maps(wire: Wire) -> None:
    inner = {"City": {"value": {"originalValue": "köln", "interpretedValue": "Köln"}}, "Street": None}
    intent = {"name": "Order", "slots": {"Address": {"shape": "Composite", "subSlots": inner}}}
    output = turn(wire, {"sessionState": {"intent": intent}}).output
    assert output["slots"] == {"Address": {"City": "Köln", "Street": None}}


def test_a_turn_that_is_too_long_is_not_sent(wire: Wire) -> None:
    with pytest.raises(ContextExceeded):
        turn(wire, TURN, text="x" * 1025)
    assert wire.asked == []


@pytest.mark.parametrize("name", ["bot", "a/b", "a//c", "a/b/c/d"])
def test_a_name_that_is_no_bot_is_the_operators_fault(wire: Wire, name: str) -> None:
    with pytest.raises(Unavailable) as caught:
        Lex(wire.make).invoke(replace(make_call("converse", {"text": "Hi."}), model=name))
    assert caught.value.code == "bad_model_name"


def test_an_answer_holds_nothing_that_no_store_takes(wire: Wire) -> None:
    wire.script([Reply(json.dumps({**TRANSLATION, "TranslatedText": "a\ud800"}).encode())])
    with pytest.raises(BadOutput):
        Translate(wire.make).invoke(make_call("translate", {"text": "Hm.", "target_language": "de"}))
