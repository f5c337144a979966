"""OpenAI's `POST /v1/audio/transcriptions`: a form as a job of the task `transcribe`, and what was said.

Source: OpenAI's API reference, "Create transcription", and the types of its Python package. OpenAI goes by the ending
of the file's name, and so does this.
"""

from typing import Any

from broker.doors.reading import Asked, Fields, Json, refuse

PLACES = {
    "input.file": "file",
    "input.file.data": "file",
    "input.file.media_type": "file",
    "input.text": "prompt",
    "input.source_language": "language",
    "parameters.temperature": "temperature",
}

KINDS = {
    **dict.fromkeys(("mp3", "mpga", "mpeg"), "audio/mpeg"),
    **dict.fromkeys(("ogg", "oga", "opus"), "audio/ogg"),
    "flac": "audio/flac",
    "m4a": "audio/mp4",
    "mp4": "video/mp4",
    "wav": "audio/wav",
    "webm": "audio/webm",
}
"""Media types by the ending of a name."""

FORMS = ("json", "text", "verbose_json")


def job_of(form: Any) -> Asked:
    """The fields of a form, its file as `{"filename", "data"}` in base64, as a job request.

    Raises:
        InvalidRequest: it has a field that has no place in a job, by the field's name.
    """
    fields = Fields(form)
    file = fields.need("file")
    ending = file["filename"].rpartition(".")[2].lower()
    if ending not in KINDS:
        refuse("file", f"its name has to end in one of {', '.join(KINDS)}")
    given: Json = {"file": {"data": file["data"], "media_type": KINDS[ending]}}
    if language := fields.take("language"):
        given["source_language"] = language
    if prompt := fields.take("prompt"):
        given["text"] = prompt
    job: Json = {"task": "transcribe", "input": given}
    if (model := fields.take("model")) is not None:
        job["model"] = model
    if (temperature := fields.take("temperature")) is not None:
        job["parameters"] = {"temperature": _number(temperature)}
    form_of(fields)
    fields.only("timestamp_granularities[]", "segment")
    fields.only("stream", "false", False)
    fields.end()
    return Asked(job, PLACES)


def form_of(fields: Fields) -> str:
    """In which form the text is wanted."""
    form = fields.take("response_format")
    if form not in (None, *FORMS):
        refuse("response_format", f"only {', '.join(FORMS)} are supported")
    return str(form or FORMS[0])


def _number(text: Any) -> float:
    try:
        return float(text)
    except (TypeError, ValueError):
        refuse("temperature", "it has to be a number", "invalid_field")


def transcription_of(view: Json, form: str) -> Json | str:
    """A finished job's view in the form that was asked for."""
    output = view["output"]
    if form == "text":
        return f"{output['text']}\n"
    told: Json = {"text": output["text"], "usage": _usage(view)}
    if form == "json":
        return told
    segments = [
        {"id": number, "start": each["start"], "end": each["end"], "text": each["text"]}
        for number, each in enumerate(output.get("segments", ()))
    ]
    known = {"language": output.get("language"), "duration": output.get("seconds")}
    return {"task": "transcribe", **told, **{name: each for name, each in known.items() if each is not None}} | (
        {"segments": segments} if segments else {}
    )


def _usage(view: Json) -> Json:
    """What is paid for: by the second where the service tells how long it was, else tokens."""
    if (length := view["output"].get("seconds")) is not None:
        return {"type": "duration", "seconds": length}
    into, out = view["usage"]["input_tokens"], view["usage"]["output_tokens"]
    return {"type": "tokens", "input_tokens": into, "output_tokens": out, "total_tokens": into + out}
