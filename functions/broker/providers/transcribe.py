"""Amazon Transcribe: what is said in a recording.

Source: Amazon Transcribe Developer Guide, `StartTranscriptionJob`, `GetTranscriptionJob`, "How to read the output".

The transcript stays in the service's own bucket, from where a URL that is good for minutes gives it. With a bucket of
ours, the function's role would have to let the service write there, and to read what it wrote; so it needs no more than
to start jobs and to ask after those with its prefix. The service deletes a job and its transcript after 90 days.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from broker.errors import InvalidRequest, Unavailable
from broker.providers.aws import Json, MakeClient, Row, make_client
from broker.providers.aws_service import Exchange, Service, bad, named, primary, rows, text, unsupported_task
from broker.providers.base import Answer, Call, Started
from broker.providers.http import CHUNK, CONNECT_S, LARGEST_REPLY
from broker.providers.structured import loads

CHECK_AFTER_S = 15
SHORTEST_BILLED_S = 15

HOST = re.compile(r"(?:[a-z0-9-]+\.)*s3(?:[.-][a-z0-9]+)*\.amazonaws\.com(?:\.cn)?")
"""Where transcripts are: a URL of any other host is not followed."""

REGIONS = {
    **{"ar": "ar-SA", "da": "da-DK", "de": "de-DE", "en": "en-US", "es": "es-ES", "fi": "fi-FI", "fr": "fr-FR"},
    **{"he": "he-IL", "hi": "hi-IN", "id": "id-ID", "it": "it-IT", "ja": "ja-JP", "ko": "ko-KR", "nl": "nl-NL"},
    **{"pl": "pl-PL", "pt": "pt-BR", "ru": "ru-RU", "sv": "sv-SE", "th": "th-TH", "tr": "tr-TR", "uk": "uk-UA"},
    **{"vi": "vi-VN", "zh": "zh-CN"},
}
"""The region of a language that is named without one; of languages that are not here, the service finds it out."""

STARTED: dict[str, Row] = {"ConflictException": (Unavailable, "has a job of this name")}
GONE: dict[str, Row] = dict.fromkeys(
    # The service has an error for what is gone, and says BadRequestException.
    ("NotFoundException", "BadRequestException"),
    (Unavailable, "knows nothing of the work any more"),
)

Fetch = Callable[[str, float], bytes]
"""The bytes at a URL, within so many seconds."""


def fetch(url: str, timeout: float) -> bytes:
    """A transcript from the service's bucket.

    Raises:
        Unavailable: it could not be had in time.
        BadOutput: the URL leads elsewhere, or what is there is too large.
    """
    import urllib3

    parts = urlsplit(url)
    if parts.scheme != "https" or not HOST.fullmatch(parts.hostname or "") or parts.port or parts.username:
        bad("The transcript is at an address that is not the service's.", code="strange_address")
    limits = urllib3.Timeout(connect=min(CONNECT_S, timeout), total=timeout)
    data = b""
    try:
        with urllib3.PoolManager() as manager:
            reply = manager.request("GET", url, timeout=limits, retries=False, redirect=False, preload_content=False)
            for part in reply.stream(CHUNK, decode_content=True):
                data += part
                if len(data) > LARGEST_REPLY:
                    bad("The transcript is too large.", code="reply_too_large")
    except urllib3.exceptions.HTTPError:
        raise _unreachable() from None
    if reply.status != 200:
        raise _unreachable()
    return data


def _unreachable() -> Unavailable:
    return Unavailable("The transcript cannot be had.", code="transcript_unreachable", maybe_paid=True)


class Transcribe:
    """See `base.Asynchronous`."""

    tasks = frozenset({"transcribe"})

    def __init__(self, make: MakeClient = make_client, get: Fetch = fetch) -> None:
        self._starting = Service("transcribe", "Transcribe", STARTED, make)
        self._checking = Service("transcribe", "Transcribe", GONE, make)
        self._fetch = get

    def invoke(self, call: Call) -> Started:
        """Start the work; see `Asynchronous`. A job of this call's name that is there already is the same work."""
        if call.task not in self.tasks:
            raise unsupported_task()
        reference = call.input.get("file")
        if not isinstance(reference, Mapping):
            raise InvalidRequest("The request has no file.", code="no_input", param="input.file")
        bucket, key = call.media.place(reference)
        name = named(call.token)
        try:
            Exchange(self._starting, call).ask(
                "start_transcription_job",
                TranscriptionJobName=name,
                Media={"MediaFileUri": f"s3://{bucket}/{key}"},
                **_language(call.input.get("source_language")),
            )
        except Unavailable as error:
            if error.code != "ConflictException":
                raise
        return Started({"job": name}, CHECK_AFTER_S)

    def check(self, call: Call, handle: Mapping[str, str]) -> Answer | Started:
        """Ask after work that was started; see `Asynchronous`."""
        exchange = Exchange(self._checking, call)
        job = exchange.ask("get_transcription_job", TranscriptionJobName=handle["job"]).get("TranscriptionJob")
        if not isinstance(job, dict):
            bad("The service's reply has no job.")
        status = job.get("TranscriptionJobStatus")
        if status in ("QUEUED", "IN_PROGRESS"):
            return Started(dict(handle), CHECK_AFTER_S)
        if status == "FAILED":
            # All reasons that the API Reference has for this are about the recording.
            raise InvalidRequest("Transcribe cannot use the recording.", code="bad_media", param="input.file")
        place = (job.get("Transcript") or {}).get("TranscriptFileUri")
        if status != "COMPLETED" or not isinstance(place, str):
            bad("The service's reply has no transcript.")
        output, seconds = _read(self._fetch(place, exchange.left()))
        language = job.get("LanguageCode")
        if isinstance(language, str) and language:
            output["language"] = language
        return exchange.answer(output, units={"seconds": max(SHORTEST_BILLED_S, seconds)})


def _language(given: str | None) -> Json:
    code = given if given and "-" in given else REGIONS.get(primary(given or ""))
    return {"LanguageCode": code} if code else {"IdentifyLanguage": True}


def _read(data: bytes) -> tuple[Json, int]:
    """The job's output and the seconds until the last word, from the service's JSON."""
    try:
        results = loads(data)["results"]
        said = " ".join(text(each["transcript"], "transcript") for each in rows(results["transcripts"], "transcripts"))
        segments = [_segment(each) for each in rows(results.get("audio_segments") or [], "segments")]
        items = rows(results.get("items") or [], "items")
        ends = [float(each["end_time"]) for each in items if "end_time" in each]
        seconds = math.ceil(max(ends, default=0.0))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        bad("The transcript is not in the form of the service.")
    return {"text": said, **({"segments": segments} if segments else {})}, seconds


def _segment(given: Json) -> Json:
    segment: dict[str, Any] = {
        "begin": float(given["start_time"]),
        "end": float(given["end_time"]),
        "text": text(given["transcript"], "transcript"),
    }
    speaker = given.get("speaker_label")
    return {**segment, "speaker": speaker} if isinstance(speaker, str) else segment
