"""OpenAI's `POST /v1/images/generations`: a body as a job of the task `generate_image`, and its pictures.

Source: OpenAI's API reference, "Create image", and the types of its Python package. Clients of the GPT image models
read `b64_json`, those of the older ones `url`.
"""

import base64
from collections.abc import Callable
from typing import Any

from broker.doors.openai import seconds, told_back
from broker.doors.reading import Asked, Fields, Json, refuse

PLACES = {
    "input.text": "prompt",
    "input.count": "n",
    "input.size": "size",
    "input.format": "output_format",
    "metadata.openai.user": "user",
}

FORMS = ("b64_json", "url")

AS_IT_COMES: dict[str, tuple[Any, ...]] = {
    "quality": ("auto",),
    "style": (),
    "background": ("auto",),
    "moderation": ("auto",),
    "output_compression": (100,),
    "partial_images": (0,),
    "stream": (False,),
}
"""Fields that may only say what holds anyway: how well a picture is made is the operators' choice, for it is priced."""


def job_of(body: Any) -> Asked:
    """The body as a job request.

    Raises:
        InvalidRequest: it has a field that has no place in a job, by the field's name.
    """
    fields = Fields(body)
    given = {"text": fields.need("prompt"), "count": fields.take("n"), "format": fields.take("output_format")}
    size = fields.take("size")
    given["size"] = None if size == "auto" else size
    job: Json = {"task": "generate_image", "input": {name: value for name, value in given.items() if value is not None}}
    if (model := fields.take("model")) is not None:
        job["model"] = model
    form_of(fields)
    for name, values in AS_IT_COMES.items():
        fields.only(name, *values)
    job |= told_back(fields, calls=False)
    fields.end()
    return Asked(job, PLACES)


def form_of(fields: Fields) -> str | None:
    """In which form the pictures are wanted: as bytes, or as links; None where it is not said."""
    form = fields.take("response_format")
    if form not in (None, *FORMS):
        refuse("response_format", "only url or b64_json is supported")
    return form if form is None else str(form)


def images_of(view: Json, form: str | None, read: Callable[[int], bytes], *, fits: bool) -> Json:
    """A finished job's view as OpenAI's list of pictures.

    Args:
        view: of the job.
        form: see `form_of`; where it is not said, each picture has its link, and its bytes where they fit.
        read: gives the bytes of a picture, by its number from 1 on.
        fits: whether the bytes of all fit a reply.
    """
    output, usage = view["output"], view["usage"]
    revised = output.get("revised_prompts") or []
    data = []
    for number, file in enumerate(output["files"]):
        picture = {} if form == "b64_json" else {"url": file["url"]}
        if form == "b64_json" or (form is None and fits):
            picture["b64_json"] = base64.b64encode(read(number + 1)).decode()
        if number < len(revised):
            picture["revised_prompt"] = revised[number]
        data.append(picture)
    kinds = {file["media_type"].removeprefix("image/") for file in output["files"]}
    told = {"output_format": kinds.pop()} if len(kinds) == 1 else {}
    into, out = usage["input_tokens"], usage["output_tokens"]
    return {
        "created": seconds(view["ended_at"] or view["created_at"]),
        "data": data,
        **told,
        "usage": {
            "input_tokens": into,
            "input_tokens_details": {"text_tokens": into, "image_tokens": 0},
            "output_tokens": out,
            "total_tokens": into + out,
        },
    }
