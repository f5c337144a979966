"""The stand-in for Textract: it reads, and keeps to the service's shapes and limits; the adapter understands it."""

import io
from pathlib import Path
from typing import Any

import botocore.session
import pypdfium2 as pdfium
import pytest
from botocore.exceptions import ClientError
from broker.documents.forms import pages_of
from broker.errors import Rejected, Throttled, Unavailable
from broker.providers.aws.textract import Textract
from broker.providers.wire.base import Answer, Blob, Call, OperationStarted
from PIL import Image, ImageDraw, ImageFont

from local.textract import MOST_PAGES, Documents, Refused
from tests.fakes.aws import assert_fits
from tests.fakes.media import FakeMedia
from tests.unit.documents.samples import pdf, prose

ADDRESS = "s3://inbox/acme/scan.pdf"
MODEL = botocore.session.get_session().get_service_model("textract")
OPERATIONS = {
    "start_document_analysis": ("StartDocumentAnalysis", "start", "analysis"),
    "start_document_text_detection": ("StartDocumentTextDetection", "start", "text"),
    "get_document_analysis": ("GetDocumentAnalysis", "get", "analysis"),
    "get_document_text_detection": ("GetDocumentTextDetection", "get", "text"),
}
FORM = ["Register of lamps", "Name: Ann Keeper", ("Part", "Price"), ("Lamp", "12"), ("Wick", "3")]
ROW, COLUMN = 60, 500


def pieces(*lines: str | tuple[str, ...]) -> list[tuple[tuple[float, float, float, float], str]]:
    """What is read of a page with these lines, of which some have cells."""
    return [
        ((100 + COLUMN * column, 100 + ROW * row, 300 + COLUMN * column, 130 + ROW * row), text)
        for row, line in enumerate(lines)
        for column, text in enumerate((line,) if isinstance(line, str) else line)
    ]


def scan(*pages: list[Any]) -> bytes:
    """A PDF whose pages are pictures of these lines."""
    images = []
    for lines in pages:
        image = Image.new("L", (1200, 100 + ROW * (len(lines) + 1)), 255)
        draw, font = ImageDraw.Draw(image), ImageFont.load_default(32)
        for (left, top, _, _), text in pieces(*lines):
            draw.text((left, top), text, fill=0, font=font)
        images.append(image)
    file = io.BytesIO()
    images[0].save(file, "PDF", save_all=True, append_images=images[1:], resolution=200)
    return file.getvalue()


class Cloud:
    """A client of the service, answered by the stand-in; both sides are held against botocore's model."""

    def __init__(self, documents: Documents) -> None:
        self.documents = documents
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        operation, verb, kind = OPERATIONS[name]
        model = MODEL.operation_model(operation)

        def ask(**asked: Any) -> Any:
            self.asked.append(operation)
            assert_fits(asked, model.input_shape)
            try:
                reply = getattr(self.documents, verb)(kind, asked)
            except Refused as refused:
                assert refused.code in {shape.name for shape in model.error_shapes}
                raise ClientError({"Error": {"Code": refused.code}}, operation) from None
            assert_fits(reply, model.output_shape)
            return reply

        return ask


class Given(dict[str, bytes]):
    """Objects of a bucket."""

    def load(self, bucket: str, key: str, version: str | None) -> bytes:
        return self[f"s3://{bucket}/{key}"]


def cloud(data: bytes, *pages: list[Any], **more: Any) -> Cloud:
    def read(paths: list[Path]) -> list[Any]:
        return [pieces(*lines) for lines in pages]

    return Cloud(Documents(Given({ADDRESS: data}).load, read, **{"run": lambda work: work(), **more}))


def call(*features: str, name: str = "job_1-1-1") -> Call:
    given = {"file": {"s3": ADDRESS, "media_type": "application/pdf"}, "features": list(features)}
    media = FakeMedia({ADDRESS: Blob(b"%PDF", "application/pdf")})
    return Call("extract_text", "textract", given, {}, 60, media=media, token=name)


def live(cloud: Cloud, asked: Call) -> Answer:
    provider = Textract(lambda service, region, timeout: cloud, lambda seconds: None)
    started = provider.invoke(asked)
    assert isinstance(started, OperationStarted)
    done = provider.check(asked, started.operation_id)
    assert isinstance(done, Answer)
    return done


def test_the_adapter_reads_what_the_stand_in_says_of_each_page() -> None:
    done = live(cloud(scan(FORM, ["Page two"]), FORM, ["Page two"]), call("forms", "tables"))
    assert dict(done.units) == {"pages": 2, "forms": 2, "tables": 2}
    assert done.output["fields"] == [{"key": "Name:", "value": "Ann Keeper", "score": 0.975}]
    assert done.output["tables"] == [[["Part", "Price"], ["Lamp", "12"], ["Wick", "3"]]]
    assert pages_of(done.output["layout"]) == {
        1: "Register of lamps\n\nName: Ann Keeper\n\n| Part | Price |\n| --- | --- |\n| Lamp | 12 |\n| Wick | 3 |",
        2: "Page two",
    }


