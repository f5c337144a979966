"""OpenAI's `POST /v1/audio/speech`: a body as a job of the task `speak`.

Source: OpenAI's API reference, "Create speech", and the types of its Python package.
"""

from typing import Any

from broker.doors.reading import Asked, Fields, Json

PLACES = {"input.text": "input", "input.voice": "voice", "input.format": "response_format"}


def job_of(body: Any) -> Asked:
    """The body as a job request.

    Raises:
        InvalidRequest: it has a field that has no place in a job, by the field's name.
    """
    fields = Fields(body)
    given = {"text": fields.need("input"), "format": fields.take("response_format"), "voice": _voice(fields)}
    job: Json = {"task": "speak", "input": {name: value for name, value in given.items() if value is not None}}
    if (model := fields.take("model")) is not None:
        job["model"] = model
    fields.only("speed", 1, 1.0)
    fields.only("stream_format", "audio")
    fields.only("instructions", "")
    fields.end()
    return Asked(job, PLACES)


def _voice(fields: Fields) -> Any:
    voice = fields.take("voice")
    if not isinstance(voice, dict):
        return voice
    one = Fields(voice, fields.place("voice"))
    name = one.need("id")
    one.end()
    return name
