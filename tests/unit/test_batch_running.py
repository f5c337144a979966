"""Running rows: each becomes one job or one error, whatever its neighbours do, whoever runs them and however often."""

import json
from typing import Any

import pytest
from broker.batches.rows.running import LEASE_MS
from broker.batches.shard import row_job_id

from tests.fakes.batch_rows import Rows, chat, jsonl
from tests.fakes.database import Crash
from tests.fakes.world import HOUR, NOW, SECOND


@pytest.fixture
def rows() -> Rows:
    return Rows()


def begin(rows: Rows, *lines: Any, **changes: Any) -> None:
    rows.put(jsonl(*lines), **changes)
    rows.plan()
    rows.run()


def texts(rows: Rows, batch_id: str = "batch_1") -> list[tuple[int | None, str]]:
    return [(head.row, rows.asked(head)) for head in rows.jobs(batch_id)]


def test_each_row_becomes_a_job_that_knows_its_place(rows: Rows) -> None:
    begin(rows, "", chat("One.", custom_id="a"), "", chat("Two."))
    rows.tend_all()
    assert texts(rows) == [(0, "One."), (1, "Two.")]
    first, second = rows.jobs()
    assert [head.id for head in (first, second)] == [row_job_id("batch_1", NOW, row) for row in (0, 1)]
    assert (first.tenant, first.principal, first.door, first.batch, first.line) == (
        "acme",
        "key:1",
        "batch",
        "batch_1",
        2,
    )
    assert (second.line, first.lane) == (4, "bulk")
    assert [head.id for head in rows.world.queue.sent] == [first.id, second.id]
    assert rows.world.jobs.notes(first.id)["ASKED"]["custom_id"] == "a"
    assert rows.shard_of(0).is_sent


def test_what_is_wrong_with_a_row_is_said_of_it_alone(rows: Rows) -> None:
    lines: list[Any] = [
        chat("fine"),
        "{not json",
        b'{"input": "\xff"}',
        "[]",
        {},
        chat("x", model="no-such"),
        chat("x", surprise=1),
        chat("x", custom_id=""),
        chat("a", custom_id="same"),
        chat("b", custom_id="same"),
        '"text"',
        '{"input": ' + "[" * 5000 + "]" * 5000 + "}",
        chat("x" * 5_000_000),
        chat("fine too", custom_id="other"),
    ]
    rows.rows.piece = 1 << 20
    begin(rows, *lines)
    rows.tend_all()
    assert texts(rows) == [(0, "fine"), (8, "a"), (13, "fine too")]
    assert rows.errors() == {
        1: "invalid_json",
        2: "invalid_encoding",
        3: "invalid_body",
        4: "invalid_field",
        5: "unknown_model",
        6: "invalid_field",
        7: "invalid_field",
        9: "duplicate_custom_id",
        10: "invalid_body",
        11: "too_deep",
        12: "body_too_large",
    }
    apart = rows.batches.rows_apart("batch_1", 0)
    assert apart[6]["error"]["param"] == "surprise"
    assert apart[9]["error"]["param"] == "custom_id"
    assert set(rows.ends()) == set(rows.errors()), "they have ended; the others have not"


def test_what_a_batch_says_for_all_rows_each_may_say_otherwise(rows: Rows) -> None:
    defaults = json.dumps({"parameters": {"max_output_tokens": 7}, "priority": "interactive"})
    begin(rows, chat("One."), chat("Two.", priority="bulk"), asked={"defaults": defaults})
    rows.tend_all()
    assert [head.lane for head in rows.jobs()] == ["interactive", "bulk"]


def test_rows_may_be_the_variables_of_one_prompt(rows: Rows) -> None:
    rows.world.register({"pk": "PROMPT#greet", "sk": "LATEST", "user": "Greet {{who}}."})
    begin(rows, {"who": "Ada", "custom_id": "1"}, "[]", {"whom": "x"}, asked={"prompt": {"id": "greet"}})
    rows.tend_all()
    (job,) = rows.jobs()
    assert ">Ada<" in json.dumps(rows.world.prompt(job.id))
    assert rows.errors()[1] == "invalid_row" and 2 in rows.errors()


def test_no_row_lives_longer_than_its_batch(rows: Rows) -> None:
    ends_at = NOW + 2 * HOUR
    short, long, kept = chat("s", deadline_seconds=60), chat("l", deadline_seconds=90_000), chat("k", ttl_seconds=600)
    begin(rows, chat("none"), short, long, kept, ends_at=ends_at)
    rows.tend_all()
    deadlines = [head.deadline_at for head in rows.jobs()]
    assert deadlines == [ends_at, NOW + 60 * SECOND, ends_at, NOW + 600 * SECOND]


def test_a_shard_that_runs_twice_makes_no_second_job(rows: Rows) -> None:
    begin(rows, chat("One."), "{", chat("Two."))
    message = {"batch_id": "batch_1", "shard": 0}
    rows.tend(message)
    made = len(rows.world.queue.sent)
    rows.tend(message)
    assert len(rows.world.queue.sent) == made == 2


