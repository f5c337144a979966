"""What moto's server lacks of the AI services.

Operations that it does not know, or answers without a look at the request, are answered here before it is asked. Each
answer is as its service has it (the operation's page in its API Reference), and says something of what was asked.
"""

import base64
import io
import json
import re
import tempfile
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

from local.buckets import buckets
from local.textract import Documents, Refused, from_buckets, said_of
from local.textract_blocks import blocks_of

Json = dict[str, Any]
Answer = Callable[[Json], Json | None]
"""What the service says; None where moto is to say it."""

OCR_S = 60.0
"""A picture's time."""

NAME = re.compile(r"(?<![.!?] )(?<!^)\b[A-Z][a-z]+\b")
"""A capital that no sentence asks for."""
PHRASE = re.compile(r"\b(?:the|a|an) \w+", re.IGNORECASE)
MAIL = re.compile(r"\b[\w.]+@[\w.]+\w")
RUDE = re.compile(r"\b(idiots?|stupid|fools?)\b", re.IGNORECASE)
ATTACK = re.compile(r"\bignore (?:all|your|the|previous)\b", re.IGNORECASE)
TURN = re.compile(r"/bots/[^/]+/botAliases/[^/]+/botLocales/[^/]+/sessions/[^/]+/text")


def _language(asked: Json) -> Json:
    return {"Languages": [{"LanguageCode": "en", "Score": 0.99}]}


def _found(pattern: re.Pattern[str], text: str) -> list[Json]:
    """Each place in the text."""
    return [
        {"Text": each[0], "Score": 0.9, "BeginOffset": each.start(), "EndOffset": each.end()}
        for each in pattern.finditer(text)
    ]


def _entities(asked: Json) -> Json:
    return {"Entities": [each | {"Type": "PERSON"} for each in _found(NAME, asked["Text"])]}


def _phrases(asked: Json) -> Json:
    return {"KeyPhrases": _found(PHRASE, asked["Text"])}


def _personal(asked: Json) -> Json:
    places = ({name: each[name] for name in each if name != "Text"} for each in _found(MAIL, asked["Text"]))
    return {"Entities": [each | {"Type": "EMAIL"} for each in places]}


def _toxic(asked: Json) -> Json:
    scores = [0.9 if RUDE.search(each["Text"]) else 0.01 for each in asked["TextSegments"]]
    return {"ResultList": [{"Labels": [{"Name": "INSULT", "Score": each}], "Toxicity": each} for each in scores]}


def _safety(asked: Json) -> Json:
    unsafe = 0.9 if ATTACK.search(asked["Text"]) else 0.1
    return {"Classes": [{"Name": "UNSAFE_PROMPT", "Score": unsafe}, {"Name": "SAFE_PROMPT", "Score": 1 - unsafe}]}


def _moderation(asked: Json) -> Json:
    label = {"Name": "Smoking", "ParentName": "Drugs & Tobacco", "Confidence": 88.5, "TaxonomyLevel": 2}
    return {"ModerationLabels": [label], "ModerationModelVersion": "7.0"}


def _document(asked: Json) -> Json:
    """One line, which is a field of a form and a table of one row."""

    def block(kind: str, name: str, **more: Any) -> Json:
        return {"BlockType": kind, "Id": name, "Confidence": 99.0, **more}

    def related(kind: str, *names: str) -> Json:
        return {"Relationships": [{"Type": kind, "Ids": list(names)}]}

    key = {"Relationships": [*related("VALUE", "value")["Relationships"], *related("CHILD", "w1")["Relationships"]]}
    blocks = [
        block("LINE", "line", Text="Keeper: Ann"),
        block("WORD", "w1", Text="Keeper:"),
        block("WORD", "w2", Text="Ann"),
        block("KEY_VALUE_SET", "key", EntityTypes=["KEY"], **key),
        block("KEY_VALUE_SET", "value", EntityTypes=["VALUE"], **related("CHILD", "w2")),
        block("TABLE", "table", **related("CHILD", "c1", "c2")),
        block("CELL", "c1", RowIndex=1, ColumnIndex=1, **related("CHILD", "w1")),
        block("CELL", "c2", RowIndex=1, ColumnIndex=2, **related("CHILD", "w2")),
    ]
    return {"DocumentMetadata": {"Pages": 1}, "Blocks": blocks}


