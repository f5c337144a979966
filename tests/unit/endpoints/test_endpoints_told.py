"""What endpoints are told of: theirs alone, once, in their own words, at no cost to who has none."""

import json
from typing import Any

import pytest
from broker.delivery.publishing import HeadChange
from broker.delivery.starting import SAFETY_MS
from broker.doors.responses import STATUSES
from broker.endpoints.bodies import EVENTS, events_of
from broker.endpoints.telling import KEEP_MS, Listeners
from broker.errors import InvalidRequest
from broker.jobs.erasing import erase
from broker.jobs.head import Status

from tests.fakes.bus import FakeBus
from tests.fakes.counting import CountingDatabase
from tests.fakes.database import Crash, FakeDatabase
from tests.fakes.world import BASE_URL, NOW, World, a_head
from tests.unit.endpoints.endpoints_case import URL, Shop

ENDS = [status for status in Status if status.terminal]


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.mark.parametrize("status", ENDS)
def test_an_end_is_told_in_the_brokers_words(shop: Shop, status: Status) -> None:
    shop.register()
    head = shop.end(status=status)
    assert shop.work() == ["delivered"]
    (post,) = shop.posts
    assert (post.told["type"], post.told["data"]["job_id"]) == (f"job.{status.value}", head.id)
    assert (post.event_id, post.told["data"]["sequence"]) == (head.event_id, head.rev)


@pytest.mark.parametrize("status", ENDS)
def test_an_end_is_told_in_openais_words(shop: Shop, status: Status) -> None:
    shop.register(form="openai")
    head = shop.end(status=status, door="openai")
    assert shop.work() == ["delivered"]
    (post,) = shop.posts
    assert post.told == {
        "id": head.event_id,
        "object": "event",
        "created_at": (NOW + 9) // 1000,
        "type": f"response.{STATUSES[status.value]}",
        "data": {"id": head.id.replace("job_", "resp_")},
    }


@pytest.mark.parametrize(
    ("status", "facts"),
    [
        (Status.SUCCEEDED, {"cut": True}),
        (Status.FAILED, {"error": {"type": "truncated", "code": "c", "message": "m"}}),
        (Status.BLOCKED, {"error": {"type": "refused", "code": "c", "message": "m"}}),
    ],
)
def test_an_answer_that_is_not_whole_is_told_as_that(shop: Shop, status: Status, facts: dict[str, Any]) -> None:
    shop.register(form="openai", events=["response.incomplete"])
    shop.end(status=status, door="openai", **facts)
    assert shop.work() == ["delivered"]
    assert shop.posts[0].told["type"] == "response.incomplete"


@pytest.mark.parametrize("facts", [{"door": "rest"}, {"door": "openai", "task": "embed"}, {"door": "s3"}])
def test_what_is_no_response_is_none(shop: Shop, facts: dict[str, str]) -> None:
    shop.register(form="openai")
    shop.end(**facts)
    assert shop.queue.sent == []


@pytest.mark.parametrize(("facts", "told"), [({"row": 0}, 0), ({"row": 4}, 0), ({"line": 1}, 1)])
def test_rows_are_told_with_their_batch_and_a_files_one_request_by_itself(
    shop: Shop, facts: dict[str, int], told: int
) -> None:
    shop.register()
    shop.end(batch="batch_1", **facts)
    assert len(shop.queue.sent) == told


def test_only_what_was_asked_for_is_told_and_to_each_that_did(shop: Shop) -> None:
    first = shop.register(events=["job.failed", "job.expired"])
    second = shop.register(url="https://two.example.com/", events=["job.failed"])
    shop.register(events=["job.succeeded"])
    head = shop.end(status=Status.FAILED)
    assert shop.work() == ["delivered"] * 2
    assert {post.url for post in shop.posts} == {URL, "https://two.example.com/"}
    assert {post.event_id for post in shop.posts} == {head.event_id}
    assert {note["endpoint"] for note in shop.world.jobs.notes(head.id, "DELIVERY#").values()} == {first.id, second.id}


