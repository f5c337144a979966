"""Taking a batch: what is kept, once, and that nothing is left of what was refused."""

import json
from dataclasses import replace
from typing import Any

import pytest
from broker.batches.asking.request import parse_batch
from broker.batches.asking.submitting import GIVEN, Found, Taken
from broker.batches.batch import Batch, BatchStatus
from broker.batches.shard import Sums
from broker.batches.store import Batches
from broker.clock import now_ms
from broker.errors import BrokerError, Conflict, Forbidden, Gone, InvalidRequest, KeyReused, NotFound
from broker.jobs.accepting import Caller
from broker.registry.applying import apply
from broker.registry.document import parse_registry

from tests.fakes.batch_door import BatchWorld
from tests.fakes.queue import Down
from tests.fakes.world import HOUR, MINUTE, NOW, World, a_model

ROWS = [{"custom_id": "a", "input": "Hello"}, {"custom_id": "b", "input": "Grüße\u2028"}]
INLINE = {"requests": ROWS}
NIGHT = {"start": "22:00", "end": "06:00", "time_zone": "Europe/Berlin"}
PROMPT = {"pk": "PROMPT#summarize", "sk": "LATEST", "user": "Summarize:\n{{document}}"}


@pytest.fixture
def place() -> BatchWorld:
    world = World()
    world.register(a_model("small"), PROMPT)
    world.tenant()
    world.tenant("other")
    return BatchWorld(world)


def take(place: BatchWorld, body: Any, *, tenant: str = "acme", key: str | None = None, now: int = NOW) -> Taken:
    return place.submit()(parse_batch(body), Caller(tenant, "ci", "rest", "r-1"), now, key=key)


def again(place: BatchWorld, batch_id: str, *, tenant: str = "acme", key: str | None = None) -> Taken:
    return place.submit().again(batch_id, Caller(tenant, "ci", "rest", "r-1"), NOW + HOUR, key=key)


def kept(place: BatchWorld) -> list[Batch]:
    found, _ = Batches(place.world.database).of_tenant("acme", limit=100, cursor=None)
    return found


def test_rows_of_a_body_are_kept_as_lines_and_the_workflow_is_started(place: BatchWorld) -> None:
    batch = take(place, INLINE).batch
    assert Batches(place.world.database).get(batch.id, "acme") == batch
    assert (batch.status, batch.ends_at, batch.principal) == (BatchStatus.VALIDATING, NOW + 24 * HOUR, "ci")
    lines = place.rows.objects[batch.source["key"]].splitlines()
    assert [json.loads(line) for line in lines] == ROWS
    assert batch.source["key"].endswith(f"{batch.id}/{GIVEN}")
    assert place.workflows.started == [(batch.id, 0)]


def test_a_file_is_taken_where_it_lies_in_just_that_version(place: BatchWorld) -> None:
    address = place.finds.put("acme/in/rows.jsonl", b"{}\n")
    batch = take(place, {"s3": address}).batch
    assert batch.source == {
        "kind": "object",
        "bucket": "inbox",
        "key": "acme/in/rows.jsonl",
        "etag": "e",
        "version": "v1",
    }
    file_id = place.finds.put_file("acme", "file-1", b"{}\n")
    assert take(place, {"input_file_id": file_id}).batch.source["key"] == "files/acme/file-1"
    assert GIVEN not in str(place.rows.objects.keys()), "nothing is copied"


@pytest.mark.parametrize(
    ("body", "error", "param"),
    [
        ({"s3": "s3://inbox/other/rows.jsonl"}, InvalidRequest, "s3"),
        ({"s3": "s3://outbox/acme/rows.jsonl"}, InvalidRequest, "s3"),
        ({"s3": "s3://inbox/acme/../other/rows.jsonl"}, InvalidRequest, "s3"),
        ({"s3": "s3://inbox/acme/none.jsonl"}, InvalidRequest, "s3"),
        ({"s3": "s3://inbox/acme/empty.jsonl"}, InvalidRequest, "s3"),
        ({"s3": "s3://inbox/acme/huge.jsonl"}, InvalidRequest, "s3"),
        ({"input_file_id": "file-of-other"}, NotFound, "input_file_id"),
        ({"input_file_id": "file-none"}, NotFound, "input_file_id"),
        (INLINE | {"output": {"kind": "outbox", "key": "other/x"}}, InvalidRequest, "output.key"),
        (INLINE | {"output": {"kind": "outbox", "key": "acme/../other/x"}}, InvalidRequest, "output.key"),
        ({"variables": [{"document": "x"}], "prompt": {"id": "none"}}, NotFound, "prompt.id"),
        ({"variables": [{"document": "x"}], "prompt": {"id": "summarize", "version": 9}}, NotFound, "prompt.id"),
        (INLINE | {"not_before": "2030-01-01T00:00:00Z"}, InvalidRequest, "not_before"),
        (INLINE | {"off_peak": NIGHT, "completion_window": "1h"}, InvalidRequest, "off_peak"),
        (INLINE | {"webhook": {"url": "http://10.0.0.1/"}}, InvalidRequest, "webhook.url"),
    ],
)
def test_what_is_refused_leaves_nothing(
    place: BatchWorld, body: dict[str, Any], error: type[BrokerError], param: str
) -> None:
    def refuse(url: str) -> None:
        raise InvalidRequest("No.", param="webhook.url")

    place.world.check_webhook = refuse
    place.finds.put("other/rows.jsonl", b"{}\n")
    place.finds.put("acme/empty.jsonl", b"")
    place.finds.put_file("other", "file-of-other", b"{}\n")
    place.rows.objects["acme/huge.jsonl"] = Huge()
    before, objects = place.world.database.items(), set(place.rows.objects)
    with pytest.raises(error) as failure:
        take(place, body)
    assert failure.value.param == param
    assert place.world.database.items() == before
    assert (set(place.rows.objects), place.workflows.started) == (objects, [])


