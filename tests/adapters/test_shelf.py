"""The cache table: the fake and the adapter keep the same promises, and the rooms that use it work on both."""

from typing import Any

import pytest
from broker.cache.answers import NOTE, Answers, Hit, Shelf
from broker.cache.single_flight import Flights, Leader, Member, Shared, Waiter
from broker.cache.vectors import Vector
from broker.cloud.shelf import DynamoShelf
from broker.jobs.store import Jobs
from broker.storage import Database, Put

from tests.adapters.conftest import TABLES
from tests.fakes.database import FakeDatabase
from tests.fakes.questions import GIVEN, wish
from tests.fakes.shelf import FakeShelf
from tests.fakes.world import NOW, a_head

BODY: dict[str, Any] = {"input": {"text": "How are you?"}, "cache": {"similarity": 0.9}}


@pytest.fixture
def shelf(request: pytest.FixtureRequest, database: Database) -> Shelf:
    if isinstance(database, FakeDatabase):
        return FakeShelf(database)
    if request.node.callspec.params["database"] == "lean":
        return DynamoShelf(request.getfixturevalue("lean")("dynamodb"), TABLES["cache"])
    return DynamoShelf(request.getfixturevalue("dynamodb"), TABLES["cache"])


def put(database: Database, *keys: str, pk: str = "A", job_id: str = "job_1") -> None:
    for sk in keys:
        database.write(Put("cache", {"pk": pk, "sk": sk, "job_id": job_id, "b": b"\xff"}))


def test_gives_the_newest_of_a_partition(database: Database, shelf: Shelf) -> None:
    put(database, "1", "3", "2")
    put(database, "9", pk="B")
    assert [item["sk"] for item in shelf.newest("A", 2)] == ["3", "2"]
    assert shelf.newest("A", 9)[0] == {"pk": "A", "sk": "3", "job_id": "job_1", "b": b"\xff"}
    assert shelf.newest("C", 9) == []


def test_gives_as_many_as_are_compared_in_one_request(database: Database, shelf: Shelf) -> None:
    for number in range(210):
        database.write(Put("cache", {"pk": "A", "sk": f"{number:014}", "vector": bytes(1536), "key": "k" * 64}))
    assert len(shelf.newest("A", 200)) == 200


def test_drops_what_the_job_wrote_and_nothing_else(database: Database, shelf: Shelf) -> None:
    put(database, "1")
    put(database, "2", job_id="job_2")
    for _ in range(2):
        for sk in ("1", "2", "3"):
            shelf.drop("A", sk, "job_1")
    assert [item["sk"] for item in database.query("cache", "A")] == ["2"]


def test_an_answer_is_kept_found_and_forgotten(database: Database, shelf: Shelf) -> None:
    answers, jobs, its, vector = (
        Answers(database, shelf),
        Jobs(database, ()),
        wish(BODY, embedding_model="t"),
        [1.0, 0.5],
    )
    jobs.note(a_head(), NOTE, its.note(Vector.of(vector)))
    assert answers.keep(a_head(), GIVEN, NOW)
    assert answers.find(its, NOW) == Hit(GIVEN, "exact", 0)
    assert answers.find_similar(its, Vector.of(vector), NOW) == Hit(GIVEN, "semantic", 0, 1.0)
    answers.forget(a_head().id)
    assert answers.find(its, NOW) is None
    assert answers.find_similar(its, Vector.of(vector), NOW) is None


def test_an_answer_that_is_withdrawn_may_be_given_again(database: Database, shelf: Shelf) -> None:
    answers, jobs, its = Answers(database, shelf), Jobs(database, ()), wish(BODY)
    jobs.note(a_head(), NOTE, its.note())
    for _ in range(2):
        assert answers.keep(a_head(), GIVEN, NOW)
        assert answers.find(its, NOW) == Hit(GIVEN, "exact", 0)
        answers.withdraw(a_head().id)
        assert answers.find(its, NOW) is None


def test_one_of_several_leads_and_the_others_take_its_answer(database: Database) -> None:
    members = [Member(f"job_{number}", 1, NOW, NOW + 60_000) for number in range(3)]
    turns = [Flights(database).join("acme", "k", each, NOW, 30_000) for each in members]
    assert [type(turn) for turn in turns] == [Leader, Waiter, Waiter]
    (leading,) = [turn for turn in turns if isinstance(turn, Leader)]
    answer = Shared("job_0", "OUTPUT#1.1", "small", {"input_tokens": 1}, 5, NOW + 1)
    Flights(database).share(leading, answer)
    assert Flights(database).join("acme", "k", members[1], NOW + 2, 30_000) == answer