@pytest.mark.parametrize("dedupe", [False, True])
@pytest.mark.parametrize("crash_in", range(24))
def test_who_dies_anywhere_leaves_what_the_next_one_goes_on_with(rows: Rows, crash_in: int, dedupe: bool) -> None:
    begin(rows, chat("One."), "{", chat("Same."), chat("Same."), {}, asked={"dedupe": True} if dedupe else {})
    message = {"batch_id": "batch_1", "shard": 0}
    rows.world.database.crash_in = crash_in
    crashed = False
    try:
        rows.tend(message)
    except Crash:
        crashed = True
    rows.world.database.crash_in = None
    if crashed:
        rows.tend(message)
        assert not rows.shard_of(0).is_sent or crash_in == 0, "whoever died may still be at it, for all anyone knows"
        rows.now += LEASE_MS
        rows.tend(message)
    assert rows.shard_of(0).is_sent
    expected = [(0, "One."), (2, "Same.")] + [(3, "Same.")] * (not dedupe)
    assert texts(rows) == expected
    assert rows.errors() == {1: "invalid_json", 4: "invalid_field"}
    assert rows.ends() == {1: "rejected", 4: "rejected"}
    apart = rows.batches.rows_apart("batch_1", 0)
    assert ("first" in apart.get(3, {})) is dedupe


def test_two_at_once_do_not_run_the_same_rows(rows: Rows) -> None:
    begin(rows, chat("One."), chat("Two."))
    message = {"batch_id": "batch_1", "shard": 0}
    during = []

    def another() -> None:
        during.append(len(rows.world.queue.sent))
        rows.tend(message)
        during.append(len(rows.world.queue.sent))

    rows.world.database.meanwhile = [lambda: None, another]
    rows.tend(message)
    assert during == [0, 0], "the other left them to the first"
    assert len(rows.world.queue.sent) == 2


def test_rows_whose_file_is_gone_are_rejected_and_say_so(rows: Rows) -> None:
    begin(rows, *map(chat, "abc"))
    rows.rows.objects.clear()
    rows.tend_all()
    assert rows.errors() == dict.fromkeys(range(3), "file_gone")
    assert rows.shard_of(0).is_sent


def test_a_row_that_was_accepted_stays_so_when_its_model_is_gone(rows: Rows) -> None:
    begin(rows, chat("One.", model="small"), chat("Two.", model="small"))
    rows.world.database.crash_in = 2
    with pytest.raises(Crash):
        rows.tend({"batch_id": "batch_1", "shard": 0})
    rows.world.database.crash_in = None
    begun = len(rows.jobs())
    assert begun >= 1
    rows.world.database.delete("registry", "MODELS", "small")
    rows.now += LEASE_MS
    rows.tend({"batch_id": "batch_1", "shard": 0})
    assert len(rows.jobs()) == begun
    assert rows.errors() == dict.fromkeys(range(begun, 2), "unknown_model")


def test_a_budget_that_does_not_cover_a_row_rejects_it_and_no_other(rows: Rows) -> None:
    rows.world.tenant("acme", monthly_budget=4_000)
    begin(rows, *(chat(str(number), parameters={"max_output_tokens": 500}) for number in range(6)))
    rows.tend_all()
    made = len(rows.jobs())
    assert 1 <= made < 6
    assert rows.errors() == dict.fromkeys(range(made, 6), "budget_exceeded")


def test_the_workflow_goes_on_when_a_batch_is_done_and_whoever_asks_late(rows: Rows) -> None:
    begin(rows, "{", "[]")

    def fold(batch: Any, shard: Any, now: int) -> None:
        rows.batches.change(batch.id, lambda before: before.fold(shard.number, shard.sums, now))

    rows.fold = fold
    rows.tend_all()
    assert rows.batch().is_done and rows.workflows.told == ["token-1"]
    rows.run(token="token-2")
    rows.tend_all()
    assert rows.workflows.told == ["token-1", "token-2"], "one that came when all was done is told, too"


def test_no_more_shards_run_at_once_than_keep_the_lane_filled(rows: Rows) -> None:
    rows.rows.piece = 1 << 16
    begin(rows, *([{}] * 6_000))
    assert [shard for _, shard in rows.shards.sent] == list(range(40))
    assert rows.batch().released == 40


class Counting:
    """Counts the writes from now on."""

    def __init__(self, rows: Rows) -> None:
        self.count, database = 0, rows.world.database
        database.meanwhile = [self._one] * 100_000
        self._database, self._left = database, len(database.meanwhile)

    def _one(self) -> None:
        self.count += 1

    def done(self) -> int:
        """How many there were."""
        self._database.meanwhile = []
        return self.count


def test_a_row_costs_the_same_in_a_batch_of_any_size(rows: Rows) -> None:
    counts = []
    for count in (100, 1_000):
        batch_id = f"batch_{count}"
        rows.rows.piece = 1 << 16
        rows.put(jsonl(*(chat(str(number)) for number in range(count))), batch_id)
        rows.plan(batch_id)
        rows.run(batch_id, f"token-{count}")
        writes = Counting(rows)
        rows.tend_all()
        counts.append(writes.done() / count)
    assert counts[0] == pytest.approx(counts[1], rel=0.02)
    assert counts[0] <= 2.1, "the request, the head, and a hundredth of a shard"
