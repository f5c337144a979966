"""The local model server's pictures and sounds: odd ones, and which part of a bad request is named."""

import base64
import io
import struct
import wave
from typing import Any

import pytest
import urllib3

from local.model_server.brain.sound import heard, samples, say
from local.model_server.server import ModelServer

SAID = "Grüße! The lamp needed nobody. The keeper slept."
PICTURES, SPEECH, TRANSCRIPTIONS = "/v1/images/generations", "/v1/audio/speech", "/v1/audio/transcriptions"


def post(server: ModelServer, path: str, body: dict[str, Any]) -> tuple[int, Any]:
    reply = urllib3.request("POST", f"{server.url}{path}", json=body, retries=False, timeout=20)
    return reply.status, reply.json()


def post_form(server: ModelServer, form: dict[str, Any]) -> tuple[int, Any]:
    reply = urllib3.request("POST", f"{server.url}{TRANSCRIPTIONS}", fields=form, retries=False, timeout=20)
    return reply.status, reply.json()


def form_of(sound: bytes, **more: str) -> dict[str, Any]:
    return {"model": "whisper", "file": ("sound.wav", sound, "audio/wav"), **more}


def test_without_a_size_a_picture_has_the_usual_one(server: ModelServer) -> None:
    for more in ({}, {"size": "auto"}):
        _, reply = post(server, PICTURES, {"model": "gpt-image-1", "prompt": "A lamp.", **more})
        assert struct.unpack(">II", base64.b64decode(reply["data"][0]["b64_json"])[16:24]) == (1024, 1024)
        assert reply["usage"]["total_tokens"] == reply["usage"]["input_tokens"] + reply["usage"]["output_tokens"] > 1000


@pytest.mark.parametrize("text", [SAID, "one", "", "…", "x " * 500])
def test_speech_is_a_wav_file_that_is_heard_again(text: str) -> None:
    sound = say(text)
    assert struct.unpack("<I", sound[4:8])[0] == len(sound) - 8
    with wave.open(io.BytesIO(sound)) as file:
        frames = file.readframes(file.getnframes())
        seconds = file.getnframes() / file.getframerate()
    assert frames == samples(text)
    assert heard(sound) == (text, seconds)
    assert 0 < seconds <= 5


@pytest.mark.parametrize(
    "sound", [b"", b"RIFF", b"RIFF\0\0\0\0WAVE", say("")[:50], b"ID3 and more", b"RIFF1234WAVELIST"]
)
def test_other_sounds_say_nothing(sound: bytes) -> None:
    text, seconds = heard(sound)
    assert text is None
    assert seconds >= 0


BAD_PICTURES: list[tuple[dict[str, Any], str]] = [
    ({"prompt": None}, "prompt"),
    ({"prompt": " "}, "prompt"),
    ({"n": 0}, "n"),
    ({"n": 11}, "n"),
    ({"n": True}, "n"),
    ({"size": "0x10"}, "size"),
    ({"size": "9999x9999"}, "size"),
    ({"size": 10}, "size"),
    ({"size": "large"}, "size"),
    ({"response_format": "url"}, "response_format"),
    ({"output_format": "png"}, "output_format"),
    ({"model": "gpt-image-1", "output_format": "webp"}, "output_format"),
    ({"model": "gpt-image-1", "response_format": "b64_json"}, "response_format"),
    ({"model": "painter!echo"}, "model"),
    ({"model": "painter!nonsense"}, "model"),
    ({"model": ""}, "model"),
]


@pytest.mark.parametrize(("change", "param"), BAD_PICTURES)
def test_bad_pictures_are_refused_by_name(server: ModelServer, change: dict[str, Any], param: str) -> None:
    status, reply = post(server, PICTURES, {"model": "painter", "prompt": "A lamp."} | change)
    assert (status, reply["error"]["param"]) == (400, param)


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"input": ""}, "input"),
        ({"input": ["a"]}, "input"),
        ({"input": "x" * 4097}, "input"),
        ({"voice": None}, "voice"),
        ({"response_format": "midi"}, "response_format"),
        ({"response_format": ["mp3"]}, "response_format"),
        ({"model": "voice!refuse"}, "model"),
    ],
)
def test_bad_speech_is_refused_by_name(server: ModelServer, change: dict[str, Any], param: str) -> None:
    status, reply = post(server, SPEECH, {"model": "voice", "input": "Hello.", "voice": "alloy"} | change)
    assert (status, reply["error"]["param"]) == (400, param)


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"file": "no file"}, "file"),
        ({"model": "gpt-4o-transcribe", "response_format": "verbose_json"}, "response_format"),
        ({"response_format": "diarized_json"}, "response_format"),
        ({"model": "whisper!long=4"}, "model"),
        ({"model": ""}, "model"),
    ],
)
def test_bad_transcriptions_are_refused_by_name(server: ModelServer, change: dict[str, Any], param: str) -> None:
    status, reply = post_form(server, form_of(say("Hello.")) | change)
    assert (status, reply["error"]["param"]) == (400, param)


def test_json_is_no_transcription(server: ModelServer) -> None:
    status, reply = post(server, TRANSCRIPTIONS, {"model": "whisper", "file": "UklGRg=="})
    assert (status, reply["error"]["param"]) == (400, "file")


def test_a_form_keeps_every_byte(server: ModelServer) -> None:
    text = "a\r\n--other\r\n\r\n\0--b--\r\nContent-Disposition: form-data\r\n\r\nü"
    assert post_form(server, form_of(say(text)))[1]["text"] == text


def test_the_first_failures_are_counted_by_the_file(server: ModelServer) -> None:
    for sound in (say("one"), say("two")):
        form = form_of(sound, model="whisper!fail_first=1")
        assert [post_form(server, form)[0] for _ in range(2)] == [500, 200]
