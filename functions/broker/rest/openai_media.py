"""The routes of OpenAI's clients for pictures and sounds."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from broker.errors import NotFound, TooLarge
from broker.jobs.head import Head
from broker.json_text import MOST_IN_REPLY
from broker.rest.door_calls import accepted, answered, headers_of, too_large
from broker.rest.forms import read_form
from broker.rest.http import Reply, Request
from broker.rest.openai import DOOR

if TYPE_CHECKING:
    from broker.rest.api import Api

PREFIX = "job_"

MOST_SOUND = 3_500_000
"""Bytes of a sound in a form: as base64, a third longer, it is a part of the request that is kept."""


def create_images(api: "Api", request: Request) -> Reply:
    """`POST /images/generations`: pictures, as links, bytes or both."""
    from broker.doors.images import form_of, images_of, job_of
    from broker.doors.reading import Fields

    _, _, head, repeated = accepted(api, request, job_of, DOOR)
    form = form_of(Fields(request.json()))

    def shown(view: dict[str, Any], head: Head) -> dict[str, Any]:
        fits = sum(file["bytes"] for file in view["output"]["files"]) * 4 / 3 <= MOST_IN_REPLY
        if form == "b64_json" and not fits:
            raise too_large(head)
        return images_of(view, form, lambda number: _picture(api, head, number), fits=fits)

    return answered(api, request, head, headers_of(head, request, repeated), PREFIX, shown)


def _picture(api: "Api", head: Head, number: int) -> bytes:
    data = api.payloads.load_file(head.id, str(head.output), number)
    if data is None:
        raise NotFound("The answer is not kept any more.", code="erased", param="id")
    return data


def create_speech(api: "Api", request: Request) -> Reply:
    """`POST /audio/speech`: leads to the sound, which may be longer than a reply."""
    from broker.doors.speech import job_of

    _, _, head, repeated = accepted(api, request, job_of, DOOR)
    reply = answered(api, request, head, headers_of(head, request, repeated), PREFIX, lambda view, _: view)
    if reply.status != 200:
        return reply
    (sound,) = reply.body["output"]["files"]
    return replace(reply, status=303, body=None, headers=reply.headers | {"location": sound["url"]})


def create_transcription(api: "Api", request: Request) -> Reply:
    """`POST /audio/transcriptions`: what is said in a sound."""
    from broker.doors.reading import Fields
    from broker.doors.transcriptions import form_of, job_of, transcription_of

    form = read_form(request, "file")
    if len(form.data) > MOST_SOUND:
        message = (
            f"file: it has more than {MOST_SOUND} bytes. Put it below media/ of your prefix of the inbox, and send a "
            "job of the task transcribe that names it (input.file.s3)."
        )
        raise TooLarge(message, code="file_too_large", param="file")
    file = {"filename": form.filename, "data": base64.b64encode(form.data).decode()}
    # Each try of a call cuts its form in other places: what makes two calls one is what the form says.
    asked = replace(request, body=json.dumps({**form.fields, "file": file}, sort_keys=True))
    _, _, head, repeated = accepted(api, asked, job_of, DOOR)
    wanted = form_of(Fields(form.fields))

    def shown(view: dict[str, Any], _: Head) -> Any:
        return transcription_of(view, wanted)

    reply = answered(api, request, head, headers_of(head, request, repeated), PREFIX, shown)
    if wanted == "text" and reply.status == 200:
        return replace(reply, headers=reply.headers | {"content-type": "text/plain; charset=utf-8"})
    return reply


MEDIA_ROUTES: dict[tuple[str, str], tuple[str, Callable[["Api", Request], Reply]]] = {
    ("POST", "/images/generations"): ("jobs:write", create_images),
    ("POST", "/audio/speech"): ("jobs:write", create_speech),
    ("POST", "/audio/transcriptions"): ("jobs:write", create_transcription),
}
"""By method and resource: the scope that is needed, and the answer."""
