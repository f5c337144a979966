"""The local model server's pictures and sounds, as a client sees them."""

import base64
import io
import struct
import wave
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3

from local.model_server import multipart
from local.model_server.brain.painting import paint
from local.model_server.brain.sound import heard, samples, say
from local.model_server.exchange import Problem, Upload
from local.model_server.server import ModelServer

SAID = "Grüße! The lamp needed nobody. The keeper slept."
PICTURES, SPEECH, TRANSCRIPTIONS = "/v1/images/generations", "/v1/audio/speech", "/v1/audio/transcriptions"


@pytest.fixture(scope="module")
def models() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


def post(models: ModelServer, path: str, body: dict[str, Any]) -> tuple[int, Any]:
    reply = urllib3.request("POST", f"{models.url}{path}", json=body, retries=False, timeout=20)
    return reply.status, reply.json()


def post_form(models: ModelServer, form: dict[str, Any]) -> tuple[int, Any]:
    reply = urllib3.request("POST", f"{models.url}{TRANSCRIPTIONS}", fields=form, retries=False, timeout=20)
    return reply.status, reply.json()


def form_of(sound: bytes, **more: str) -> dict[str, Any]:
    return {"model": "whisper", "file": ("sound.wav", sound, "audio/wav"), **more}


def pixels(png: bytes) -> tuple[int, int, list[bytes]]:
    """Width, height and rows of a PNG with a palette, with every checksum looked at."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, rest = {}, png[8:]
    while rest:
        size, kind = struct.unpack(">I4s", rest[:8])
        content, (checksum,) = rest[8 : 8 + size], struct.unpack(">I", rest[8 + size : 12 + size])
        assert zlib.crc32(kind + content) == checksum
        chunks[kind], rest = content, rest[12 + size :]
    assert list(chunks) == [b"IHDR", b"PLTE", b"IDAT", b"IEND"]
    width, height, *form = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert form == [8, 3, 0, 0, 0]
    data = zlib.decompress(chunks[b"IDAT"])
    rows = [data[place : place + width + 1] for place in range(0, len(data), width + 1)]
    assert all(row[0] == 0 and max(row) < len(chunks[b"PLTE"]) // 3 for row in rows)
    return width, height, rows


@pytest.mark.parametrize("size", [(10, 99), (33, 10), (256, 128)])
def test_a_picture_is_a_whole_png_of_the_size(models: ModelServer, size: tuple[int, int]) -> None:
    status, reply = post(models, PICTURES, {"model": "p", "prompt": "A lamp.", "size": "{}x{}".format(*size), "n": 2})
    assert status == 200
    first, second = (base64.b64decode(each["b64_json"]) for each in reply["data"])
    width, height, rows = pixels(first)
    assert (width, height) == size
    assert len(rows) == height
    assert first != second
    assert first == paint("A lamp.", width, height)
    assert first != paint("A cat.", width, height)


def test_without_a_size_a_picture_has_the_usual_one(models: ModelServer) -> None:
    for more in ({}, {"size": "auto"}):
        _, reply = post(models, PICTURES, {"model": "gpt-image-1", "prompt": "A lamp.", **more})
        assert pixels(base64.b64decode(reply["data"][0]["b64_json"]))[:2] == (1024, 1024)
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


def test_what_is_spoken_is_transcribed(models: ModelServer) -> None:
    body = {"model": "voice", "input": SAID, "voice": "alloy", "response_format": "wav"}
    reply = urllib3.request("POST", f"{models.url}{SPEECH}", json=body, retries=False)
    assert (reply.status, reply.headers["content-type"]) == (200, "audio/wav")
    assert post_form(models, form_of(reply.data))[1]["text"] == SAID
    _, told = post_form(models, form_of(reply.data, response_format="verbose_json"))
    assert [each["text"] for each in told["segments"]] == ["Grüße!", "The lamp needed nobody.", "The keeper slept."]
    assert told["segments"][0]["start"] == 0
    assert told["segments"][-1]["end"] == pytest.approx(told["duration"], abs=0.01)
    assert told["usage"] == {"type": "duration", "seconds": 1}
    _, of_gpt = post_form(models, form_of(reply.data, model="gpt-4o-transcribe"))
    assert (of_gpt["text"], of_gpt["usage"]["type"]) == (SAID, "tokens")
    diarized = form_of(reply.data, model="gpt-4o-transcribe-diarize", response_format="diarized_json")
    assert {each["speaker"] for each in post_form(models, diarized)[1]["segments"]} == {"A"}


def test_bare_samples_and_strange_sounds(models: ModelServer) -> None:
    body = {"model": "voice", "input": "one two", "voice": "alloy", "response_format": "pcm"}
    reply = urllib3.request("POST", f"{models.url}{SPEECH}", json=body, retries=False)
    assert (reply.headers["content-type"], reply.data) == ("audio/pcm", samples("one two"))
    assert post_form(models, form_of(reply.data))[1]["text"] == "A sound of 0.2 seconds."


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
def test_bad_pictures_are_refused_by_name(models: ModelServer, change: dict[str, Any], param: str) -> None:
    status, reply = post(models, PICTURES, {"model": "painter", "prompt": "A lamp."} | change)
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
def test_bad_speech_is_refused_by_name(models: ModelServer, change: dict[str, Any], param: str) -> None:
    status, reply = post(models, SPEECH, {"model": "voice", "input": "Hello.", "voice": "alloy"} | change)
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
def test_bad_transcriptions_are_refused_by_name(models: ModelServer, change: dict[str, Any], param: str) -> None:
    status, reply = post_form(models, form_of(say("Hello.")) | change)
    assert (status, reply["error"]["param"]) == (400, param)


def test_json_is_no_transcription(models: ModelServer) -> None:
    status, reply = post(models, TRANSCRIPTIONS, {"model": "whisper", "file": "UklGRg=="})
    assert (status, reply["error"]["param"]) == (400, "file")


def test_a_form_keeps_every_byte() -> None:
    content = bytes(range(256)) + b"\r\n--other\r\n\r\n"
    fields = {"model": "whisper", "prompt": "Grüße\r\n", "empty": "", "file": ("a b.wav", content, "audio/wav")}
    raw, content_type = urllib3.encode_multipart_formdata(fields)
    read, files = multipart.read(content_type, raw)
    assert read == {"model": "whisper", "prompt": "Grüße\r\n", "empty": ""}
    assert files == {"file": Upload("a b.wav", content)}


@pytest.mark.parametrize(
    "raw", [b"", b"--b", b"--b\r\n", b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\nx", b"no form at all"]
)
@pytest.mark.parametrize("content_type", ["multipart/form-data; boundary=b", "multipart/form-data"])
def test_a_broken_form_is_refused(models: ModelServer, raw: bytes, content_type: str) -> None:
    with pytest.raises(Problem):
        multipart.read(content_type, raw)
    headers = {"content-type": content_type}
    reply = urllib3.request("POST", f"{models.url}{TRANSCRIPTIONS}", body=raw, headers=headers, retries=False)
    assert reply.status == 400


def test_the_first_failures_are_counted_by_the_file(models: ModelServer) -> None:
    for sound in (say("one"), say("two")):
        form = form_of(sound, model="whisper!fail_first=1")
        assert [post_form(models, form)[0] for _ in range(2)] == [500, 200]
