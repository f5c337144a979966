"""The local model server's pictures and sounds, and OpenAI's provider against it."""

import base64
import http.client
import io
import json
import struct
import wave
import zlib
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from broker.errors import (
    BadOutput,
    BrokerError,
    ContextExceeded,
    CredentialRejected,
    ModelGone,
    ModelTimedOut,
    Refused,
    Rejected,
    Throttled,
    Unavailable,
)
from broker.providers.openai.provider import OpenAI
from broker.providers.wire.base import Blob, Call

from local.model_server.server import ModelServer
from tests.fakes.media import FakeMedia

SPOKEN = 'Good morning, "Änn".\nIt is 日本 🎉 time. --b\r\n'
SOUND = "s3://inbox/acme/call.wav"
MODELS = {"generate_image": "gpt-image", "speak": "speech", "transcribe": "whisper", "moderate": "moderate"}
INPUTS: dict[str, dict[str, Any]] = {
    "generate_image": {"text": "A lamp", "size": "64x32"},
    "speak": {"text": SPOKEN},
    "transcribe": {"file": {"s3": SOUND}},
    "moderate": {"text": "A lamp"},
}


def call(server: ModelServer, task: str, sound: bytes = b"ID3 some sound", **more: Any) -> Call:
    media = FakeMedia({SOUND: Blob(sound, "audio/wav")})
    made = Call(task, MODELS[task], INPUTS[task], {}, 20, "sk-local", f"{server.url}/v1", media=media)
    return replace(made, **more)


def post(server: ModelServer, path: str, body: Any, content_type: str = "application/json") -> tuple[int, str, bytes]:
    client = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=20)
    content = body if isinstance(body, bytes) else json.dumps(body)
    client.request("POST", path, content, {"Content-Type": content_type})
    reply = client.getresponse()
    found = reply.status, reply.headers["Content-Type"], reply.read()
    client.close()
    return found


