"""Documents by recipe on the embedded cloud: from the inbox or an event, through jobs, to a result with its pages."""

import io
import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.stack import Stack, put_event, until
from tests.unit.documents.samples import pdf, picture, prose

TENANT = "papers"
SOURCE = "tests.papers"
PROMPTS = [
    {"id": "paper-part", "user": "Summarize:\n\n{{document}}"},
    {"id": "paper-whole", "user": "Summarize:\n\n{{answers}}"},
]
SCHEMA = {
    "type": "object",
    "required": ["title", "lamps"],
    "properties": {"title": {"type": "string"}, "lamps": {"type": "array", "items": {"type": "string"}}},
}
RECIPES: list[dict[str, Any]] = [
    {
        "id": "paper-echo",
        "merge": {"way": "concat"},
        "prompts": {"map": "paper-part"},
        "split": {"by": "pages", "size": 200},
        "model": "echoes",
        "citations": "tell",
        "extract": {"model": "paper-eyes"},
    },
    {
        "id": "paper-sum",
        "merge": {"way": "map_reduce"},
        "prompts": {"map": "paper-part", "reduce": "paper-whole"},
        "split": {"size": 200},
        "model": "answers",
        "parameters": {"max_output_tokens": 60},
        "max_cost_usd": 1,
        "on_failure": "continue",
    },
    {
        "id": "paper-facts",
        "takes": ["pdf"],
        "merge": {"way": "extract"},
        "prompts": {"map": "paper-part"},
        "output_schema": SCHEMA,
        "model": "answers",
        "on_failure": "continue",
        "output": {"suffix": ".facts.json"},
    },
]
TEXT = "The lamp on page {number} needed nobody. " * 14


class Papers:
    """The documents of one tenant."""

    def __init__(self, stack: Stack) -> None:
        sources = [{"account": "000000000000", "source": SOURCE, "tenant": TENANT}]
        tenants = [{"id": TENANT, "monthly_budget_usd": 1000}]
        facts: dict[str, Any] = {"tenants": tenants, "sources": sources, "prompts": PROMPTS, "recipes": RECIPES}
        stack.register(facts)
        self.stack, self.s3, self.api = stack, stack.cloud.client("s3"), stack.as_tenant(TENANT)
        self.tenant = TENANT

    def put(self, recipe: str, name: str, body: bytes) -> str:
        """Put a document into the inbox; gives its key."""
        key = f"{self.tenant}/{recipe}/{uuid.uuid4().hex}/{name}"
        self.s3.put_object(Bucket=self.stack.outputs["InboxBucket"], Key=key, Body=body)
        return key

    def result(self, key: str, seconds: float = 180) -> dict[str, Any]:
        """What is in the outbox, as soon as it is there."""

        def read() -> str:
            try:
                return str(
                    self.s3.get_object(Bucket=self.stack.outputs["OutboxBucket"], Key=key)["Body"].read().decode()
                )
            except self.s3.exceptions.NoSuchKey:
                return ""

        text = until(read, seconds)
        assert text, f"{key} is not in the outbox"
        found: dict[str, Any] = json.loads(text)
        return found

    def shown(self, batch_id: str) -> dict[str, Any]:
        """The document as the API shows it, once it has ended."""
        found: dict[str, Any] = {}

        def ended() -> bool:
            nonlocal found
            found = self.api.call("GET", f"/batches/{batch_id}").body
            return found["status"] in ("completed", "failed", "cancelled", "expired")

        until(ended, 120)
        return found


@pytest.fixture(scope="module")
def papers(stack: Stack) -> Iterator[Papers]:
    yield Papers(stack)


def pages(count: int) -> bytes:
    return pdf(*(prose(TEXT.format(number=number)) for number in range(1, count + 1)))


