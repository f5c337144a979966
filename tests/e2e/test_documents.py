"""Documents in the inbox: what they say becomes a job, whatever form it has."""

import io
import json

from tests.e2e.files import Files
from tests.e2e.stack import Stack
from tests.unit.documents.samples import docx, mail, paragraph, pdf, picture, prose

SAID = ("The lamp needed nobody.", "The keeper distrusted it, then slept.")


def test_documents_of_many_kinds_become_answers(stack: Stack) -> None:
    files = Files(stack)
    sent = {
        "report.pdf": pdf(prose(SAID[0]), prose(SAID[1])),
        "report.docx": docx("".join(paragraph(line) for line in SAID)),
        "report.eml": mail("Lamps", " ".join(SAID), {"more.docx": docx(paragraph("The oil was dear."))}),
        "report.txt": " ".join(SAID).encode("utf-16"),
    }
    keys = [files.put(name, data) for name, data in sent.items()]
    for key in keys:
        job = json.loads(files.text(f"{key}.result.json"))
        assert job["status"] == "succeeded", key
        # A summary by extraction says whole sentences of what it was given.
        assert any(word in job["output"]["text"] for word in ("lamp", "keeper", "oil", "Lamps")), job["output"]


def test_a_scanned_page_is_read(stack: Stack) -> None:
    from PIL import Image

    file = io.BytesIO()
    with Image.open(io.BytesIO(picture("The keeper distrusted the lamp."))) as image:
        image.save(file, "PDF")
    files = Files(stack)
    job = json.loads(
        files.text(f"{files.put('scan.pdf', file.getvalue())}.result.json", 240)
    )  # what reads it starts anew
    assert (job["status"], "keeper" in job["output"]["text"]) == ("succeeded", True)


def test_what_was_read_is_kept_no_longer_than_it_is_needed(stack: Stack) -> None:
    files = Files(stack)
    files.text(f"{files.put('once.docx', docx(paragraph(SAID[0])))}.result.json")
    bucket = stack.physical("PayloadsBucket")
    assert not stack.cloud.client("s3").list_objects_v2(Bucket=bucket, Prefix="documents/").get("Contents")
