"""How often what the jobs of a document answered is read, whatever the number of its stages."""

from collections import Counter
from typing import Any

import pytest
from broker.batches.documents.children import Children
from broker.batches.documents.earlier import Earlier
from broker.jobs.head import Head, Status

from tests.fakes.database import Crash
from tests.fakes.document_batches import DOCUMENT_ID, Documents
from tests.unit.documents.recipes_case import document

REFINE: dict[str, Any] = {
    "id": "sums",
    "split": {"size": 300, "by": "pages"},
    "merge": {"way": "refine"},
    "prompts": {"map": "ask", "reduce": "join"},
    "parameters": {"max_output_tokens": 50},
}
SUMS = {**REFINE, "merge": {"way": "map_reduce"}}
JOIN = [{"id": "ask", "user": "Sum up: {{document}}"}, {"id": "join", "user": "{{answer}} and {{document}}"}]
MERGE = [{"id": "ask", "user": "Sum up: {{document}}"}, {"id": "join", "user": "Put together: {{answers}}"}]


def counted(documents: Documents) -> Counter[str]:
    """Counts how often the job of each child is read."""
    reads: Counter[str] = Counter()
    look = documents.world.jobs.look

    class Counting:
        def look(self, job_id: str) -> Any:
            reads[job_id] += 1
            return look(job_id)

    documents.children_jobs = Counting()
    return reads


@pytest.mark.parametrize("pages", [2, 12, 40])
def test_of_a_document_in_many_steps_each_answer_is_read_once_and_once_more_for_the_result(pages: int) -> None:
    documents = Documents()
    documents.register(REFINE, prompts=JOIN)
    reads = counted(documents)
    documents.submit(document(pages))
    result = documents.live()
    assert len(documents.batch().stages) == pages == len(result["children"])
    assert set(reads.values()) == {2} and len(reads) == pages, "not a square of them"
    assert documents.readings.ended == {}, "it is kept no longer than it is needed"


def test_a_document_of_one_stage_keeps_nothing_and_reads_its_jobs_once() -> None:
    documents = Documents()
    documents.register({**SUMS, "merge": {"way": "concat"}, "prompts": {"map": "ask"}}, prompts=MERGE)
    reads = counted(documents)
    documents.submit(document(5))
    documents.live()
    assert set(reads.values()) == {1} and len(reads) == 5


def test_a_plan_reads_few_objects_whatever_the_number_of_stages() -> None:
    documents = Documents()
    documents.register(REFINE, prompts=JOIN)
    documents.submit(document(20))
    for _ in range(15):
        documents.plan_document()
        documents.stage()
    documents.plan_document()
    assert len(documents.readings.ended) == 1


def test_what_was_answered_stays_what_it_was_although_a_job_is_erased_between_stages() -> None:
    documents = Documents(says=lambda head, text: f"answer {head.row}")
    documents.register(SUMS, prompts=MERGE)
    documents.submit(document(6))
    documents.plan_document()
    documents.stage()
    documents.plan_document()  # the merge is laid out by what is there
    for head in documents.jobs()[:3]:
        documents.world.payloads.drop(head.id, head.output or "")
    documents.stage()
    result = documents.live()
    assert result["error"] is None and result["answer"]


def test_what_is_kept_is_what_was_read() -> None:
    def says(head: Head, text: str) -> Any:
        return Status.FAILED if head.row == 1 else {"text": "x", "numbers": [1, None, "é"]}

    documents = Documents(says=says)
    documents.register({**SUMS, "on_failure": "continue"}, prompts=MERGE)
    documents.submit(document(4))
    documents.plan_document()
    documents.stage()
    batch = documents.batch()
    children = Children(documents.batches, documents.world.jobs, documents.world.payloads)
    first = Earlier.of(batch, children, documents.readings)
    assert not first.again
    first.keep(batch, documents.readings)
    second = Earlier.of(batch, children, documents.readings)
    assert second.again and second.stages == first.stages


def test_a_crash_between_keeping_and_laying_out_changes_nothing() -> None:
    documents = Documents(says=lambda head, text: "Fine.")
    documents.register(SUMS, prompts=MERGE)
    documents.submit(document(6))
    documents.plan_document()
    documents.stage()
    documents.world.database.crash_in = 0
    with pytest.raises(Crash):
        documents.plan_document()
    documents.world.database.crash_in = None
    assert documents.live(DOCUMENT_ID)["answer"] == "Fine."
