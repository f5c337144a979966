"""What rows in OpenAI's form take beside their jobs: what others take, and no memory that grows with their answers."""

import json
import tracemalloc
from collections import Counter
from typing import Any

import pytest
from broker.doors.embeddings import pieces_of
from broker.doors.rows import RowOf, answered_pieces
from broker.jobs.head import Head, Status
from broker.jobs.transitions import Outcome, finish

from tests.fakes.batch_flow import Flow
from tests.fakes.batch_rows import chat, jsonl
from tests.fakes.counting import CountingDatabase
from tests.fakes.world import World

CHAT = "/v1/chat/completions"


class Answered(Flow):
    """Batches whose jobs are answered as chats are."""

    def asked(self, head: Head) -> str:
        """See `Flow.asked`."""
        return ""

    def end(self, head: Head, status: Status = Status.SUCCEEDED, text: str = "Fine.", cost: int = 3) -> Head:
        """See `Flow.end`."""
        self.world.payloads.save(head, "OUTPUT#1.1", {"text": text, "finish_reason": "stop"})
        outcome = Outcome(status, output="OUTPUT#1.1", usage={"input_tokens": 2, "output_tokens": 1})
        return self.world.jobs.change(head.id, lambda before: finish(before, outcome, now=self.now))


def work(rows: int, *, openai: bool) -> Counter[str]:
    """What a batch takes from its plan to its end."""
    database = CountingDatabase()
    flow = Answered(World(database))
    said: list[dict[str, Any]] = [chat(f"Row {number}", custom_id=f"r-{number}") for number in range(rows)]
    if openai:
        said = [
            {
                "custom_id": each["custom_id"],
                "method": "POST",
                "url": CHAT,
                "body": {"model": "small", "messages": [{"role": "user", "content": each["input"]["text"]}]},
            }
            for each in said
        ]
    flow.begin(jsonl(*said), asked={"endpoint": CHAT} if openai else {})
    flow.finish()
    assert flow.batch().sums.counts == {"succeeded": rows}
    return Counter(writes=database.writes, reads=database.reads)


@pytest.mark.parametrize("rows", [1, 250])
def test_a_row_in_openais_form_takes_what_others_take(rows: int) -> None:
    assert work(rows, openai=True) == work(rows, openai=False)


def test_a_large_answer_of_numbers_goes_through_in_pieces() -> None:
    answer = b'{"embeddings":[' + b",".join([b"[" + b",".join([b"0.123456789"] * 1_000) + b"]"] * 1_000) + b"]}"
    view = {"id": "job_1", "model": "vectors", "usage": {"input_tokens": 3}}
    row = RowOf("job_1", "a", 1)
    for body in ({}, {"encoding_format": "base64"}):
        tracemalloc.start()
        size = 0
        for piece in answered_pieces(row, view, pieces_of(view, answer, body), "mark"):
            size += len(piece)
            assert len(piece) < 20_000
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 1_000_000, "the answer itself has twelve"
        assert size > 5_000_000
    whole = b"".join(answered_pieces(row, view, pieces_of(view, answer, {}), "mark"))
    assert len(json.loads(whole)["response"]["body"]["data"]) == 1_000
