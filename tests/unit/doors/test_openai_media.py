"""OpenAI's package asks for pictures, speech and transcriptions."""

import base64
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import openai
import pytest
from broker.doors import images, speech, transcriptions
from broker.errors import InvalidRequest
from broker.jobs.store import REQUEST
from broker.json_text import MOST_IN_REPLY
from broker.rest.openai_media import MOST_SOUND

from tests.fakes.world import a_model
from tests.unit.doors.case import Json, Server, a_door, answering, sent
from tests.unit.rest_door import Door

PNG = b"\x89PNG of a heron"
SOUND = bytes(range(256)) * 40
WAV = ("said.wav", b"RIFF\x00\xff", "audio/x-wav")


@pytest.fixture
def door() -> Door:
    made = a_door()
    made.world.register(
        a_model("painter", tasks=["generate_image"]),
        a_model("speaker", tasks=["speak"]),
        a_model("writer", tasks=["transcribe"]),
    )
    return made


def answer(door: Door, **output: Any) -> None:
    answering(door).answer = lambda request: {**output}


def asked(door: Door) -> Json:
    """The one request that came."""
    (head,) = sent(door)
    found: Json = door.world.payloads.load(head.id, REQUEST) or {}
    return found


def test_a_picture_comes_as_bytes_and_as_a_link(door: Door, client: openai.OpenAI) -> None:
    answer(door, made=[(PNG, "image/png"), (PNG, "image/png")], revised_prompts=["A grey heron", "A white heron"])
    made = client.images.generate(
        model="painter", prompt="A heron", n=2, size="1024x1024", output_format="png", user="ada", quality="auto"
    )
    assert made.data and made.usage and [base64.b64decode(each.b64_json or "") for each in made.data] == [PNG, PNG]
    assert all(each.url and each.url.startswith("https://files.example/") for each in made.data)
    assert [each.revised_prompt for each in made.data] == ["A grey heron", "A white heron"]
    assert (made.output_format, made.usage.total_tokens) == ("png", 13)
    request = asked(door)
    assert request["input"] == {"text": "A heron", "count": 2, "size": "1024x1024", "format": "png"}
    assert (request["task"], request["model"]) == ("generate_image", "painter")


def test_a_picture_comes_in_the_form_that_was_asked_for(door: Door, client: openai.OpenAI) -> None:
    answer(door, made=[(PNG, "image/png")])
    (link,) = client.images.generate(prompt="A heron", response_format="url", size="auto").data or []
    (data,) = client.images.generate(prompt="A heron", response_format="b64_json").data or []
    assert link.url and link.b64_json is None
    assert data.b64_json and data.url is None