def _analysis(asked: Json) -> Json:
    """What stands in a picture that is one; of all else, as of a picture in a bucket, the same words."""
    return _looked_at(asked, frozenset(asked["FeatureTypes"])) or _document(asked)


def _read(asked: Json) -> Json | None:
    """What stands in a picture that is one; all else, such as a document in a bucket, is moto's."""
    return _looked_at(asked, frozenset())


def _looked_at(asked: Json, wanted: frozenset[str]) -> Json | None:
    from PIL import Image

    data = base64.b64decode(asked["Document"].get("Bytes", ""))
    try:
        with Image.open(io.BytesIO(data)) as picture:
            size = picture.size
            picture.verify()
    except (OSError, SyntaxError, ValueError):
        return None
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        file.write(data)
        file.flush()
        (pieces,) = _pieces([Path(file.name)])
    return {"DocumentMetadata": {"Pages": 1}, "Blocks": blocks_of(pieces, size, wanted)}


def _pieces(paths: list[Path]) -> Any:
    from local.ocr import LocalOcr

    return LocalOcr().pieces(paths, OCR_S * len(paths))


@cache
def _documents() -> Documents:
    """Of the whole server."""
    return Documents(from_buckets(buckets), _pieces)


def _turn(asked: Json) -> Json:
    intent = {"name": "Echo", "state": "Fulfilled", "slots": {}}
    said = {"contentType": "PlainText", "content": f"You said: {asked['text']}"}
    return {"messages": [said], "sessionState": {"intent": intent}}


def _translation(asked: Json) -> Json:
    target, source = asked["TargetLanguageCode"], asked["SourceLanguageCode"]
    languages = {"SourceLanguageCode": "en" if source == "auto" else source, "TargetLanguageCode": target}
    return {"TranslatedText": f"[{target}] {asked['Text']}", **languages}


ANSWERS: dict[str, Answer] = {
    "AWSShineFrontendService_20170701.TranslateText": _translation,
    "Comprehend_20171127.ClassifyDocument": _safety,
    "Comprehend_20171127.DetectDominantLanguage": _language,
    "Comprehend_20171127.DetectEntities": _entities,
    "Comprehend_20171127.DetectKeyPhrases": _phrases,
    "Comprehend_20171127.DetectPiiEntities": _personal,
    "Comprehend_20171127.DetectToxicContent": _toxic,
    "RekognitionService.DetectModerationLabels": _moderation,
    "Textract.AnalyzeDocument": _analysis,
    "Textract.DetectDocumentText": _read,
    "Textract.GetDocumentAnalysis": lambda asked: _documents().get("analysis", asked),
    "Textract.GetDocumentTextDetection": lambda asked: _documents().get("text", asked),
    "Textract.StartDocumentAnalysis": lambda asked: _documents().start("analysis", asked),
    "Textract.StartDocumentTextDetection": lambda asked: _documents().start("text", asked),
}
"""By `X-Amz-Target`."""

ORDERS: dict[str, Answer] = {"/local/textract": lambda asked: _documents().order(asked)}
"""By path: what tests have a stand-in do."""


def answering(served: Any) -> Any:
    """Wrap the WSGI method of moto's application."""

    def application(moto: Any, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        known = ANSWERS.get(environ.get("HTTP_X_AMZ_TARGET", ""))
        if known is None and TURN.fullmatch(environ.get("PATH_INFO", "")):
            known = _turn
        known = known or ORDERS.get(environ.get("PATH_INFO", ""))
        if known is None:
            unknown: Iterable[bytes] = served(moto, environ, start_response)
            return unknown
        sent = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        try:
            said = known(json.loads(sent))
        except Refused as refused:
            body, headers = said_of(refused)
            start_response("400 Bad Request", [*headers, ("Content-Length", str(len(body)))])
            return [body]
        if said is None:
            answered: Iterable[bytes] = served(moto, {**environ, "wsgi.input": io.BytesIO(sent)}, start_response)
            return answered
        body = json.dumps(said).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    return application