def chunks(png: bytes) -> dict[bytes, bytes]:
    """The chunks of a PNG file whose checksums are right."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    found, place = {}, 8
    while place < len(png):
        size, kind = struct.unpack(">I4s", png[place : place + 8])
        content = png[place + 8 : place + 8 + size]
        assert struct.unpack(">I", png[place + 8 + size : place + 12 + size])[0] == zlib.crc32(kind + content)
        found[kind] = content
        place += 12 + size
    return found


def test_a_picture_is_a_real_png_of_the_size_asked_for(server: ModelServer) -> None:
    asked = {"model": "picture", "prompt": "A lamp 🎉", "n": 2, "size": "70x33", "response_format": "b64_json"}
    reply = json.loads(post(server, "/v1/images/generations", asked)[2])
    first, second = (base64.b64decode(each["b64_json"]) for each in reply["data"])
    found = chunks(first)
    assert list(found) == [b"IHDR", b"PLTE", b"IDAT", b"IEND"]
    assert struct.unpack(">IIBBBBB", found[b"IHDR"]) == (70, 33, 8, 3, 0, 0, 0)
    pixels = zlib.decompress(found[b"IDAT"])
    assert len(pixels) == 33 * 71
    assert max(pixels) < len(found[b"PLTE"]) / 3
    assert first != second
    assert json.loads(post(server, "/v1/images/generations", asked)[2]) == reply
    assert json.loads(post(server, "/v1/images/generations", asked | {"prompt": "A bell"})[2])["data"] != reply["data"]


def test_speech_is_a_real_wav(server: ModelServer) -> None:
    asked = {"model": "speech", "voice": "alloy", "input": "one two three"}
    status, content_type, sound = post(server, "/v1/audio/speech", asked)
    assert (status, content_type) == (200, "audio/wav")
    with wave.open(io.BytesIO(sound)) as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (1, 8000, 2400)
        frames = file.readframes(2400)
    assert struct.unpack("<I", sound[4:8])[0] == len(sound) - 8
    assert post(server, "/v1/audio/speech", asked)[2] == sound
    assert post(server, "/v1/audio/speech", asked | {"response_format": "pcm"})[1:] == ("audio/pcm", frames)


@pytest.mark.parametrize("model", ["whisper", "gpt-listen", "gpt-diarize"])
def test_what_was_spoken_is_heard_again(server: ModelServer, model: str) -> None:
    spoken = OpenAI().invoke(call(server, "speak"))
    assert spoken.units == {"characters": len(SPOKEN)}
    assert spoken.files[0].media_type == "audio/wav"
    heard = OpenAI().invoke(call(server, "transcribe", spoken.files[0].data, model=model))
    assert heard.output["text"] == SPOKEN.strip()
    if model == "whisper":
        assert (heard.output["language"], heard.units) == ("en", {"seconds": 1})
    else:
        assert heard.input_tokens > 0
    if model != "gpt-listen":
        segments = heard.output["segments"]
        assert "".join(each["text"] for each in segments).replace(" ", "") == "".join(SPOKEN.split())
        assert segments[-1]["end"] == pytest.approx(heard.output["seconds"])


def test_another_sound_is_heard_alike_each_time(server: ModelServer) -> None:
    for sound in (b"ID3 some sound", b"RIFF", b"RIFF\xff\xff\xff\xffWAVEfmt \xff\xff\xff\xff", b""):
        first, second = (OpenAI().invoke(call(server, "transcribe", sound)) for _ in range(2))
        assert first.output == second.output
        assert first.output["text"].startswith("A sound of ")


@pytest.mark.parametrize("model", ["gpt-image", "picture"])
def test_the_provider_gets_pictures(server: ModelServer, model: str) -> None:
    answer = OpenAI().invoke(call(server, "generate_image", model=model, input=INPUTS["generate_image"] | {"count": 2}))
    assert [each.media_type for each in answer.files] == ["image/png"] * 2
    assert (answer.output, answer.units) == ({"count": 2}, {"images": 2})
    assert (answer.output_tokens > 0) is (model == "gpt-image")
    with pytest.raises(Refused):
        OpenAI().invoke(call(server, "generate_image", model=model, input={"text": "He will murder them all"}))


def test_the_provider_moderates(server: ModelServer) -> None:
    answer = OpenAI().invoke(call(server, "moderate", input={"text": ["I will kill you", "What a lovely day"]}))
    assert [each["flagged"] for each in answer.output["results"]] == [True, False]
    assert answer.output["categories"]["harassment/threatening"] > 0.8


ORDERS: dict[str, tuple[type[BrokerError], bool]] = {
    "400": (Rejected, False),
    "401": (CredentialRejected, False),
    "403": (ModelGone, False),
    "404": (ModelGone, False),
    "429=3": (Throttled, False),
    "500": (Unavailable, True),
    "503": (Unavailable, False),
    "context": (ContextExceeded, False),
    "cut": (Unavailable, True),
    "hang": (ModelTimedOut, True),
    "badjson": (BadOutput, True),
    "echo": (Rejected, False),
}


@pytest.mark.parametrize("task", sorted(MODELS))
@pytest.mark.parametrize("order", ORDERS)
def test_it_misbehaves_on_order(server: ModelServer, task: str, order: str) -> None:
    made = call(server, task, model=f"{MODELS[task]}!{order}", timeout=1 if order == "hang" else 20)
    with pytest.raises(BrokerError) as caught:
        OpenAI().invoke(made)
    assert (type(caught.value), caught.value.maybe_paid) == ORDERS[order]
    assert caught.value.retry_after == (3 if order == "429=3" else None)


def test_it_refuses_and_gives_nothing_on_order(server: ModelServer) -> None:
    for model in ("gpt-image!refuse", "picture!refuse"):
        with pytest.raises(Refused):
            OpenAI().invoke(call(server, "generate_image", model=model))
    for task in ("generate_image", "speak"):
        with pytest.raises(BadOutput):
            OpenAI().invoke(call(server, task, model=f"{MODELS[task]}!empty"))
    assert OpenAI().invoke(call(server, "transcribe", model="whisper!empty")).output["text"] == ""


FORM = "multipart/form-data; boundary=b"


@pytest.mark.parametrize(
    ("path", "body", "content_type"),
    [
        ("/v1/images/generations", {"model": "m"}, "application/json"),
        ("/v1/images/generations", {"model": "m", "prompt": "a", "n": 11}, "application/json"),
        ("/v1/images/generations", {"model": "m", "prompt": "a", "size": "0x5"}, "application/json"),
        ("/v1/images/generations", {"model": "m", "prompt": "a", "size": "9999x9999"}, "application/json"),
        ("/v1/images/generations", {"model": "m", "prompt": "a", "response_format": "url"}, "application/json"),
        ("/v1/images/generations", {"model": "m", "prompt": "a", "output_format": "png"}, "application/json"),
        ("/v1/images/generations", {"model": "gpt-image", "prompt": "a", "output_format": "webp"}, "application/json"),
        ("/v1/audio/speech", {"model": "m", "input": "a"}, "application/json"),
        ("/v1/audio/speech", {"model": "m", "voice": "v", "input": "a" * 4097}, "application/json"),
        ("/v1/audio/speech", {"model": "m", "voice": "v", "input": "a", "response_format": "x"}, "application/json"),
        ("/v1/audio/transcriptions", {"model": "m"}, "application/json"),
        ("/v1/audio/transcriptions", b"", FORM),
        ("/v1/audio/transcriptions", b"no form", FORM),
        ("/v1/audio/transcriptions", b"--b\r\n\r\n", FORM),
        ("/v1/audio/transcriptions", b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n--b--', FORM),
        ("/v1/audio/transcriptions", b"--b--", "multipart/form-data"),
    ],
)
def test_what_is_wrong_is_said(server: ModelServer, path: str, body: Any, content_type: str) -> None:
    status, _, reply = post(server, path, body, content_type)
    assert (status, bool(json.loads(reply)["error"]["message"])) == (400, True)
