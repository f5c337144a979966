"""OpenAI's speech and transcription, over a real connection.

What they have in common with other tasks is in `test_provider_openai_more`.
"""

from collections.abc import Iterator

import pytest
from broker.providers.openai.provider import OpenAI
from broker.providers.wire.base import Blob

from tests.unit.openai_more import SOUND, call, form
from tests.unit.provider_server import ProviderServer, Script


@pytest.fixture(scope="module")
def server() -> Iterator[ProviderServer]:
    with ProviderServer() as running:
        yield running


def test_speech_comes_as_it_was_asked_for(server: ProviderServer) -> None:
    server.answer(Script(b"OggS\x00\xff", headers={"content-type": "application/octet-stream"}))
    asked = {"text": "Grüße 🎉", "voice": "nova", "format": "opus"}
    answer = OpenAI().invoke(call(server, "speak", input=asked, options={"speech": {"instructions": "Softly."}}))
    assert server.asked[0].path == "/v1/audio/speech"
    assert server.asked[0].body == {
        "model": "tts-1",
        "input": "Grüße 🎉",
        "voice": "nova",
        "response_format": "opus",
        "instructions": "Softly.",
    }
    assert answer.files == (Blob(b"OggS\x00\xff", "audio/ogg"),)
    assert (answer.output, answer.units) == ({"voice": "nova"}, {"characters": 7})
    assert answer.input_tokens > 0


def test_speech_is_what_the_server_says_it_is(server: ProviderServer) -> None:
    server.answer(Script(b"RIFF", headers={"content-type": "audio/wav; rate=8000"}))
    answer = OpenAI().invoke(call(server, "speak", options={"voice": "anna"}))
    assert answer.files == (Blob(b"RIFF", "audio/wav"),)
    assert (server.asked[0].body["voice"], server.asked[0].body["response_format"]) == ("anna", "mp3")


def test_a_transcript_has_all_that_whisper_tells(server: ProviderServer) -> None:
    segments = [{"id": 0, "start": 0, "end": 4.2, "text": " Good morning.", "tokens": [1]}]
    transcript = {"task": "transcribe", "language": "english", "duration": 8.47, "text": " Good morning. 日本", "x": 1}
    server.answer(Script(transcript | {"segments": segments, "usage": {"type": "duration", "seconds": 9}}))
    asked = {"file": SOUND, "source_language": "en-US", "text": "Names: Ann"}
    answer = OpenAI().invoke(call(server, "transcribe", input=asked, parameters={"temperature": 0.0}))
    assert server.asked[0].path == "/v1/audio/transcriptions"
    assert form(server.asked[0]) == {
        "file": b"sound.wav|audio/wav|RIFF\x00\r\n--\xff",
        "model": b"whisper-1",
        "response_format": b"verbose_json",
        "language": b"en",
        "prompt": b"Names: Ann",
        "temperature": b"0.0",
    }
    assert answer.output == {
        "text": "Good morning. 日本",
        "language": "en",
        "seconds": 8.47,
        "segments": [{"start": 0, "end": 4.2, "text": "Good morning."}],
    }
    assert (answer.units, answer.input_tokens) == ({"seconds": 9}, 0)


def test_newer_models_count_tokens(server: ProviderServer) -> None:
    usage = {"type": "tokens", "input_tokens": 14, "output_tokens": 45, "total_tokens": 59}
    server.answer(Script({"text": "Hi.", "usage": usage}))
    asked = {"file": {"s3": "s3://inbox/acme/call.MP3"}}
    answer = OpenAI().invoke(call(server, "transcribe", model="gpt-4o-transcribe", input=asked))
    sent = form(server.asked[0])
    assert (sent["response_format"], sent["file"]) == (b"json", b"sound.mp3|binary/octet-stream|ID3")
    assert (answer.output, answer.units) == ({"text": "Hi."}, {})
    assert (answer.input_tokens, answer.output_tokens) == (14, 45)


def test_speakers_are_told_apart(server: ProviderServer) -> None:
    segments = [{"type": "transcript.text.segment", "start": 0, "end": 1, "text": "Hi.", "speaker": "A"}]
    server.answer(Script({"text": "Hi.", "duration": "2.5", "segments": segments}))
    answer = OpenAI().invoke(call(server, "transcribe", model="gpt-4o-transcribe-diarize"))
    sent = form(server.asked[0])
    assert (sent["response_format"], sent["chunking_strategy"]) == (b"diarized_json", b"auto")
    assert answer.output["segments"] == [{"start": 0, "end": 1, "text": "Hi.", "speaker": "A"}]
    assert (answer.output["seconds"], answer.units) == (2.5, {"seconds": 3})


def test_silence_is_an_empty_transcript(server: ProviderServer) -> None:
    server.answer(Script({"text": "", "usage": {"type": "duration", "seconds": 3}}))
    answer = OpenAI().invoke(call(server, "transcribe", options={"transcription": {"response_format": "json"}}))
    assert (answer.output, answer.units) == ({"text": "", "seconds": 3}, {"seconds": 3})
    assert form(server.asked[0])["response_format"] == b"json"