def test_a_document_in_the_folder_of_a_recipe_becomes_jobs_and_one_result_that_cites_its_pages(papers: Papers) -> None:
    result = papers.result(f"{papers.put('paper-echo', 'a.pdf', pages(3))}.result.json")
    assert result["error"] is None and result["kind"] == "pdf" and result["pages"] == 3
    assert [f"[p. {number}]" in result["answer"] for number in (1, 2, 3, 4)] == [True, True, True, False]
    assert [each["page"] for each in result["citations"]["pages"]] == [1, 2, 3] and not result["citations"]["unknown"]
    assert [child["pages"] for child in result["children"]] == ["1", "2", "3"]
    job = papers.api.call("GET", f"/jobs/{result['children'][1]['job_id']}").body
    assert job["status"] == "succeeded" and job["metadata"]["document_pages"] == "2"
    shown = papers.shown(result["batch_id"])
    assert shown["document"]["stages"] == [
        {"name": "parts", "total": 3, "ended": 3, "succeeded": 3, "cost_usd": shown["usage"]["cost_usd"]}
    ]
    assert [child["attempts"] for child in shown["document"]["children"]] == [1, 1, 1]
    assert (shown["status"], shown["result_key"]) == ("completed", f"{result['key']}.result.json")
    left = papers.s3.list_objects_v2(Bucket=papers.stack.physical("PayloadsBucket"), Prefix="documents/")
    assert result["batch_id"] not in json.dumps(left, default=str), "what was read is kept no longer than it is needed"


def test_a_long_document_is_merged_stage_by_stage_within_its_budget(papers: Papers) -> None:
    result = papers.result(f"{papers.put('paper-sum', 'long.pdf', pages(12))}.result.json")
    assert result["error"] is None and result["answer"], result
    stages = list(dict.fromkeys(child["stage"] for child in result["children"]))
    assert stages[:2] == ["parts", "merge-1"]
    assert 0 < result["usage"]["cost_usd"] <= 1
    assert papers.shown(result["batch_id"])["usage"]["cost_usd"] == pytest.approx(result["usage"]["cost_usd"])


def test_an_event_has_a_document_turned_into_json_by_a_schema(papers: Papers) -> None:
    bucket, key = papers.stack.outputs["InboxBucket"], f"{TENANT}/media/{uuid.uuid4().hex}/a.pdf"
    papers.s3.put_object(Bucket=bucket, Key=key, Body=pages(2))
    put_event(papers.stack, {"document": {"s3": f"s3://{bucket}/{key}", "recipe": "paper-facts"}}, SOURCE)
    result = papers.result(f"{key}.facts.json")
    assert result["error"] is None and set(result["answer"]) == {"title", "lamps"}


def test_a_scanned_page_is_read_by_a_job_that_the_tenant_pays_for(papers: Papers) -> None:
    from PIL import Image

    file = io.BytesIO()
    with Image.open(io.BytesIO(picture("The keeper distrusted the lamp."))) as image:
        image.save(file, "PDF")
    result = papers.result(f"{papers.put('paper-echo', 'scan.pdf', file.getvalue())}.result.json", 300)
    assert result["error"] is None, result["error"]
    assert [child["stage"] for child in result["children"]] == ["scans", "parts"]
    job = papers.api.call("GET", f"/jobs/{result['children'][0]['job_id']}").body
    assert (job["task"], job["status"]) == ("extract_text", "succeeded")


def test_what_a_recipe_does_not_take_says_why_and_costs_nothing(papers: Papers) -> None:
    error = papers.result(f"{papers.put('paper-facts', 'a.txt', b'Plain text.')}.error.json")
    assert error["error"]["code"] == "kind_not_taken"
    broken = papers.result(f"{papers.put('paper-echo', 'a.pdf', b'%PDF-1.7 broken')}.error.json")
    assert broken["error"]["code"] in ("broken_document", "empty_document")


def test_a_document_is_its_tenants_alone_and_can_be_canceled_and_erased(papers: Papers, stack: Stack) -> None:
    key = papers.put("paper-echo", "b.pdf", pages(2))
    result = papers.result(f"{key}.result.json")
    batch_id = result["batch_id"]
    other = stack.as_tenant("other")
    for method, path in (("GET", ""), ("POST", "/cancel"), ("DELETE", ""), ("GET", "/results")):
        assert other.call(method, f"/batches/{batch_id}{path}").status == 404
    papers.shown(batch_id)
    assert papers.api.call("POST", f"/batches/{batch_id}/retry", {}).body["error"]["code"] == "document_not_retried"
    assert papers.api.call("DELETE", f"/batches/{batch_id}").status in (200, 202, 204)

    def erased() -> bool:
        jobs = [papers.api.call("GET", f"/jobs/{child['job_id']}").body for child in result["children"]]
        return all(job["erased"] and job["output"] is None for job in jobs)

    assert until(erased, 120)
    listed = papers.s3.list_objects_v2(Bucket=stack.outputs["OutboxBucket"], Prefix=key).get("Contents", [])
    assert not listed, "the result goes as well"
