"""The rows of `aws_cases` that read documents: Textract."""

import base64

from broker.errors import Unavailable

from tests.fakes.aws import Reply
from tests.unit.aws_case import (
    CAT,
    CAT_OBJECT,
    INVALID,
    PNG,
    SCAN,
    SCAN_OBJECT,
    Case,
    make_call,
)

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
LAYOUT = [
    {"page": 1, "items": [{"text": "Ünïcode 日本"}, {"text": "Name: Ann"}, {"table": TABLES[0]}, FIELDS[0]]},
]
DOCUMENT_ERRORS = {
    **dict.fromkeys(("InvalidS3ObjectException", "UnsupportedDocumentException", "BadDocumentException"), INVALID),
    **dict.fromkeys(("DocumentTooLargeException", "IdempotentParameterMismatchException"), INVALID),
    **dict.fromkeys(("InvalidKMSKeyException", "HumanLoopQuotaExceededException"), INVALID),
    "InvalidJobIdException": (Unavailable, True),
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
        {"text": "Ünïcode 日本\nName: Ann", "pages": 1, "fields": FIELDS, "tables": TABLES, "layout": LAYOUT},
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
        operation_id={"job": "j-1", "kind": "text"},
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
        operation_id={"job": "j-1", "kind": "text"},
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
            "layout": [*LAYOUT, {"page": 2, "items": []}],
            "missing_pages": [2],
        },
        {"pages": 2, "forms": 2, "tables": 2},
        errors=DOCUMENT_ERRORS,
        operation_id={"job": "j-2", "kind": "analysis"},
    ),
}
