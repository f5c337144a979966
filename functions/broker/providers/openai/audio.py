"""OpenAI's speech and transcription, as OpenAI and compatible servers do them.

Source: the API reference of OpenAI, `POST /v1/audio/speech` and `POST /v1/audio/transcriptions`.

Options of a model: `family` where its name does not say it (a deployment); `voice` where the request names none;
`speech` and `transcription` for further fields of the request (`{"instructions": "Speak softly."}`,
`{"response_format": "verbose_json"}`).
"""

import math
from collections.abc import Mapping
from typing import Any

from broker.errors import InvalidRequest, Rejected
from broker.providers.openai.format import OpenAIService
from broker.providers.openai.languages import code_of
from broker.providers.openai.usage import tokens
from broker.providers.wire import chat as chats
from broker.providers.wire.base import Answer, Blob, Call
from broker.providers.wire.exchange import bad, facts
from broker.providers.wire.http_client import Part, ProviderReply, post_for_bytes, post_form
from broker.token_estimates import estimate

VOICE = "alloy"
"""Every speech model of OpenAI's has it."""

SOUNDS = {
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}
"""What speech comes in; `pcm` is 24 kHz, 16 bits, little-endian, without a header."""

ENDINGS = {
    "audio/flac": "flac",
    "audio/x-flac": "flac",
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
    "audio/mp4": "m4a",
    "audio/m4a": "m4a",
    "audio/x-m4a": "m4a",
    "video/mp4": "mp4",
    "audio/ogg": "ogg",
    "audio/opus": "ogg",
    "audio/wav": "wav",
    "audio/wave": "wav",
    "audio/x-wav": "wav",
    "audio/vnd.wave": "wav",
    "audio/webm": "webm",
    "video/webm": "webm",
}
"""The service goes by the ending of the file's name."""

FORMS: tuple[tuple[str, dict[str, Part]], ...] = (
    ("diarize", {"response_format": "diarized_json", "chunking_strategy": "auto"}),
    ("whisper", {"response_format": "verbose_json"}),
    ("", {"response_format": "json"}),
)
"""The fullest answer of each family, by a part of the model's name: the first that fits."""


def speak(call: Call, service: OpenAIService) -> Answer:
    """Say `input.text`.

    Returns:
        `{"voice"}` and one file; units are `characters`. The service tells no tokens, so those of the text are an
        estimate, and those of the sound none.

    Raises:
        BrokerError: by `Provider`.
    """
    text, wanted = call.input.get("text"), call.input.get("format") or "mp3"
    if not isinstance(text, str) or not text.strip():
        raise InvalidRequest("The request has no text.", code="no_input", param="input.text")
    if wanted not in SOUNDS:
        message = f"This model speaks in {', '.join(SOUNDS)}."
        raise Rejected(message, code="unsupported_format", param="input.format")
    voice = call.input.get("voice") or call.options.get("voice", VOICE)
    asked = {"model": call.model, "input": text, "voice": voice, "response_format": wanted}
    reply = post_for_bytes(
        service.url("audio/speech"),
        asked | dict(call.options.get("speech", {})),
        headers=service.headers,
        timeout=call.timeout,
    )
    sound = Blob(reply.body, _media_type(reply, SOUNDS[wanted]))
    return Answer(
        {"voice": voice},
        input_tokens=estimate(text),
        facts=facts(reply),
        units={"characters": len(text)},
        files=(sound,),
    )


def _media_type(reply: ProviderReply, asked: str) -> str:
    """What came, which need not be what was asked for: smaller servers make one kind alone."""
    declared = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared.startswith("text/") or declared.endswith("json"):
        bad("The provider's reply is no sound.")
    if not reply.body:
        bad("The provider's sound is empty.", code="empty_answer")
    return declared if declared.startswith("audio/") else asked


def transcribe(call: Call, service: OpenAIService) -> Answer:
    """Write down what is said in `input.file`; `input.text`, where it is given, tells the model what to expect.

    Returns:
        `{"text"}`, and where the model tells them: `language` (ISO 639-1), `seconds`, `segments` (`[{"start", "end",
        "text"}]`, seconds, and `speaker`); units are whole `seconds`, begun ones too. Silence is an empty text.

    Raises:
        BrokerError: by `Provider`.
    """
    reply = post_form(
        service.url("audio/transcriptions"),
        _form(call),
        headers=service.headers,
        timeout=call.timeout,
    )
    body = reply.body
    if not isinstance(body, dict) or not isinstance(body.get("text"), str):
        bad("The provider's reply has no text.")
    usage = body["usage"] if isinstance(body.get("usage"), dict) else {}
    output: dict[str, Any] = {"text": body["text"].strip()}
    if language := code_of(body.get("language")):
        output["language"] = language
    seconds = _number(body.get("duration", usage.get("seconds")))
    if seconds is not None:
        output["seconds"] = seconds
    reported = body.get("segments") or []
    if not isinstance(reported, list):
        bad("The provider's reply has segments that are none.")
    if segments := [_segment(each) for each in reported]:
        output["segments"] = segments
    paid = _number(usage.get("seconds", seconds))
    input_tokens, output_tokens = tokens(body)
    return Answer(
        output,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        facts=facts(reply),
        units={} if paid is None else {"seconds": math.ceil(paid)},
    )


def _form(call: Call) -> dict[str, Part]:
    given = call.input.get("file")
    if not given:
        raise InvalidRequest("The request has no sound.", code="no_input", param="input.file")
    sound = call.media.read(given)
    suffix = str(given.get("s3", "")).rpartition(".")[2].lower()
    ending = ENDINGS.get(sound.media_type, suffix)
    if ending not in {*ENDINGS.values(), "mpga", "mpeg", "oga"}:
        message = "The file is of no kind of sound that this model takes."
        raise Rejected(message, code="unsupported_content", param="input.file")
    family = str(call.options.get("family", call.model))
    form: dict[str, Part] = {"model": call.model, **next(form for part, form in FORMS if part in family)}
    if call.input.get("source_language"):
        form["language"] = call.input["source_language"].partition("-")[0].lower()
    if isinstance(call.input.get("text"), str):
        form["prompt"] = call.input["text"]
    if (temperature := chats.parameter(call, "temperature")) is not None:
        form["temperature"] = str(temperature)
    form |= {name: str(value) for name, value in call.options.get("transcription", {}).items()}
    return form | {"file": (f"sound.{ending}", sound.data, sound.media_type)}


def _segment(given: Any) -> dict[str, Any]:
    fields: Mapping[str, Any] = given if isinstance(given, dict) else {}
    start, end, text = _number(fields.get("start")), _number(fields.get("end")), fields.get("text")
    if start is None or end is None or not isinstance(text, str):
        bad("The provider's reply has a segment that is none.")
    segment = {"start": start, "end": end, "text": text.strip()}
    return segment | ({"speaker": fields["speaker"]} if isinstance(fields.get("speaker"), str) else {})


def _number(given: Any) -> float | None:
    """A duration or a moment in seconds; some servers give it as a text."""
    try:
        value = float(given)
    except (TypeError, ValueError, OverflowError):
        return None
    return value if math.isfinite(value) and value >= 0 else None