def test_a_key_of_results_is_refused_in_words_of_the_outbox(place: BatchWorld) -> None:
    with pytest.raises(InvalidRequest, match="outbox") as failure:
        take(place, INLINE | {"output": {"kind": "outbox", "key": "other/x"}})
    assert failure.value.code == "key_not_yours"


class Huge(bytes):
    """Six gigabytes, as far as anybody asks."""

    def __len__(self) -> int:
        return 6_000_000_000


def test_another_tenants_object_is_not_even_looked_for(place: BatchWorld) -> None:
    with pytest.raises(InvalidRequest):
        take(place, {"s3": "s3://inbox/other/rows.jsonl"})
    assert place.finds.looked_at == []


def test_a_tenant_that_is_not_registered_gets_nowhere(place: BatchWorld) -> None:
    with pytest.raises(Forbidden):
        take(place, INLINE, tenant="nobody")
    assert place.rows.objects == {}


def test_the_same_key_gives_the_same_batch_and_another_body_is_refused(place: BatchWorld) -> None:
    first = take(place, INLINE, key="k")
    again = take(place, INLINE, key="k", now=NOW + HOUR)
    assert (again.batch.id, again.repeated, first.repeated) == (first.batch.id, True, False)
    assert [batch.id for batch in kept(place)] == [first.batch.id]
    with pytest.raises(KeyReused):
        take(place, {"requests": [{"input": "Other"}]}, key="k")
    assert take(place, INLINE, key="k", tenant="other").batch.id != first.batch.id, "keys of tenants never meet"


def test_a_refused_batch_frees_its_key(place: BatchWorld) -> None:
    with pytest.raises(InvalidRequest):
        take(place, {"s3": "s3://inbox/acme/rows.jsonl"}, key="k")
    address = place.finds.put("acme/rows.jsonl", b"{}\n")
    assert not take(place, {"s3": address}, key="k").repeated


def test_a_batch_whose_workflow_cannot_be_started_is_taken_all_the_same(place: BatchWorld) -> None:
    class Broken:
        def start(self, batch_id: str, attempt: int = 0) -> None:
            raise Down

        def go_on(self, token: str) -> bool:
            return False

    submit = replace(place.submit(), workflows=Broken())
    batch = submit(parse_batch(INLINE), Caller("acme", "ci", "rest", "r-1"), NOW).batch
    assert place.lost == [batch.id]
    assert batch.due_at == NOW + MINUTE, "the sweep starts it then"


def test_a_repeat_after_a_crash_finds_what_was_kept_and_starts_it(place: BatchWorld) -> None:
    class Dead(BaseException):
        """The function's environment is gone."""

    class Dies:
        def start(self, batch_id: str, attempt: int = 0) -> None:
            raise Dead

        def go_on(self, token: str) -> bool:
            return False

    submit = replace(place.submit(), workflows=Dies())
    with pytest.raises(Dead):
        submit(parse_batch(INLINE), Caller("acme", "ci", "rest", "r-1"), NOW, key="k")
    taken = take(place, INLINE, key="k", now=NOW + HOUR)
    assert taken.repeated
    assert [batch.id for batch in kept(place)] == [taken.batch.id]


def test_time_for_rows_counts_from_when_they_may_begin(place: BatchWorld) -> None:
    now = now_ms()
    body = INLINE | {"completion_window": "1h", "not_before": "2020-01-01T00:00:00Z"}
    assert take(place, body, now=now).batch.ends_at == now + HOUR
    later = INLINE | {"completion_window": "1h", "not_before": "2026-11-18T12:00:00Z"}
    batch = take(place, later).batch
    assert batch.asked["not_before"] > NOW
    assert batch.ends_at == batch.asked["not_before"] + HOUR


def ended(place: BatchWorld, counts: dict[str, int], **changes: Any) -> Batch:
    """A batch whose rows came to this."""
    batch = take(place, INLINE | {"metadata": {"order": "17"}, "max_cost_usd": 1}).batch
    rows = sum(counts.values())
    known: dict[str, Any] = {"status": BatchStatus.COMPLETED, "is_planned": True, "rows": rows, "sums": Sums(counts)}
    return Batches(place.world.database).change(batch.id, lambda now: replace(now, **known | changes))[1]


