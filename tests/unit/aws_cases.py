"""The table of AWS services: for each piece of work a call, the replies to it, and what comes of them."""

import base64
import json

from broker.errors import (
    Unavailable,
)
from broker.providers.base import Blob

from tests.fakes.aws import Reply
from tests.unit.aws_batches import BATCHES
from tests.unit.aws_case import (
    CAT,
    CAT_OBJECT,
    DENIED,
    DOWN,
    INVALID,
    NAME,
    PNG,
    SCAN,
    SCAN_OBJECT,
    SESSION,
    SOUND,
    TEXT,
    Case,
    make_call,
)

LANGUAGES = Reply({"Languages": [{"LanguageCode": "fr", "Score": 0.1}, {"LanguageCode": "en", "Score": 0.9}]})
SCORES = {"Positive": 0.9, "Negative": 0.02, "Neutral": 0.05, "Mixed": 0.03}
SENTIMENT = Reply({"Sentiment": "POSITIVE", "SentimentScore": SCORES})
ENTITIES = Reply(
    {
        "Entities": [
            {"Text": "Ann", "Type": "PERSON", "Score": 0.99, "BeginOffset": 0, "EndOffset": 3},
            {"Text": "Köln", "Type": "LOCATION", "Score": 0.98, "BeginOffset": 13, "EndOffset": 17},
        ]
    }
)
PHRASES = Reply({"KeyPhrases": [{"Text": "Ann", "Score": 0.9, "BeginOffset": 0, "EndOffset": 3}]})
PII = Reply({"Entities": [{"Type": "NAME", "Score": 0.97, "BeginOffset": 0, "EndOffset": 3}]})
TOXIC = Reply(
    {
        "ResultList": [
            {"Labels": [{"Name": "INSULT", "Score": 0.7}, {"Name": "PROFANITY", "Score": 0.1}], "Toxicity": 0.8}
        ]
    }
)
UNKNOWN_LANGUAGE = {"UnsupportedLanguageException": INVALID}

COMPREHEND = {
    "sentiment": Case(
        "comprehend",
        make_call("sentiment", {"text": TEXT}),
        ("DetectDominantLanguage", "DetectSentiment"),
        (LANGUAGES, SENTIMENT),
        {"sentiment": "positive", "scores": {name.lower(): value for name, value in SCORES.items()}},
        {"characters": 600},
        ({"Text": TEXT}, {"Text": TEXT, "LanguageCode": "en"}),
        UNKNOWN_LANGUAGE,
    ),
    "entities": Case(
        "comprehend",
        make_call("entities", {"text": TEXT, "source_language": "en-GB", "features": ["key_phrases", "pii"]}),
        ("DetectEntities", "DetectKeyPhrases", "DetectPiiEntities"),
        (ENTITIES, PHRASES, PII),
        {
            "entities": [
                {"text": "Ann", "type": "person", "score": 0.99, "begin": 0, "end": 3},
                {"text": "Köln", "type": "location", "score": 0.98, "begin": 13, "end": 17},
            ],
            "key_phrases": [{"text": "Ann", "score": 0.9, "begin": 0, "end": 3}],
            "pii": [{"type": "name", "score": 0.97, "begin": 0, "end": 3}],
        },
        {"characters": 900},
        tuple({"Text": TEXT, "LanguageCode": "en"} for _ in range(3)),
        UNKNOWN_LANGUAGE,
    ),
    "moderate": Case(
        "comprehend",
        make_call("moderate", {"text": TEXT, "source_language": "en"}),
        ("DetectToxicContent",),
        (TOXIC,),
        {"flagged": True, "categories": {"insult": 0.7, "profanity": 0.1, "toxicity": 0.8}},
        {"characters": 300},
        ({"TextSegments": [{"Text": TEXT}], "LanguageCode": "en"},),
        UNKNOWN_LANGUAGE,
    ),
}

TRANSLATION = {"TranslatedText": "Ann lebt 🎉.", "SourceLanguageCode": "en", "TargetLanguageCode": "de"}
TRANSLATE = {
    "translate": Case(
        "translate",
        make_call("translate", {"text": "Ann lives 🎉.", "target_language": "de-CH"}),
        ("TranslateText",),
        (Reply(TRANSLATION),),
        {"text": "Ann lebt 🎉.", "source_language": "en", "target_language": "de"},
        {"characters": 12},
        ({"Text": "Ann lives 🎉.", "SourceLanguageCode": "auto", "TargetLanguageCode": "de"},),
        {
            "UnsupportedLanguagePairException": INVALID,
            "DetectedLanguageLowConfidenceException": INVALID,
            "ResourceNotFoundException": INVALID,
        },
    )
}

