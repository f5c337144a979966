"""Pictures and sounds as OpenAI's clients ask for them: bodies, replies, and what each route may say."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from broker.contract.common import Count, Shown
from broker.contract.file_operations import Bytes
from broker.contract.openai_operations import ANSWER, HEADERS, TAG, TRIES
from broker.contract.operation import Operation
from broker.jobs.fields import Strict
from broker.rest.openai_media import MOST_SOUND


class ImagesRequest(Strict):
    """The body of `POST /v1/images/generations`."""

    prompt: str
    model: str | None = None
    """The one that routing takes, unless said."""
    n: int | None = None
    size: str | None = None
    output_format: str | None = None
    response_format: Literal["url", "b64_json"] | None = None
    """Unless said, each picture has its link, and its bytes where they fit a reply."""
    user: str | None = None
    metadata: dict[str, str] | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    quality: Literal["auto"] | None = None
    style: None = None
    background: Literal["auto"] | None = None
    moderation: Literal["auto"] | None = None
    output_compression: Literal[100] | None = None
    partial_images: Literal[0] | None = None
    stream: Literal[False] | None = None


class MadePicture(Shown):
    """One picture that was made."""

    url: str | None = None
    """A link that holds for a quarter of an hour."""
    b64_json: str | None = None
    revised_prompt: str | None = None
    """As the model wrote it, where it did."""


class ImagesUsage(Shown):
    """Tokens that the service told."""

    input_tokens: Count
    input_tokens_details: dict[str, Count]
    output_tokens: Count
    total_tokens: Count


class Images(Shown):
    """The answer of a job of the task `generate_image`."""

    created: Count
    data: list[MadePicture]
    output_format: str | None = None
    usage: ImagesUsage


class SpeechRequest(Strict):
    """The body of `POST /v1/audio/speech`."""

    input: str
    model: str | None = None
    """The one that routing takes, unless said."""
    voice: str | dict[str, Any] | None = None
    """A name, or an object with it as its `id`; the model's own, unless said."""
    response_format: str | None = None
    """`mp3`, unless the model speaks in another."""
    speed: Annotated[float, Field(ge=1, le=1)] | None = None
    stream_format: Literal["audio"] | None = None
    instructions: Literal[""] | None = None


class TranscriptionForm(BaseModel):
    """A sound in a form."""

    file: Bytes
    """Its name tells by its ending which kind of sound it is."""
    model: str | None = None
    """The one that routing takes, unless said."""
    language: str | None = None
    prompt: str | None = None
    response_format: Literal["json", "text", "verbose_json"] | None = None
    temperature: float | None = None


class Transcription(Shown):
    """The answer of a job of the task `transcribe`."""

    text: str
    usage: dict[str, Any]
    """`duration` in seconds where the service tells it, else tokens."""
    task: Literal["transcribe"] | None = None
    language: str | None = None
    duration: float | None = None
    """Seconds."""
    segments: list[dict[str, Any]] | None = None


MEDIA_OPERATIONS: dict[tuple[str, str], Operation] = {
    ("POST", "/images/generations"): Operation(
        "Ask for pictures",
        TAG,
        {200: Images},
        errors=ANSWER,
        parameters=TRIES,
        body=ImagesRequest,
        headers=HEADERS,
    ),
    ("POST", "/audio/speech"): Operation(
        "Ask for speech, which the reply leads to",
        TAG,
        {303: None},
        errors=ANSWER,
        parameters=TRIES,
        body=SpeechRequest,
        headers=HEADERS,
    ),
    ("POST", "/audio/transcriptions"): Operation(
        f"Ask for what is said in a sound of up to {MOST_SOUND:,} bytes",
        TAG,
        {200: Transcription},
        errors=ANSWER,
        parameters=TRIES,
        form=TranscriptionForm,
        headers=HEADERS,
        content={"text/plain; charset=utf-8": {"schema": {"type": "string"}}},
    ),
}
"""By method and path, as `MEDIA_ROUTES`."""