def test_pictures_that_no_reply_can_hold_are_links(door: Door, client: openai.OpenAI) -> None:
    answer(door, made=[(b"x" * (MOST_IN_REPLY // 4), "image/png")] * 4)
    assert [each.b64_json for each in client.images.generate(prompt="A heron").data or []] == [None] * 4
    with pytest.raises(openai.APIStatusError) as caught:
        client.images.generate(prompt="A heron", response_format="b64_json")
    assert (caught.value.status_code, caught.value.code) == (413, "answer_too_large")
    assert sent(door)[-1].id in caught.value.message, "which job has them"


def test_what_a_picture_costs_is_the_operators_choice(client: openai.OpenAI) -> None:
    for field, value in {"quality": "high", "background": "transparent", "stream": True, "style": "vivid"}.items():
        with pytest.raises(openai.BadRequestError) as caught:
            client.images.generate(prompt="A heron", **{field: value})  # type: ignore[call-overload]
        assert caught.value.param == field
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.generate(prompt="A heron", size="big")
    assert caught.value.param == "size"


@pytest.fixture
def bucket(door: Door) -> Iterator[list[str]]:
    """What links lead to: a server that gives the sound, and refuses a call with a credential, as S3 does of a link."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.path)
            signed = "authorization" in self.headers
            self.send_response(400 if signed else 200)
            self.send_header("content-length", "0" if signed else str(len(SOUND)))
            self.end_headers()
            self.wfile.write(b"" if signed else SOUND)

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    door.world.payloads.link = lambda job_id, name, number: f"{url}/{job_id}/{number}"  # type: ignore[method-assign]
    yield seen
    server.shutdown()
    server.server_close()


def test_speech_is_read_where_it_lies(door: Door, client: openai.OpenAI, bucket: list[str]) -> None:
    answer(door, voice="nova", made=[(SOUND, "audio/mpeg")])
    said = client.audio.speech.create(model="speaker", voice="nova", input="Hello", response_format="mp3", speed=1.0)
    assert said.read() == SOUND
    assert bucket == [f"/{sent(door)[0].id}/1"]
    assert asked(door)["input"] == {"text": "Hello", "voice": "nova", "format": "mp3"}
    with client.audio.speech.with_streaming_response.create(model="speaker", voice="nova", input="Hello") as stream:
        assert b"".join(stream.iter_bytes()) == SOUND


def test_speech_that_fails_is_an_error(door: Door, client: openai.OpenAI) -> None:
    answering(door).answer = lambda request: InvalidRequest("No such voice.", code="invalid_voice")
    with pytest.raises(openai.BadRequestError) as caught:
        client.audio.speech.create(model="speaker", voice="nobody", input="Hello")
    assert caught.value.code == "invalid_voice"
    for field, value in {"speed": 2.0, "instructions": "Whisper.", "stream_format": "sse"}.items():
        with pytest.raises(openai.BadRequestError) as caught:
            client.audio.speech.create(model="speaker", voice="v", input="Hello", **{field: value})  # type: ignore[arg-type]
        assert caught.value.param == field


def test_what_is_said_in_a_sound(door: Door, client: openai.OpenAI) -> None:
    segments = [{"start": 0.0, "end": 1.5, "text": "Hello."}, {"start": 1.5, "end": 2.0, "text": "Grüße"}]
    answer(door, text="Hello. Grüße", language="en", seconds=2.0, segments=segments)
    heard = client.audio.transcriptions.create(
        model="writer", file=WAV, language="en", prompt="A greeting", temperature=0.5
    )
    assert heard.text == "Hello. Grüße" and heard.usage
    assert heard.usage.to_dict() == {"type": "duration", "seconds": 2.0}
    request = asked(door)
    assert request["input"]["file"] == {"data": base64.b64encode(WAV[1]).decode(), "media_type": "audio/wav"}
    assert (request["input"]["source_language"], request["input"]["text"]) == ("en", "A greeting")
    assert request["parameters"]["temperature"] == 0.5
    text: Any = client.audio.transcriptions.create(model="writer", file=WAV, response_format="text")
    assert text == "Hello. Grüße\n"
    whole = client.audio.transcriptions.create(
        model="writer", file=WAV, response_format="verbose_json", timestamp_granularities=["segment"]
    )
    assert (whole.language, whole.duration) == ("en", 2.0)
    assert [(each.id, each.start, each.end, each.text) for each in whole.segments or []] == [
        (0, 0.0, 1.5, "Hello."),
        (1, 1.5, 2.0, "Grüße"),
    ]


def test_a_sound_of_which_no_length_is_told_is_paid_by_tokens(door: Door, client: openai.OpenAI) -> None:
    answer(door, text="")
    heard = client.audio.transcriptions.create(model="writer", file=WAV)
    assert heard.usage and heard.usage.to_dict() == {
        "type": "tokens",
        "input_tokens": 9,
        "output_tokens": 4,
        "total_tokens": 13,
    }


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"file": ("said.txt", b"x")}, "file"),
        ({"file": ("said", b"x")}, "file"),
        ({"file": ("said.wav", b"x" * (MOST_SOUND + 1))}, "file"),
        ({"response_format": "srt"}, "response_format"),
        ({"timestamp_granularities": ["word"]}, "timestamp_granularities[]"),
        ({"include": ["logprobs"]}, "include[]"),
        ({"language": "no language"}, "language"),
        ({"temperature": "warm"}, "temperature"),
        ({"chunking_strategy": "auto"}, "chunking_strategy"),
        ({"stream": True}, "stream"),
    ],
)
def test_what_a_transcription_has_no_place_for_is_named(
    client: openai.OpenAI, door: Door, more: Json, param: str
) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        client.audio.transcriptions.create(**{"model": "writer", "file": WAV, **more})
    assert caught.value.status_code in (400, 413)
    assert caught.value.body and caught.value.body["param"] == param  # type: ignore[index]
    assert sent(door) == [], "it costs nothing"


def test_a_repeat_of_a_form_is_one_job(door: Door, client: openai.OpenAI, server: Server) -> None:
    answer(door, text="Hello")
    server.fate = lambda number: "lost"
    assert client.audio.transcriptions.create(model="writer", file=WAV).text == "Hello"
    assert (len(sent(door)), len(server.asked)) == (1, 3)


def test_what_one_tenant_made_no_other_gets(door: Door, client: openai.OpenAI, stranger: openai.OpenAI) -> None:
    answer(door, made=[(PNG, "image/png")])
    key = {"idempotency-key": "k"}
    client.images.generate(prompt="A heron", extra_headers=key)
    stranger.images.generate(prompt="A heron", extra_headers=key)
    assert [head.tenant for head in sent(door)] == ["acme", "rich"], "each has a job of its own"


@pytest.mark.parametrize(
    ("mapping", "body"),
    [
        (images.job_of, {"prompt": "A heron"}),
        (speech.job_of, {"input": "Hello"}),
        (transcriptions.job_of, {"file": {"filename": "a.wav", "data": "UklGRg=="}}),
    ],
)
def test_a_field_that_nobody_knows_is_named(mapping: Any, body: Json) -> None:
    assert mapping(body).job["input"]
    with pytest.raises(InvalidRequest) as caught:
        mapping(body | {"colour": "blue"})
    assert caught.value.param == "colour"
