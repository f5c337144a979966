"""OpenAI's `POST /v1/moderations`: a body as a job of the task `moderate`, and a verdict as `results`.

Source: OpenAI's API reference, "Create moderation", its guide "Moderation", and the types of its Python package.
"""

import re
from typing import Any

from broker.doors.openai import public_id
from broker.doors.reading import Asked, Fields, Json, refuse

PREFIX = "modr-"

PLACES = {"input": "input", "input.text": "input", "input.file": "input.0.image_url.url"}

OF_TEXTS = (
    *("harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent"),
    "sexual/minors",
)
OF_BOTH = (*("self-harm", "self-harm/intent", "self-harm/instructions", "sexual", "violence", "violence/graphic"),)
"""OpenAI's categories: those that are looked for in texts alone, and those that are in pictures too. Its clients read
each of them, whoever judged."""

LIKELY = 0.5
"""From this score on a category of what is flagged is said to be true; services tell no more of one than its score."""

DATA_URL = re.compile(r"data:([^;,\s]+);base64,(.*)", re.DOTALL)


def job_of(body: Any) -> Asked:
    """The body as a job request.

    Raises:
        InvalidRequest: it has a field that has no place in a job, by the field's name.
    """
    fields = Fields(body)
    given = fields.need("input")
    if isinstance(given, list) and any(isinstance(each, dict) for each in given):
        if len(given) > 1:
            refuse("input", "of parts there is one, a text or a picture; several texts are a list of texts")
        material = _part(Fields(given[0], "input.0"))
    else:
        material = {"text": given}
    job: Json = {"task": "moderate", "input": material}
    if (model := fields.take("model")) is not None:
        job["model"] = model
    fields.end()
    return Asked(job, PLACES)


def _part(part: Fields) -> Json:
    match part.take("type"):
        case "text":
            found: Json = {"text": part.need("text")}
        case "image_url":
            image = Fields(part.need("image_url"), part.place("image_url"))
            found = {"file": _picture(image.need("url"), image.place("url"))}
            image.end()
        case _:
            refuse(part.place("type"), "only text or image_url is supported")
    part.end()
    return found


def _picture(url: Any, place: str) -> Json:
    if isinstance(url, str) and url.startswith("s3://"):
        return {"s3": url}
    if not isinstance(url, str) or not (found := DATA_URL.fullmatch(url)):
        refuse(place, "it has to be a data: URL in base64, or s3://… of the inbox; the broker fetches nothing")
    return {"media_type": found[1], "data": found[2]}


def moderation_of(view: Json, body: Json) -> Json:
    """A finished job's view, and the body that it was made of, as OpenAI's verdict: a result for each text."""
    output, given = view["output"], body["input"]
    is_picture = isinstance(given, list) and isinstance(given[0], dict) and given[0].get("type") == "image_url"
    verdicts = output.get("results") or [output]
    return {
        "id": public_id(PREFIX, view["id"]),
        "model": view["model"],
        "results": [_result(each, is_picture=is_picture) for each in verdicts],
    }


def _result(verdict: Json, *, is_picture: bool) -> Json:
    scores: dict[str, float] = verdict["categories"]
    highest = max(scores.values(), default=0)
    names = dict.fromkeys((*OF_TEXTS, *OF_BOTH, *scores))
    kind = "image" if is_picture else "text"
    return {
        "flagged": verdict["flagged"],
        "categories": {
            name: verdict["flagged"] and name in scores and scores[name] >= min(LIKELY, highest) for name in names
        },
        "category_scores": {name: scores.get(name, 0.0) for name in names},
        "category_applied_input_types": {
            name: [kind] if name in scores and not (is_picture and name in OF_TEXTS) else [] for name in names
        },
    }