def test_it_really_reads() -> None:
    from local.ocr import LocalOcr

    made = Documents(
        Given({ADDRESS: scan(FORM)}).load, lambda paths: LocalOcr().pieces(paths, 120), run=lambda work: work()
    )
    done = live(Cloud(made), call("forms", "tables"))
    text = pages_of(done.output["layout"])[1]
    assert "Ann Keeper" in text.replace("AnnKeeper", "Ann Keeper")
    assert "| Part | Price |" in text and "| Lamp | 12 |" in text


def test_results_come_by_the_thousand_and_are_all_taken() -> None:
    lines = [f"line {number}" for number in range(900)]
    service = cloud(scan(["x"]), lines)
    done = live(service, call("forms"))
    assert done.output["text"].splitlines() == lines
    assert service.asked.count("GetDocumentAnalysis") == 3, "a page, and a line and two words for each line"


def test_the_same_token_is_the_same_work_and_may_not_be_used_for_other() -> None:
    service = cloud(scan(["x"]), ["x"])
    place = {"S3Object": {"Bucket": "inbox", "Name": "acme/scan.pdf"}}
    asked = {"DocumentLocation": place, "FeatureTypes": ["FORMS"], "ClientRequestToken": "t-1"}
    first = service.start_document_analysis(**asked)
    assert service.start_document_analysis(**asked) == first
    assert service.start_document_analysis(**{**asked, "ClientRequestToken": "t-2"}) != first
    with pytest.raises(ClientError, match="IdempotentParameterMismatchException"):
        service.start_document_analysis(**{**asked, "FeatureTypes": ["TABLES"]})


def test_a_workflow_that_lost_its_work_finds_it_by_its_token() -> None:
    service = cloud(scan(["x"]), ["x"])
    provider = Textract(lambda service_name, region, timeout: service)
    first, again = provider.invoke(call("forms")), provider.invoke(call("forms"))
    assert first == again
    assert provider.invoke(call("forms", name="job_1-1-2")) != first


def test_as_many_documents_as_the_account_may_have_are_at_work_and_no_more() -> None:
    works: list[Any] = []
    service = cloud(scan(["x"]), ["x"], run=works.append, at_work=3)
    provider = Textract(lambda name, region, timeout: service)
    started = [provider.invoke(call("forms", name=f"job_{number}-1-1")) for number in range(3)]
    with pytest.raises(Throttled):
        provider.invoke(call("forms", name="job_9-1-1"))
    assert provider.invoke(call("forms", name="job_0-1-1")) == started[0], "it is one of them"
    assert isinstance(provider.check(call("forms"), started[0].operation_id), OperationStarted)
    works[0]()
    assert isinstance(provider.invoke(call("forms", name="job_9-1-1")), OperationStarted)


def test_it_refuses_on_order_as_often_as_it_was_told() -> None:
    service = cloud(scan(["x"]), ["x"])
    service.documents.order({"refuse": "ProvisionedThroughputExceededException", "times": 2})
    provider = Textract(lambda name, region, timeout: service)
    for _ in range(2):
        with pytest.raises(Throttled):
            provider.invoke(call("forms"))
    assert isinstance(provider.invoke(call("forms")), OperationStarted)


@pytest.mark.parametrize("data", [b"PK\x03\x04 a zip", b"plain text"])
def test_what_it_does_not_read_is_refused_at_the_start(data: bytes) -> None:
    with pytest.raises(Rejected):
        Textract(lambda name, region, timeout: cloud(data)).invoke(call("forms"))


def test_an_object_that_is_not_there_or_a_document_that_is_broken_is_no_empty_one() -> None:
    service = cloud(b"%PDF-1.7 broken")
    with pytest.raises(Exception, match="could not do the work"):
        live(service, call("forms"))
    service.documents.load = Given().load
    with pytest.raises(Rejected):
        Textract(lambda name, region, timeout: service).invoke(call("forms", name="job_2-1-1"))


def test_a_document_of_more_pages_than_it_takes_fails() -> None:
    made, file = pdfium.PdfDocument.new(), io.BytesIO()
    for _ in range(MOST_PAGES + 1):
        made.new_page(10, 10)
    made.save(file)
    with pytest.raises(Exception, match="could not do the work"):
        live(cloud(file.getvalue()), call("forms"))


def test_results_are_kept_for_seven_days() -> None:
    now = [0.0]
    service = cloud(pdf(prose("x")), ["x"], clock=lambda: now[0])
    provider = Textract(lambda name, region, timeout: service)
    started = provider.invoke(call("forms"))
    now[0] = 7 * 86_400.0
    assert isinstance(provider.check(call("forms"), started.operation_id), Answer)
    now[0] += 1
    with pytest.raises(Unavailable) as caught:
        provider.check(call("forms"), started.operation_id)
    assert caught.value.maybe_paid
