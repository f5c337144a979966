"""OpenAI's speech and transcriptions."""

import math

from local.model_server.brain.sound import heard, samples, say
from local.model_server.brain.text import sentences
from local.model_server.exchange import Binary, Json, Problem, Request, tokens
from local.model_server.misbehaviour import allow

_LONGEST = 4096
_FORMATS = ("mp3", "opus", "aac", "flac", "wav", "pcm")


def speech(request: Request) -> Binary:
    """Speak. It is always a WAV file, and says so, but for `pcm`, which is bare samples."""
    allow(request.orders, "empty")
    body = request.body
    for name in ("input", "voice"):
        if not isinstance(body.get(name), str) or not body[name]:
            raise Problem("invalid", f"Missing required parameter: '{name}'.", name, "missing_required_parameter")
    if len(body["input"]) > _LONGEST:
        raise Problem("invalid", f"'input' has more than {_LONGEST} characters.", "input", "string_above_max_length")
    wanted = body.get("response_format", "mp3")
    if wanted not in _FORMATS:
        raise Problem("invalid", f"Invalid value: '{wanted}'.", "response_format", "invalid_value")
    sound = samples(body["input"]) if wanted == "pcm" else say(body["input"])
    return Binary(b"" if "empty" in request.orders else sound, "audio/pcm" if wanted == "pcm" else "audio/wav")


def transcription(request: Request) -> Json:
    """Write down what speech from here says; of other sounds, how long they are.

    Models named `gpt…` count tokens and have no `verbose_json`; only those with `diarize` in their name tell speakers.
    """
    allow(request.orders, "empty")
    if "file" not in request.files:
        raise Problem("invalid", "Missing required parameter: 'file'.", "file", "missing_required_parameter")
    gpt, diarize = request.model.startswith("gpt"), "diarize" in request.model
    known = ("json", "diarized_json") if diarize else ("json",) if gpt else ("json", "verbose_json")
    form = request.body.get("response_format", "json")
    if form not in known:
        message = f"response_format '{form}' is not compatible with model '{request.model}'."
        raise Problem("invalid", message, "response_format", "unsupported_value")
    said, seconds = heard(request.files["file"].content)
    text = f"A sound of {seconds:.1f} seconds." if said is None else said
    if "empty" in request.orders:
        text = ""
    reply: Json = {"text": text}
    if form != "json":
        reply |= {"task": "transcribe", "duration": round(seconds, 3), "segments": _segments(text, seconds, diarize)}
    if form == "verbose_json":
        reply["language"] = "english"
    into, out = math.ceil(seconds * 10), tokens(len(text))
    counted = {"type": "tokens", "input_tokens": into, "output_tokens": out, "total_tokens": into + out}
    return reply | {"usage": counted if gpt else {"type": "duration", "seconds": math.ceil(seconds)}}


def _segments(text: str, seconds: float, diarize: bool) -> list[Json]:
    """A segment for each sentence, as long as its share of the text."""
    found = sentences(text)
    whole, start = sum(map(len, found)), 0.0
    segments: list[Json] = []
    for number, sentence in enumerate(found):
        end = start + seconds * len(sentence) / whole
        segment = {"id": number, "start": round(start, 3), "end": round(end, 3), "text": sentence}
        segments.append(segment | ({"speaker": "A"} if diarize else {}))
        start = end
    return segments