PICTURE_ERRORS = {
    **dict.fromkeys(("InvalidS3ObjectException", "ImageTooLargeException", "InvalidImageFormatException"), INVALID),
    "HumanLoopQuotaExceededException": INVALID,
    "ResourceNotFoundException": INVALID,
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
    )
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
            **dict.fromkeys(
                ("InvalidSampleRateException", "InvalidSsmlException", "LexiconNotFoundException"), INVALID
            ),
            **dict.fromkeys(
                ("MarksNotSupportedForFormatException", "SsmlMarksNotSupportedForTextTypeException"), INVALID
            ),
        },
        files=(Blob(SOUND, "audio/mpeg"),),
    )
}

TURN = {
    "messages": [
        {"content": "Which size? 🍕", "contentType": "PlainText"},
        {"contentType": "ImageResponseCard", "imageResponseCard": {"title": "Sizes"}},
    ],
    "sessionState": {
        "intent": {
            "name": "Order",
            "state": "InProgress",
            "slots": {
                "Size": None,
                "Kind": {"value": {"originalValue": "marg", "interpretedValue": "margherita"}},
                "Extras": {"shape": "List", "values": [{"value": {"interpretedValue": "olives"}}]},
            },
        }
    },
}
LEX = {
    "converse": Case(
        "lex",
        make_call("converse", {"text": "A pizza 🍕", "session": "s-1"}, "ABCDEFGHIJ/TSTALIASID/en_US"),
        ("RecognizeText",),
        (Reply(TURN),),
        {
            "text": "Which size? 🍕",
            "messages": [
                {"type": "PlainText", "content": "Which size? 🍕"},
                {"type": "ImageResponseCard", "content": "", "card": {"title": "Sizes"}},
            ],
            "session": "s-1",
            "intent": "Order",
            "slots": {"Size": None, "Kind": "margherita", "Extras": ["olives"]},
            "state": "InProgress",
        },
        {"requests": 1},
        (
            {
                "botId": "ABCDEFGHIJ",
                "botAliasId": "TSTALIASID",
                "localeId": "en_US",
                "sessionId": SESSION,
            },
        ),
        {
            "ResourceNotFoundException": INVALID,
            **dict.fromkeys(("ConflictException", "DependencyFailedException", "BadGatewayException"), DOWN),
        },
    )
}

