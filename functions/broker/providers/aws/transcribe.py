"""Amazon Transcribe: what is said in a recording.

Source: Amazon Transcribe Developer Guide, `StartTranscriptionJob`, `GetTranscriptionJob`, "How to read the output".

The transcript is written below `services/{job}/` in the payloads bucket, with the rights of who starts the job, and
goes with the job: in its own bucket the service would keep it for 90 days, whatever becomes of the job here.
Beside it the service leaves an empty object by which it tried whether it may write; the bucket's rules remove that.
It reads and writes buckets of its own region alone, so a model has the stack's region or none.

Options of a model: `key`, the KMS key (ARN or alias) that the transcript is encrypted with; without it the service uses
S3's own.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from broker.errors import InvalidRequest, Rejected, Unavailable
from broker.providers.aws.client import Json, MakeClient, Row, make_client
from broker.providers.aws.service import (
    S3_ERRORS,
    AwsService,
    Exchange,
    bad,
    handed_back,
    named,
    primary,
    rows,
    text,
)
from broker.providers.wire.base import Answer, Call, OperationStarted
from broker.providers.wire.exchange import unsupported_task
from broker.providers.wire.structured import loads

CHECK_AFTER_S = 15
SHORTEST_BILLED_S = 15

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


class Transcribe:
    """See `base.Asynchronous`."""

    tasks = frozenset({"transcribe"})

    def __init__(self, make: MakeClient = make_client) -> None:
        self._starting = AwsService("transcribe", "Transcribe", STARTED, make)
        self._checking = AwsService("transcribe", "Transcribe", GONE, make)
        self._s3 = AwsService("s3", "S3", S3_ERRORS, make)

    def invoke(self, call: Call) -> OperationStarted:
        """Start the work; see `Asynchronous`. A job of this call's name that is there already is the same work."""
        if call.task not in self.tasks:
            raise unsupported_task()
        reference = call.input.get("file")
        if not isinstance(reference, Mapping):
            raise InvalidRequest("The request has no file.", code="no_input", param="input.file")
        bucket, key = call.media.place(reference)
        name = named(call.token)
        ours, output = call.media.hand(f"{name}.json")
        encrypted = {"OutputEncryptionKMSKeyId": str(call.options["key"])} if call.options.get("key") else {}
        try:
            Exchange(self._starting, call).ask(
                "start_transcription_job",
                TranscriptionJobName=name,
                Media={"MediaFileUri": f"s3://{bucket}/{key}"},
                OutputBucketName=ours,
                OutputKey=output,
                **encrypted,
                **_language(call.input.get("source_language")),
            )
        except Unavailable as error:
            if error.code != "ConflictException":
                raise
        return OperationStarted({"job": name, "bucket": ours, "output": output}, CHECK_AFTER_S)

    def check(self, call: Call, operation_id: Mapping[str, str]) -> Answer | OperationStarted:
        """Ask after work that was started; see `Asynchronous`."""
        exchange = Exchange(self._checking, call)
        job = exchange.ask("get_transcription_job", TranscriptionJobName=operation_id["job"]).get("TranscriptionJob")
        if not isinstance(job, dict):
            bad("The service's reply has no job.")
        status = job.get("TranscriptionJobStatus")
        if status in ("QUEUED", "IN_PROGRESS"):
            return OperationStarted(dict(operation_id), CHECK_AFTER_S)
        if status == "FAILED":
            # All reasons that the API Reference has for this are about the recording.
            raise Rejected("Transcribe cannot use the recording.", code="bad_media", param="input.file")
        if status != "COMPLETED":
            bad("The service's reply has no status that is known.")
        output, seconds = _read(handed_back(self._s3, replace(call, timeout=exchange.left()), operation_id))
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
