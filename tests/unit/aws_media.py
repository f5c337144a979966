"""The rows of `aws_cases` that see, speak and listen: Rekognition, Polly, Transcribe."""

import json
from dataclasses import replace

from broker.providers.wire.base import Blob

from tests.fakes.aws import Reply
from tests.unit.aws_case import (
    CAT,
    CAT_OBJECT,
    DENIED,
    DOWN,
    GONE,
    INVALID,
    NAME,
    SOUND,
    TEXT,
    Case,
    make_call,
)

PICTURE_ERRORS = {
    **dict.fromkeys(("InvalidS3ObjectException", "ImageTooLargeException", "InvalidImageFormatException"), INVALID),
    "HumanLoopQuotaExceededException": INVALID,
    "ResourceNotFoundException": GONE,
    "ResourceNotReadyException": INVALID,
}
REKOGNITION = {
    "labels": Case(
        "rekognition",
        make_call("analyze_image", {"file": CAT, "features": ["moderation", "text"]}),
        ("DetectLabels", "DetectModerationLabels", "DetectText"),
        (
            Reply({"Labels": [{"Name": "Cat", "Confidence": 98.5}]}),
            Reply({"ModerationLabels": [{"Name": "Gambling", "ParentName": "Vices", "Confidence": 51}]}),
            Reply(
                {
                    "TextDetections": [
                        {"DetectedText": "日本 MEOW", "Type": "LINE", "Id": 0, "Confidence": 90.0},
                        {"DetectedText": "MEOW", "Type": "WORD", "Id": 1, "ParentId": 0, "Confidence": 90.0},
                    ]
                }
            ),
        ),
        {
            "labels": [{"name": "Cat", "score": 0.985}],
            "moderation": [{"name": "Gambling", "score": 0.51, "parent": "Vices"}],
            "text": [{"text": "日本 MEOW", "score": 0.9}],
        },
        {"images": 3},
        ({"Image": CAT_OBJECT, "MaxLabels": 50}, {"Image": CAT_OBJECT}, {"Image": CAT_OBJECT}),
        PICTURE_ERRORS,
    ),
    "moderate": Case(
        "rekognition",
        make_call("moderate", {"file": CAT}),
        ("DetectModerationLabels",),
        (
            Reply(
                {
                    "ModerationLabels": [
                        {"Name": "Gambling", "ParentName": "Vices", "Confidence": 51, "TaxonomyLevel": 2},
                        {"Name": "Vices", "ParentName": "", "Confidence": 52.5, "TaxonomyLevel": 1},
                    ]
                }
            ),
        ),
        {"flagged": True, "categories": {"Gambling": 0.51, "Vices": 0.525}},
        {"images": 1},
        ({"Image": CAT_OBJECT, "MinConfidence": 50},),
        PICTURE_ERRORS,
    ),
}

POLLY = {
    "speak": Case(
        "polly",
        make_call("speak", {"text": TEXT, "source_language": "de"}, "neural"),
        ("SynthesizeSpeech",),
        (Reply(SOUND, headers={"content-type": "audio/mpeg", "x-amzn-requestcharacters": "33"}),),
        {"voice": "Vicki", "format": "mp3"},
        {"characters": 33},
        ({"Text": TEXT, "VoiceId": "Vicki", "Engine": "neural", "OutputFormat": "mp3"},),
        {
            **dict.fromkeys(("EngineNotSupportedException", "LanguageNotSupportedException"), INVALID),
            **dict.fromkeys(("InvalidSampleRateException", "InvalidSsmlException"), INVALID),
            "LexiconNotFoundException": GONE,
            **dict.fromkeys(
                ("MarksNotSupportedForFormatException", "SsmlMarksNotSupportedForTextTypeException"), INVALID
            ),
        },
        files=(Blob(SOUND, "audio/mpeg"),),
    )
}

SPOKEN = {"s3": "s3://inbox/acme/talk.mp3"}
JOB = {"TranscriptionJobName": NAME, "LanguageCode": "en-US"}
WRITTEN = {"job": NAME, "bucket": "payloads", "output": f"services/job_1/{NAME}.json"}
TRANSCRIPT = {
    "results": {
        "transcripts": [{"transcript": "Grüße aus Köln. Bye."}],
        "audio_segments": [
            {"start_time": "0.0", "end_time": "1.5", "transcript": "Grüße aus Köln.", "speaker_label": "spk_0"},
            {"start_time": "2.0", "end_time": "16.2", "transcript": "Bye."},
        ],
        "items": [
            {"type": "pronunciation", "end_time": "16.2"},
            {"type": "punctuation", "alternatives": []},
        ],
    }
}
BEGUN = Case(
    "transcribe",
    make_call("transcribe", {"file": SPOKEN, "source_language": "de"}),
    ("StartTranscriptionJob",),
    (Reply({"TranscriptionJob": {**JOB, "TranscriptionJobStatus": "IN_PROGRESS"}}),),
    started=WRITTEN,
    asked=(
        {
            "TranscriptionJobName": NAME,
            "Media": {"MediaFileUri": "s3://inbox/acme/talk.mp3"},
            "OutputBucketName": "payloads",
            "OutputKey": WRITTEN["output"],
            "LanguageCode": "de-DE",
        },
    ),
)
TRANSCRIBE = {
    "a recording begun": BEGUN,
    "a recording begun under a key": replace(
        BEGUN,
        call=replace(BEGUN.call, options={"key": "alias/ours"}),
        asked=({**BEGUN.asked[0], "OutputEncryptionKMSKeyId": "alias/ours"},),
    ),
    "a recording of any language": replace(
        BEGUN,
        call=make_call("transcribe", {"file": SPOKEN}),
        asked=({"TranscriptionJobName": NAME, "IdentifyLanguage": True},),
    ),
    "a recording going on": Case(
        "transcribe",
        make_call("transcribe", {"file": SPOKEN}),
        ("GetTranscriptionJob",),
        (Reply({"TranscriptionJob": {**JOB, "TranscriptionJobStatus": "QUEUED"}}),),
        operation_id=WRITTEN,
        started=WRITTEN,
        errors={"NotFoundException": DOWN, "BadRequestException": DOWN},
    ),
    "a recording done": Case(
        "transcribe",
        make_call("transcribe", {"file": SPOKEN}),
        ("GetTranscriptionJob", "GetObject"),
        (
            Reply({"TranscriptionJob": {**JOB, "TranscriptionJobStatus": "COMPLETED"}}),
            Reply(json.dumps(TRANSCRIPT).encode()),
        ),
        {
            "text": "Grüße aus Köln. Bye.",
            "segments": [
                {"begin": 0.0, "end": 1.5, "text": "Grüße aus Köln.", "speaker": "spk_0"},
                {"begin": 2.0, "end": 16.2, "text": "Bye."},
            ],
            "language": "en-US",
        },
        {"seconds": 17},
        ({"TranscriptionJobName": NAME}, {"Bucket": "payloads", "Key": WRITTEN["output"]}),
        {
            **dict.fromkeys(("NotFoundException", "BadRequestException", "NoSuchKey"), DOWN),
            "InvalidObjectState": DENIED,
        },
        operation_id=WRITTEN,
    ),
}