LINES = [
    {"BlockType": "PAGE", "Id": "p", "Confidence": 99.0},
    {"BlockType": "LINE", "Id": "l1", "Text": "Ünïcode 日本", "Page": 1},
    {"BlockType": "LINE", "Id": "l2", "Text": "Name: Ann", "Page": 1},
]
FORM = [
    {"BlockType": "WORD", "Id": "w1", "Text": "Name:"},
    {"BlockType": "WORD", "Id": "w2", "Text": "Ann"},
    {"BlockType": "SELECTION_ELEMENT", "Id": "s1", "SelectionStatus": "SELECTED"},
    {
        "BlockType": "KEY_VALUE_SET",
        "Id": "k",
        "EntityTypes": ["KEY"],
        "Confidence": 95.0,
        "Relationships": [{"Type": "VALUE", "Ids": ["v"]}, {"Type": "CHILD", "Ids": ["w1"]}],
    },
    {
        "BlockType": "KEY_VALUE_SET",
        "Id": "v",
        "EntityTypes": ["VALUE"],
        "Relationships": [{"Type": "CHILD", "Ids": ["w2", "s1"]}],
    },
    {"BlockType": "TABLE", "Id": "t", "Relationships": [{"Type": "CHILD", "Ids": ["c1", "c2"]}]},
    {"BlockType": "CELL", "Id": "c1", "RowIndex": 1, "ColumnIndex": 1},
    {
        "BlockType": "CELL",
        "Id": "c2",
        "RowIndex": 1,
        "ColumnIndex": 2,
        "Relationships": [{"Type": "CHILD", "Ids": ["w2"]}],
    },
]
FIELDS = [{"key": "Name:", "value": "Ann [x]", "score": 0.95}]
TABLES = [[["", "Ann"]]]
DOCUMENT_ERRORS = {
    **dict.fromkeys(("InvalidS3ObjectException", "UnsupportedDocumentException", "BadDocumentException"), INVALID),
    **dict.fromkeys(("DocumentTooLargeException", "IdempotentParameterMismatchException"), INVALID),
    **dict.fromkeys(("InvalidKMSKeyException", "HumanLoopQuotaExceededException"), INVALID),
    "InvalidJobIdException": DOWN,
}
PAGES = {"DocumentMetadata": {"Pages": 2}}
TEXTRACT = {
    "a picture": Case(
        "textract",
        make_call("extract_text", {"file": {"data": base64.b64encode(PNG).decode(), "media_type": "image/png"}}),
        ("DetectDocumentText",),
        (Reply({"DocumentMetadata": {"Pages": 1}, "Blocks": LINES}),),
        {"text": "Ünïcode 日本\nName: Ann", "pages": 1},
        {"pages": 1},
        ({"Document": {"Bytes": PNG}},),
        DOCUMENT_ERRORS,
    ),
    "a form": Case(
        "textract",
        make_call("extract_text", {"file": CAT, "features": ["forms", "tables"]}),
        ("AnalyzeDocument",),
        (Reply({"DocumentMetadata": {"Pages": 1}, "Blocks": [*LINES, *FORM]}),),
        {"text": "Ünïcode 日本\nName: Ann", "pages": 1, "fields": FIELDS, "tables": TABLES},
        {"pages": 1, "forms": 1, "tables": 1},
        ({"Document": CAT_OBJECT, "FeatureTypes": ["FORMS", "TABLES"]},),
        DOCUMENT_ERRORS,
    ),
    "a document begun": Case(
        "textract",
        make_call("extract_text", {"file": SCAN}),
        ("StartDocumentTextDetection",),
        (Reply({"JobId": "j-1"}),),
        started={"job": "j-1", "kind": "text"},
        asked=({"DocumentLocation": SCAN_OBJECT},),
        errors=DOCUMENT_ERRORS,
    ),
    "a document of forms begun": Case(
        "textract",
        make_call("extract_text", {"file": SCAN, "features": ["forms"]}),
        ("StartDocumentAnalysis",),
        (Reply({"JobId": "j-2"}),),
        started={"job": "j-2", "kind": "analysis"},
        asked=({"FeatureTypes": ["FORMS"]},),
        errors=DOCUMENT_ERRORS,
    ),
    "a document going on": Case(
        "textract",
        make_call("extract_text", {"file": SCAN}),
        ("GetDocumentTextDetection",),
        (Reply({"JobStatus": "IN_PROGRESS"}),),
        handle={"job": "j-1", "kind": "text"},
        started={"job": "j-1", "kind": "text"},
        errors=DOCUMENT_ERRORS,
    ),
    "a document done": Case(
        "textract",
        make_call("extract_text", {"file": SCAN}),
        ("GetDocumentTextDetection", "GetDocumentTextDetection"),
        (
            Reply({"JobStatus": "SUCCEEDED", **PAGES, "Blocks": LINES, "NextToken": "n-1"}),
            Reply(
                {
                    "JobStatus": "SUCCEEDED",
                    **PAGES,
                    "Blocks": [{"BlockType": "LINE", "Id": "l3", "Text": "Page two", "Page": 2}],
                }
            ),
        ),
        {"text": "Ünïcode 日本\nName: Ann\n\nPage two", "pages": 2},
        {"pages": 2},
        ({"JobId": "j-1"}, {"JobId": "j-1", "NextToken": "n-1"}),
        DOCUMENT_ERRORS,
        handle={"job": "j-1", "kind": "text"},
    ),
    "a document of forms done in part": Case(
        "textract",
        make_call("extract_text", {"file": SCAN, "features": ["forms", "tables"]}),
        ("GetDocumentAnalysis", "GetDocumentAnalysis"),
        (
            Reply(
                {
                    "JobStatus": "PARTIAL_SUCCESS",
                    **PAGES,
                    "Blocks": [*LINES, *FORM[:4]],
                    "NextToken": "n-1",
                    "Warnings": [{"ErrorCode": "PAGE_CHARACTERS_EXCEEDED", "Pages": [2]}],
                }
            ),
            Reply({"JobStatus": "PARTIAL_SUCCESS", **PAGES, "Blocks": FORM[4:]}),
        ),
        {
            **{"text": "Ünïcode 日本\nName: Ann", "pages": 2, "fields": FIELDS, "tables": TABLES},
            "missing_pages": [2],
        },
        {"pages": 2, "forms": 2, "tables": 2},
        errors=DOCUMENT_ERRORS,
        handle={"job": "j-2", "kind": "analysis"},
    ),
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
TRANSCRIBE = {
    "a recording begun": Case(
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
    ),
    "a recording begun under a key": Case(
        "transcribe",
        make_call("transcribe", {"file": SPOKEN}, options={"key": "alias/ours"}),
        ("StartTranscriptionJob",),
        (Reply({"TranscriptionJob": {**JOB, "TranscriptionJobStatus": "IN_PROGRESS"}}),),
        started=WRITTEN,
        asked=(
            {
                "TranscriptionJobName": NAME,
                "Media": {"MediaFileUri": "s3://inbox/acme/talk.mp3"},
                "OutputBucketName": "payloads",
                "OutputKey": WRITTEN["output"],
                "OutputEncryptionKMSKeyId": "alias/ours",
                "IdentifyLanguage": True,
            },
        ),
    ),
    "a recording going on": Case(
        "transcribe",
        make_call("transcribe", {"file": SPOKEN}),
        ("GetTranscriptionJob",),
        (Reply({"TranscriptionJob": {**JOB, "TranscriptionJobStatus": "QUEUED"}}),),
        handle=WRITTEN,
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
        handle=WRITTEN,
    ),
}

ENDPOINT_ERRORS = {
    "ModelError": (Unavailable, True),
    **dict.fromkeys(("InternalDependencyException", "ModelNotReadyException"), DOWN),
}
JSON_TYPE = {"content-type": "application/json"}
PLACES = {"output": "s3://results/a/b.out", "failure": "s3://results/a/b-error.out"}
SAGEMAKER = {
    "custom": Case(
        "sagemaker",
        make_call("custom", {"body": {"rows": [[1, 2]]}}, "my-endpoint", options={"inference_component": "part-1"}),
        ("InvokeEndpoint",),
        (Reply(b'{"predictions": [0.5, "\xc3\xbc"]}', headers=JSON_TYPE),),
        {"body": {"predictions": [0.5, "ü"]}},
        {"requests": 1},
        (
            {
                "EndpointName": "my-endpoint",
                "Body": b'{"rows": [[1, 2]]}',
                "ContentType": "application/json",
                "InferenceComponentName": "part-1",
            },
        ),
        ENDPOINT_ERRORS,
    ),
    "chat": Case(
        "sagemaker",
        make_call(
            "chat",
            {"text": "Grüße"},
            "my-endpoint",
            options={"output": "[0].generated_text"},
            parameters={"temperature": 0.5, "seed": None},
        ),
        ("InvokeEndpoint",),
        (Reply('[{"generated_text": "Hello 🎉"}]'.encode(), headers=JSON_TYPE),),
        {"text": "Hello 🎉", "finish_reason": "stop"},
        {"requests": 1},
        ({"Body": '{"inputs": "Grüße", "parameters": {"temperature": 0.5}}'.encode()},),
        ENDPOINT_ERRORS,
    ),
    "embed": Case(
        "sagemaker",
        make_call(
            "embed",
            {"text": ["a", "b"]},
            "my-endpoint",
            options={"output": "data[].embedding", "body": {"input": "{{text}}"}},
        ),
        ("InvokeEndpoint",),
        (Reply(json.dumps({"data": [{"embedding": [1, 0.5]}, {"embedding": [0, 1]}]}).encode(), headers=JSON_TYPE),),
        {"embeddings": [[1, 0.5], [0, 1]]},
        {"requests": 1},
        ({"Body": b'{"input": ["a", "b"]}'},),
        ENDPOINT_ERRORS,
    ),
    "custom begun": Case(
        "sagemaker_async",
        make_call("custom", {"body": "1,2"}, "slow", options={"content_type": "text/csv"}),
        ("InvokeEndpointAsync",),
        (
            Reply(
                {"InferenceId": NAME},
                202,
                {"x-amzn-sagemaker-outputlocation": PLACES["output"]}
                | {"x-amzn-sagemaker-failurelocation": PLACES["failure"]},
            ),
        ),
        started=PLACES,
        asked=({"EndpointName": "slow", "ContentType": "text/csv", "InferenceId": NAME},),
        errors=ENDPOINT_ERRORS,
    ),
    "custom done": Case(
        "sagemaker_async",
        make_call("custom", {"body": "1,2"}, "slow"),
        ("GetObject",),
        (Reply(b"0.5\n", headers={"content-type": "text/csv"}),),
        {"body": "0.5\n"},
        {"requests": 1},
        ({"Bucket": "results", "Key": "a/b.out"},),
        {"NoSuchKey": INVALID, "InvalidObjectState": DENIED},
        handle=PLACES,
    ),
}

CASES: dict[str, Case] = {
    f"{service}: {name}": case
    for service, table in {
        "comprehend": COMPREHEND,
        "translate": TRANSLATE,
        "rekognition": REKOGNITION,
        "polly": POLLY,
        "lex": LEX,
        "textract": TEXTRACT,
        "transcribe": TRANSCRIBE,
        "sagemaker": SAGEMAKER,
        "batches": BATCHES,
    }.items()
    for name, case in table.items()
}
