"""What the tests of OpenAI beside chat ask for, and what they are told."""

import base64
from dataclasses import replace
from typing import Any

from broker.providers.wire.base import Blob, Call

from tests.fakes.media import FakeMedia
from tests.unit.provider_server import Asked, ProviderServer

SOUND = {"s3": "s3://inbox/acme/call.wav"}
MEDIA = FakeMedia(
    {
        "s3://inbox/acme/call.wav": Blob(b"RIFF\x00\r\n--\xff", "audio/wav"),
        "s3://inbox/acme/call.MP3": Blob(b"ID3", "binary/octet-stream"),
        "s3://inbox/acme/call.txt": Blob(b"Hello", "text/plain"),
    }
)
INPUTS: dict[str, dict[str, Any]] = {
    "generate_image": {"text": "A lamp, 日本語 🎉"},
    "moderate": {"text": "A lamp, 日本語 🎉"},
    "speak": {"text": "A lamp, 日本語 🎉"},
    "transcribe": {"file": SOUND},
}
MODELS = {"generate_image": "gpt-image-1", "moderate": "omni", "speak": "tts-1", "transcribe": "whisper-1"}


def call(server: ProviderServer, task: str, **more: Any) -> Call:
    made = Call(task, MODELS[task], INPUTS[task], {}, 20, "sk-the-key", f"{server.url}/v1", media=MEDIA)
    return replace(made, **more)


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def pictures(*contents: bytes, **more: Any) -> dict[str, Any]:
    return {"created": 1, "data": [{"b64_json": b64(each)} for each in contents], **more}


def verdict(flagged: bool, **scores: float) -> dict[str, Any]:
    return {"flagged": flagged, "categories": {name: flagged for name in scores}, "category_scores": scores}


def form(asked: Asked) -> dict[str, bytes]:
    """The parts of a form by name; a file's name and type stand before its content."""
    boundary = asked.headers["content-type"].partition("boundary=")[2].encode()
    assert asked.headers["content-type"].startswith("multipart/form-data; ")
    parts: dict[str, bytes] = {}
    for part in asked.body.split(b"--" + boundary)[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        name = head.partition(b'name="')[2].partition(b'"')[0].decode()
        filename = [line for line in (head.partition(b'filename="')[2].partition(b'"')[0],) if line]
        kind = head.partition(b"Content-Type: ")[2].partition(b"\r\n")[0] if filename else b""
        parts[name] = b"|".join([*filename, *([kind] if filename else []), content.removesuffix(b"\r\n")])
    return parts