def test_rows_that_did_not_succeed_are_taken_again_as_a_batch_of_their_own(place: BatchWorld) -> None:
    first = ended(place, {"succeeded": 1, "failed": 1})
    second = again(place, first.id, key="k").batch
    assert second.source == {"kind": "retry", "batch": first.id}
    assert (second.asked["retry_of"], second.asked["metadata"]) == (first.id, {"order": "17"})
    assert "max_cost" not in second.asked
    assert second.ends_at == NOW + HOUR + 24 * HOUR
    assert again(place, first.id, key="k").batch.id == second.id


def test_there_is_nothing_to_take_again_of_others_or_of_what_runs_or_succeeded(place: BatchWorld) -> None:
    all_well, runs = ended(place, {"succeeded": 2}), take(place, INLINE).batch
    for batch_id, tenant, error in (
        (all_well.id, "acme", InvalidRequest),
        (runs.id, "acme", Conflict),
        ("batch_none", "acme", NotFound),
        (ended(place, {"failed": 1}).id, "other", NotFound),
        (ended(place, {}, is_planned=False, status=BatchStatus.FAILED).id, "acme", InvalidRequest),
    ):
        with pytest.raises(error):
            again(place, batch_id, tenant=tenant)


def test_what_was_found_is_a_version(place: BatchWorld) -> None:
    assert Found("b", "k", "e", None, 1).source == {"bucket": "b", "key": "k", "etag": "e", "version": None}


def test_a_tenants_hours_hold_for_batches_that_name_none(place: BatchWorld) -> None:
    document = {"tenants": [{"id": "acme", "off_peak": NIGHT | {"days": ["sat", "sun"]}}]}
    apply(place.world.registry(), parse_registry(document), by="tests", now=NOW)
    assert take(place, INLINE | {"completion_window": "7d"}).batch.asked["window"]["days"] == ["sat", "sun"]
    named = take(place, INLINE | {"off_peak": NIGHT}).batch.asked["window"]
    assert (named["start"], len(named["days"])) == ("22:00", 7)
    assert "window" not in take(place, INLINE, tenant="other").batch.asked
    with pytest.raises(InvalidRequest) as failure:
        take(place, INLINE | {"completion_window": "1h"})
    assert failure.value.param == "off_peak"


def test_an_erased_batch_is_not_tried_again_without_what_it_said(place: BatchWorld) -> None:
    first = ended(place, {"failed": 1}, erased_at=NOW)
    with pytest.raises(Gone) as failure:
        again(place, first.id)
    assert failure.value.code == "erased"


def test_results_of_a_retry_never_lie_over_those_that_were_paid_for(place: BatchWorld) -> None:
    body = INLINE | {"output": {"kind": "outbox", "key": "acme/reports/17"}}
    keys = ["acme/reports/17"]
    batch = take(place, body).batch
    for _ in range(3):
        end = {"status": BatchStatus.COMPLETED, "is_planned": True, "rows": 1, "sums": Sums({"failed": 1})}
        Batches(place.world.database).change(batch.id, lambda now, end=end: replace(now, **end))  # type: ignore[misc]
        batch = again(place, batch.id).batch
        keys.append(batch.asked["output"]["key"])
    assert len(set(keys)) == 4
    assert all(key.startswith("acme/reports/17") and len(key) < 60 for key in keys)


def test_results_of_a_retry_of_a_file_have_a_key_that_s3_takes(place: BatchWorld) -> None:
    asked = {"output": {"kind": "outbox", "key": "acme/" + "é" * 497 + ".jsonl"}, "completion_window_s": 600}
    key = again(place, ended(place, {"failed": 1}, asked=asked).id).batch.asked["output"]["key"]
    assert key.startswith("acme/éé") and len(f"{key}.results.jsonl".encode()) <= 1024


def test_a_retry_whose_hours_begin_only_when_its_time_is_over_is_refused(place: BatchWorld) -> None:
    hours = {"start": "10:00", "end": "11:00", "time_zone": "UTC"}
    asked = {"window": hours, "completion_window_s": 600, "output": {"kind": "files"}}
    first = ended(place, {"failed": 1}, asked=asked)
    with pytest.raises(InvalidRequest) as failure:
        again(place, first.id)
    assert failure.value.param == "off_peak"


@pytest.mark.parametrize("name", ["s3", "output.key"])
def test_a_key_that_s3_would_not_take_is_refused_before_anything_runs(place: BatchWorld, name: str) -> None:
    key = "acme/" + "é" * 600  # 1,205 bytes
    body: dict[str, Any] = {"s3": f"s3://inbox/{key}"}
    if name == "output.key":
        body = INLINE | {"output": {"kind": "outbox", "key": key}}
    with pytest.raises(InvalidRequest) as failure:
        take(place, body)
    assert (failure.value.param, place.finds.looked_at) == (name, [])