def test_a_tenant_is_told_of_its_own_alone(shop: Shop) -> None:
    mine, theirs = shop.register(), shop.register("other", "https://other.example.com/")
    shop.end(1), shop.end(2, tenant="other")
    shop.work()
    assert [(post.tenant, post.url) for post in shop.posts] == [("acme", URL), ("other", "https://other.example.com/")]
    assert [post.secrets for post in shop.posts] == [[shop.secrets[mine.id]], [shop.secrets[theirs.id]]]


def test_a_secret_of_one_signs_for_no_other_whatever_stands_in_the_tables(shop: Shop) -> None:
    mine, theirs = shop.register(), shop.register("other")
    head = shop.end()
    database = shop.world.database
    item = database.get("jobs", "ENDPOINTS#acme", f"ENDPOINT#{mine.id}")
    other = database.get("jobs", "ENDPOINTS#other", f"ENDPOINT#{theirs.id}")
    assert item and other
    database._items["jobs", "ENDPOINTS#acme", f"ENDPOINT#{mine.id}"] = item | {"secrets": other["secrets"]}
    assert shop.work() == ["pending"]
    assert shop.posts == []
    assert shop.note(head, mine)["attempts"][0]["error"] == "bad_webhook_secret"


def test_a_repeat_of_the_stream_tells_once(shop: Shop) -> None:
    shop.register()
    head = shop.end()
    shop.publish(HeadChange("s-1", None, head))
    assert len(shop.queue.sent) == 1


def test_what_could_not_be_looked_up_comes_again(shop: Shop) -> None:
    shop.register()
    head = shop.world.put(a_head(id="job_0193a0000000700080000000000000ff", status=Status.FAILED, ended_at=NOW))

    class Down(FakeDatabase):
        def query(self, *_: object, **__: object) -> Any:
            raise OSError("throttled")

    shop.listeners = Listeners(Down())
    assert shop.publish(HeadChange("s-9", None, head)) == "s-9"
    shop.listeners = Listeners(shop.world.database)
    assert shop.publish(HeadChange("s-9", None, head)) is None
    assert shop.work() == ["delivered"]


def test_a_tenant_without_endpoints_costs_one_read_for_all_jobs_of_ten_seconds() -> None:
    database = CountingDatabase()
    shop, plain = Shop(World(database)), Shop(World(CountingDatabase()))
    other = plain.world.database
    assert isinstance(other, CountingDatabase)

    class Nobody:
        def of_job(self, *_: object) -> None:
            pass

    plain.__class__ = type("Plain", (Shop,), {"telling": Nobody()})
    reads = []
    for number in range(5):
        before = database.reads, other.reads
        shop.end(number), plain.end(number)
        reads.append(database.reads - before[0] - (other.reads - before[1]))
    assert reads == [1, 0, 0, 0, 0]
    assert database.writes == other.writes
    shop.now += KEEP_MS
    before_read = database.reads
    shop.end(6)
    assert database.reads == before_read + 1


def test_what_is_registered_hears_of_what_ends_ten_seconds_later(shop: Shop) -> None:
    shop.end(1)
    shop.register()
    shop.end(2)
    assert shop.queue.sent == []
    shop.now += KEEP_MS
    shop.end(3)
    assert shop.work() == ["delivered"]


def test_nothing_is_kept_for_an_endpoint_that_its_owner_disabled(shop: Shop) -> None:
    mine = shop.register()
    shop.endpoints.switch("acme", mine.id, NOW, on=False)
    shop.end()
    assert shop.queue.sent == []


def test_a_job_that_was_erased_at_once_is_told_of(shop: Shop) -> None:
    mine = shop.register()
    head = shop.end()
    world = shop.world
    erase(world.jobs, world.payloads, lambda job_id: None, world.turns.erase_turn, head)
    assert shop.work() == ["delivered"]
    assert shop.note(head, mine)["state"] == "delivered"


def test_the_bus_is_told_of_jobs_as_ever(shop: Shop) -> None:
    shop.register()
    shop.bus = FakeBus()
    shop.end()
    assert shop.bus.kinds == ["JobSucceeded"]


