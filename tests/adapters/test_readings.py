"""What was read of documents: the fake and the adapter keep the same promises; and Textract, in its own form."""

import io
import json
from base64 import b64decode
from pathlib import Path
from typing import Any, Protocol

import pytest
from botocore.stub import Stubber
from broker.batches.documents.submitting import Readings as DocumentReadingsOfBatches
from broker.cloud.readings import DocumentReadings, TextractOcr
from broker.documents.document import TooMuch
from broker.errors import NotFound
from broker.inbox.recipes import KeptReadings

from tests.adapters.conftest import Client
from tests.fakes.files import FakeReadings

BUCKET = "payloads"


class AllReadings(KeptReadings, DocumentReadingsOfBatches, Protocol):
    """Both ports."""


EVENT = {"detail": {"object": {"key": "acme/Grüße.pdf"}}}


@pytest.fixture(params=["memory", "aws"])
def readings(request: pytest.FixtureRequest, client: Client) -> AllReadings:
    if request.param == "memory":
        return FakeReadings()
    s3, sqs = client("s3"), client("sqs")
    s3.create_bucket(Bucket=BUCKET)
    return DocumentReadings(s3, BUCKET, sqs, sqs.create_queue(QueueName="documents")["QueueUrl"])


def test_what_was_kept_is_found_until_it_is_forgotten(readings: AllReadings) -> None:
    facts = {"text": "Grüße", "error": None}
    assert readings.load("batch_1") is None
    readings.keep("batch_1", {"text": "older", "error": None})
    readings.keep("batch_1", facts)
    assert (readings.load("batch_1"), readings.load("batch_2")) == (facts, None)
    readings.forget("batch_1")
    readings.forget("batch_1")
    assert readings.load("batch_1") is None


def test_pictures_of_a_document_are_found_until_it_is_forgotten(readings: AllReadings) -> None:
    readings.keep("batch_1", {"text": "", "error": None})
    for number, picture in enumerate((b"older", b"two")):
        readings.keep_scan("batch_1", number, picture)
    readings.keep_scan("batch_1", 0, b"one")
    readings.keep_scan("batch_2", 0, b"another's")
    assert [b64decode(readings.load_scan("batch_1", number)) for number in (0, 1)] == [b"one", b"two"]
    readings.forget("batch_1", 2)
    readings.forget("batch_1", 2)
    for number in (0, 1, 2):
        with pytest.raises(NotFound):
            readings.load_scan("batch_1", number)
    assert b64decode(readings.load_scan("batch_2", 0)) == b"another's"


def test_pages_and_what_came_of_stages_are_found_until_the_document_is_forgotten(
    readings: AllReadings, tmp_path: Path
) -> None:
    path, facts = tmp_path / "pages.pdf", {"parts": [{"text": "Grüße", "numbers": [1, None]}]}
    for data in (b"older", b"%PDF one"):
        path.write_bytes(data)
        readings.keep_pages("batch_1", 0, path)
    readings.keep_ended("batch_1", "parts", {})
    readings.keep_ended("batch_1", "parts", facts)
    assert readings.load_pages("batch_1", 0) == b"%PDF one"
    assert (readings.load_ended("batch_1", "parts"), readings.load_ended("batch_2", "parts")) == (facts, {})
    for _ in range(2):
        readings.forget("batch_1", 0, 1, ["parts", "never"])
    with pytest.raises(NotFound):
        readings.load_pages("batch_1", 0)
    assert readings.load_ended("batch_1", "parts") == {}


def test_a_document_is_asked_for_in_its_tenants_group(client: Client) -> None:
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="documents")["QueueUrl"]
    DocumentReadings(client("s3"), BUCKET, sqs, url).ask(EVENT, "acme")
    (message,) = sqs.receive_message(QueueUrl=url, MessageSystemAttributeNames=["All"])["Messages"]
    assert json.loads(message["Body"]) == EVENT
    assert message["Attributes"]["MessageGroupId"] == "acme"


def line(text: str, left: float, top: float) -> dict[str, Any]:
    box = {"Left": left, "Top": top, "Width": 0.2, "Height": 0.05}
    return {"BlockType": "LINE", "Text": text, "Geometry": {"BoundingBox": box}}


@pytest.fixture
def page(tmp_path: Path) -> Path:
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (1000, 1400), "white").save(file, "PNG")
    path = tmp_path / "page.png"
    path.write_bytes(file.getvalue())
    return path


@pytest.fixture
def textract(client: Client) -> Any:
    made = client("textract")
    with Stubber(made) as stubber:
        made.stubber = stubber
        yield made


def test_textract_is_given_each_picture_and_its_lines_stand_as_on_the_page(textract: Any, page: Path) -> None:
    blocks = [{"BlockType": "PAGE"}, line("12", 0.6, 0.3), line("Lamp", 0.1, 0.3), line("Price", 0.6, 0.2)]
    blocks += [line("Part", 0.1, 0.2), line("Wick", 0.1, 0.4), line("3", 0.6, 0.4)]
    textract.stubber.add_response(
        "detect_document_text", {"Blocks": blocks}, {"Document": {"Bytes": page.read_bytes()}}
    )
    said = TextractOcr(textract)([page], 5.0)
    assert said == ["| Part | Price |\n| --- | --- |\n| Lamp | 12 |\n| Wick | 3 |"]


@pytest.mark.parametrize(
    "refusal", ["BadDocumentException", "DocumentTooLargeException", "UnsupportedDocumentException"]
)
def test_a_picture_that_textract_refuses_keeps_no_other(textract: Any, page: Path, refusal: str) -> None:
    textract.stubber.add_client_error("detect_document_text", refusal)
    textract.stubber.add_response("detect_document_text", {"Blocks": [line("Lamp", 0.1, 0.2)]})
    assert TextractOcr(textract)([page, page], 5.0) == ["", "Lamp"]


def test_when_the_time_is_over_textract_is_not_asked(textract: Any, page: Path) -> None:
    with pytest.raises(TooMuch) as caught:
        TextractOcr(textract)([page], -1.0)
    assert caught.value.code == "document_timed_out"
