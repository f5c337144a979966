"""What is Polly's own: long texts, kinds of sound, voices."""

import io
import wave
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from broker.errors import BadOutput, ContextExceeded, Rejected
from broker.providers.aws.polly import VOICES, Polly
from broker.providers.wire.base import Answer

from tests.fakes.aws import Reply, Wire, aws_environment
from tests.unit.aws_case import SOUND, make_call


@pytest.fixture
def wire() -> Iterator[Wire]:
    with aws_environment():
        yield Wire()


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