@pytest.mark.parametrize("form", ["native", "openai"])
@pytest.mark.parametrize("status", ["completed", "failed", "expired", "cancelled"])
def test_the_end_of_a_batch(shop: Shop, form: Any, status: str) -> None:
    shop.register(form=form)
    told = json.dumps({"type": f"batch.{status}", "timestamp": "now", "data": {"id": "batch_1"}})
    facts = "batch_1", "acme", NOW // 1000 + 99, f"batch.{status}", f"evt_1_{status}", NOW, told, NOW
    shop.telling.of_batch(*facts)
    shop.telling.of_batch(*facts)
    assert shop.work() == ["delivered"]
    (post,) = shop.posts
    assert (post.told["type"], post.told["data"]) == (f"batch.{status}", {"id": "batch_1"})
    assert ("created_at" in post.told) == (form == "openai")


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        (["*"], EVENTS["native"]),
        (["job.*"], tuple(each for each in EVENTS["native"] if each.startswith("job."))),
        (["batch.failed", "batch.*", "batch.failed"], tuple(each for each in EVENTS["native"] if "batch" in each)),
        (["job.failed", "job.succeeded"], ("job.succeeded", "job.failed")),
    ],
)
def test_events_are_named_one_by_one_or_together(asked: list[str], meant: tuple[str, ...]) -> None:
    assert events_of("native", asked, "events") == meant


@pytest.mark.parametrize("name", ["job", "job.", "job.*.", "j*", ".*", "**", "response.completed", "JOB.FAILED", " *"])
def test_what_is_no_event_is_named(name: str) -> None:
    with pytest.raises(InvalidRequest) as failure:
        events_of("native", ["job.failed", name], "events")
    assert failure.value.param == "events.1"


def test_the_stream_waits_for_two_starts_at_most_however_many_endpoints_a_tenant_has() -> None:
    costs = []
    for many in (1, 2, 3, 20):
        database = CountingDatabase()
        shop = Shop(World(database))
        for number in range(many):
            shop.register(url=f"https://{number}.example.com/", form="native" if number % 2 else "openai")
        shop.end(1, door="openai")
        shop.queue.sent.clear()
        before = database.writes
        head = shop.end(2, door="openai")
        costs.append((database.writes - before - 1, len(shop.queue.sent)))  # without the job's own
        assert shop.work() == ["delivered"] * many
        assert {post.url for post in shop.posts} == {f"https://{number}.example.com/" for number in range(many)}
        kinds = sorted(post.told["type"] for post in shop.posts)
        assert kinds == ["job.succeeded"] * (many // 2) + ["response.completed"] * (many - many // 2)
        assert head.id in shop.posts[0].body.decode().replace("resp_", "job_")
    assert costs == [(1, 1), (2, 2), (1, 1), (1, 1)]


def test_many_are_told_once_each_whatever_is_repeated_or_breaks_off() -> None:
    shop = Shop()
    for number in range(5):
        shop.register(url=f"https://{number}.example.com/")
    head = shop.end()
    ((owner, _, name, _),) = shop.queue.sent
    shop.world.database.crash_in = 2
    with pytest.raises(Crash):
        shop.work()
    shop.world.database.crash_in = None
    shop.publish(HeadChange("s-1", None, head))
    for _ in range(2):
        assert shop.deliver(owner, name, shop.now, BASE_URL) == "delivered"
    shop.now += SAFETY_MS
    for note in shop.world.jobs.notes(head.id, "DELIVERY#").values():
        shop.deliver.resend(note, shop.now)  # of the one whose message was lost
    shop.work()
    assert sorted(post.url for post in shop.posts) == [f"https://{number}.example.com/" for number in range(5)]
    assert [note for note in shop.world.jobs.notes(head.id, "FAN#").values() if "due" in note] == []


def test_a_fan_that_was_lost_is_found_by_the_sweep() -> None:
    shop = Shop()
    for number in range(3):
        shop.register(url=f"https://{number}.example.com/")
    head = shop.end()
    shop.queue.sent.clear()
    (item,) = shop.world.jobs.notes(head.id, "FAN#").values()
    assert shop.deliver.resend(item, shop.now + SAFETY_MS)
    assert shop.work() == ["delivered"] * 3
