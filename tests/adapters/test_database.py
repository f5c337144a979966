"""The port to the tables: the fake and the adapter pass the same tests."""

from typing import Any

import pytest
from botocore.exceptions import ClientError
from broker.cloud.contention import LONGEST_PAUSE_S
from broker.cloud.database import DynamoDatabase
from broker.storage import TRIES, Check, ConditionFailed, Contended, Database, Delete, If, Item, Put, Unread, Update

from tests.adapters.conftest import INDEXES, SCHEMA, TABLES
from tests.contract.stack import of_type
from tests.fakes.own_time import own_time

REFUSED = (ValueError, ClientError)


def row(pk: str = "A", sk: str = "1", **attributes: Any) -> Item:
    return {"pk": pk, "sk": sk, **attributes}


def put(database: Database, *items: Item) -> None:
    for item in items:
        database.write(Put("jobs", item))


def test_reads_what_was_written(database: Database) -> None:
    whole = row(s="é", empty="", n=-(10**30), yes=True, no=False, none=None, b=b"\0", list=[1, ["x"], {}], map={"a": 0})
    put(database, whole)
    assert database.get("jobs", "A", "1") == whole


def test_finds_nothing_where_nothing_is(database: Database) -> None:
    assert database.get("jobs", "A", "1") is None
    assert database.query("jobs", "A") == []


def test_keeps_tables_apart(database: Database) -> None:
    put(database, row())
    assert database.get("ledger", "A", "1") is None
    assert database.get("registry", "A", "1") is None


def test_takes_no_floats(database: Database) -> None:
    with pytest.raises(TypeError):
        put(database, row(price=0.1))


def test_holds_copies(database: Database) -> None:
    given = row(list=[1])
    put(database, given)
    given["list"].append(2)
    read = database.get("jobs", "A", "1")
    assert read is not None
    read["list"].append(3)
    assert database.get("jobs", "A", "1") == row(list=[1])


def test_put_replaces_the_whole_item(database: Database) -> None:
    put(database, row(old=1), row(new=2))
    assert database.get("jobs", "A", "1") == row(new=2)


def test_queries_by_prefix_in_order(database: Database) -> None:
    put(database, row(sk="N#2"), row(sk="N#10"), row(sk="HEAD"), row(pk="B", sk="N#1"), row(sk="N#1"))
    assert [item["sk"] for item in database.query("jobs", "A", "N#")] == ["N#1", "N#10", "N#2"]
    assert [item["sk"] for item in database.query("jobs", "A")] == ["HEAD", "N#1", "N#10", "N#2"]


def test_queries_more_than_one_reply_holds(database: Database) -> None:
    put(database, *(row(sk=f"{number}", z=b"x" * 350_000) for number in range(5)))
    assert len(database.query("jobs", "A")) == 5


def test_queries_from_a_key_on(database: Database) -> None:
    put(database, row(sk="1"), row(sk="2"), row(sk="10"), row(sk="3"), row(pk="B", sk="2"))
    assert [item["sk"] for item in database.query_since("jobs", "A", "2")] == ["2", "3"]
    assert database.query_since("jobs", "A", "4") == []
    assert [item["sk"] for item in database.query_since("jobs", "A", "2", 1)] == ["2"]
    assert [item["sk"] for item in database.query_since("jobs", "A", "2", 9)] == ["2", "3"]


def test_queries_from_a_key_to_a_key(database: Database) -> None:
    put(database, *(row(sk=sk) for sk in ("HEAD", "N#1", "N#2", "O#1", "O#2")), row(pk="B", sk="N#1"))
    assert [item["sk"] for item in database.query_between("jobs", "A", "N#", "O#1")] == ["N#1", "N#2", "O#1"]
    assert database.query_between("jobs", "A", "P", "Q") == []


def test_queries_a_few_from_either_end(database: Database) -> None:
    put(database, *(row(sk=f"N#{number}") for number in range(5)), row(sk="O#0"))
    for last_first, numbers in ((False, "012"), (True, "432")):
        found = database.query_between("jobs", "A", "N#", "N#~", limit=3, last_first=last_first)
        assert [item["sk"] for item in found] == [f"N#{number}" for number in numbers]
    found = database.query_between("jobs", "A", "N#", "N#3", last_first=True)
    assert [item["sk"] for item in found] == ["N#3", "N#2", "N#1", "N#0"]


@pytest.mark.parametrize("eventual", [True, False])
def test_reads_one_item_as_strictly_as_asked(dynamodb: Any, eventual: bool) -> None:
    asked: list[bool] = []
    dynamodb.meta.events.register(
        "provide-client-params.dynamodb.GetItem", lambda params, **_: asked.append(params["ConsistentRead"])
    )
    tables = DynamoDatabase(dynamodb, TABLES)  # type: ignore[arg-type]
    put(tables, row())
    assert tables.get("jobs", "A", "1", eventual=eventual) == row()
    assert asked == [not eventual]


@pytest.mark.parametrize("number", [0, 1, 100, 101, 250])
def test_reads_many_items_and_leaves_out_what_is_not_there(database: Database, number: int) -> None:
    keys = [(f"P{each}", "1") for each in range(number)]
    put(database, *(row(pk=pk, n=1) for pk, _ in keys[::2]), row(pk="P0", sk="2"))
    found = database.get_many("jobs", keys)
    assert sorted(item["pk"] for item in found) == sorted(pk for pk, _ in keys[::2])
    assert all(item == row(pk=item["pk"], n=1) for item in found)


def test_many_that_are_not_all_read_are_none(dynamodb: Any) -> None:
    """What was not read may well be there."""

    class Throttled:
        def batch_get_item(self, **request: Any) -> dict[str, Any]:
            (asked,) = request["RequestItems"].items()
            return {"Responses": {asked[0]: []}, "UnprocessedKeys": dict([asked])}

    with pytest.raises(Unread):
        DynamoDatabase(Throttled(), TABLES).get_many("jobs", [("A", "1")])  # type: ignore[arg-type]


def test_an_update_gives_what_stands_after_it(database: Database) -> None:
    assert database.update(Update("ledger", "A", "1", add={"n": 2}, set={"s": "x"})) == row(n=2, s="x")
    assert database.update(Update("ledger", "A", "1", add={"n": 3})) == row(n=5, s="x")
    with pytest.raises(ConditionFailed):
        database.update(Update("ledger", "A", "1", add={"n": 1}, when=(If("n", "<", 5),)))
    assert database.get("ledger", "A", "1") == row(n=5, s="x")


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (If("n", "=", 5), True),
        (If("n", "=", 6), False),
        (If("s", "=", "x"), True),
        (If("yes", "=", True), True),
        (If("n", "<", 6), True),
        (If("n", "<", 5), False),
        (If("n", ">=", 5), True),
        (If("n", ">=", 6), False),
        (If("n", "exists"), True),
        (If("n", "absent"), False),
        (If("gone", "exists"), False),
        (If("gone", "absent"), True),
        (If("gone", "=", 5), False),
        (If("gone", "<", 5), False),
        (If("gone", ">=", -5), False),
        (If("status", "=", "queued"), True),
    ],
)
@pytest.mark.parametrize("kind", ["put", "update"])
def test_conditions(database: Database, condition: If, holds: bool, kind: str) -> None:
    item = row(n=5, s="x", yes=True, status="queued")
    put(database, item)
    operation: Put | Update = (
        Put("jobs", item | {"new": 1}, (condition,))
        if kind == "put"
        else Update("jobs", "A", "1", set={"new": 1}, when=(condition,))
    )
    if holds:
        database.write(operation)
        assert database.get("jobs", "A", "1") == item | {"new": 1}
    else:
        with pytest.raises(ConditionFailed) as failure:
            database.write(operation)
        assert failure.value.failed == (0,)
        assert database.get("jobs", "A", "1") == item


def test_conditions_of_an_item_that_is_not_there(database: Database) -> None:
    with pytest.raises(ConditionFailed):
        database.write(Update("ledger", "A", "1", add={"n": 1}, when=(If("pk", "exists"),)))
    database.write(Put("ledger", row(n=1), (If("pk", "absent"),)))
    with pytest.raises(ConditionFailed):
        database.write(Put("ledger", row(n=2), (If("pk", "absent"),)))
    assert database.get("ledger", "A", "1") == row(n=1)


def test_all_conditions_must_hold(database: Database) -> None:
    put(database, row(n=5))
    with pytest.raises(ConditionFailed):
        database.write(Update("jobs", "A", "1", set={"n": 6}, when=(If("n", "=", 5), If("m", "exists"))))
    assert database.get("jobs", "A", "1") == row(n=5)


def test_update_sets_adds_and_removes(database: Database) -> None:
    put(database, row(kept=1, n=5, gone=1))
    database.write(Update("jobs", "A", "1", set={"name": "x"}, add={"n": -7, "fresh": 2}, remove=["gone", "never"]))
    assert database.get("jobs", "A", "1") == row(kept=1, n=-2, fresh=2, name="x")


def test_update_makes_the_item(database: Database) -> None:
    database.write(Update("jobs", "A", "1", add={"n": 1}))
    assert database.get("jobs", "A", "1") == row(n=1)


def test_writes_all_of_a_transaction(database: Database) -> None:
    put(database, row(n=1))
    database.write(
        Put("jobs", row(n=2), (If("n", "=", 1),)),
        Update("ledger", "L", "1", add={"n": 1}),
        Put("registry", row(pk="R"), (If("pk", "absent"),)),
    )
    assert database.get("jobs", "A", "1") == row(n=2)
    assert database.get("ledger", "L", "1") == row("L", n=1)
    assert database.get("registry", "R", "1") == row("R")


def test_writes_nothing_of_a_transaction_that_fails_and_says_where(database: Database) -> None:
    put(database, row(n=1))
    with pytest.raises(ConditionFailed) as failure:
        database.write(
            Put("jobs", row(sk="2"), (If("pk", "absent"),)),
            Put("jobs", row(n=2), (If("n", "=", 9),)),
            Update("ledger", "L", "1", add={"n": 1}),
            Update("ledger", "L", "2", add={"n": 1}, when=(If("pk", "exists"),)),
        )
    assert failure.value.failed == (1, 3)
    assert database.query("jobs", "A") == [row(n=1)]
    assert database.query("ledger", "L") == []


def test_a_transaction_may_depend_on_what_it_does_not_change(database: Database) -> None:
    put(database, row(rev=1))
    as_read = Check("jobs", "A", "1", (If("rev", "=", 1),))
    database.write(as_read, Put("jobs", row(sk="2", n=1)))
    assert (database.get("jobs", "A", "1"), database.get("jobs", "A", "2")) == (row(rev=1), row(sk="2", n=1))
    database.write(Update("jobs", "A", "1", add={"rev": 1}))
    with pytest.raises(ConditionFailed) as failure:
        database.write(Put("jobs", row(sk="2", n=2)), as_read)
    assert failure.value.failed == (1,)
    assert database.get("jobs", "A", "2") == row(sk="2", n=1)
    nothing = Check("jobs", "A", "none", (If("pk", "absent"),))
    database.write(nothing, Put("jobs", row(sk="2", n=3)))
    assert database.get("jobs", "A", "none") is None


def test_deletes_alone_and_with_others_and_only_as_asked(database: Database) -> None:
    put(database, row(n=1), row(sk="2", n=2), row(pk="B"))
    database.write(Delete("jobs", "B", "1"))
    database.write(Delete("jobs", "B", "1"))
    assert database.get("jobs", "B", "1") is None
    with pytest.raises(ConditionFailed) as failure:
        database.write(Put("jobs", row("C")), Delete("jobs", "A", "1", (If("n", "=", 2),)))
    assert failure.value.failed == (1,)
    assert database.get("jobs", "C", "1") is None
    database.write(
        Update("jobs", "C", "1", add={"n": -1}),
        Delete("jobs", "A", "1", (If("n", "=", 1),)),
        Delete("jobs", "A", "2", (If("pk", "exists"),)),
    )
    assert (database.query("jobs", "A"), database.query("jobs", "C")) == ([], [row("C", n=-1)])
    with pytest.raises(ConditionFailed):
        database.write(Delete("jobs", "A", "1", (If("pk", "exists"),)))


def test_refuses_an_item_twice_in_one_transaction(database: Database) -> None:
    with pytest.raises(REFUSED):
        database.write(Update("ledger", "L", "1", add={"n": 1}), Update("ledger", "L", "1", add={"n": 2}))
    assert database.get("ledger", "L", "1") is None


ACTIONS = {"transact_write_items": (Put("jobs", row()), Put("jobs", row("B"))), "put_item": (Put("jobs", row()),)}


@pytest.mark.parametrize("action", ACTIONS)
def test_what_meets_a_transaction_is_repeated_for_a_while(
    dynamodb: Any, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    paused: list[float] = []
    own_time(monkeypatch, "broker.cloud.contention", sleep=paused.append)
    met = {
        "transact_write_items": dynamodb.exceptions.TransactionCanceledException(
            {
                "Error": {"Code": "TransactionCanceledException"},
                "CancellationReasons": [{"Code": "TransactionConflict"}],
            },
            "TransactWriteItems",
        ),
        "put_item": dynamodb.exceptions.TransactionConflictException(
            {"Error": {"Code": "TransactionConflictException"}}, "PutItem"
        ),
    }[action]

    class Busy:
        """A table that other transactions hold for some requests."""

        exceptions = dynamodb.exceptions

        def __init__(self, times: int) -> None:
            self.left = times

        def __getattr__(self, name: str) -> Any:
            def call(**request: Any) -> None:
                self.left -= 1
                if name != action or self.left >= 0:
                    raise met

            return call

    DynamoDatabase(Busy(TRIES - 1), TABLES).write(*ACTIONS[action])
    assert len(paused) == TRIES - 1
    assert all(0 <= pause <= min(0.02 * 2**place, LONGEST_PAUSE_S) for place, pause in enumerate(paused))
    for tries in (1, 3, TRIES):
        DynamoDatabase(Busy(tries - 1), TABLES).write(*ACTIONS[action], tries=tries)
        with pytest.raises(Contended) as failure:
            DynamoDatabase(Busy(tries), TABLES).write(*ACTIONS[action], tries=tries)
        assert failure.value.met == (0,)


def test_index_gives_keys_only_and_only_what_has_them(database: Database) -> None:
    put(
        database,
        row(sk="HEAD", tenant="acme", id="j1", status="queued"),
        row(sk="NOTE", tenant="acme", status="x"),
        row(pk="B", sk="HEAD", tenant="other", id="j2"),
    )
    assert database.index("tenant", "acme", limit=10).items == [row(sk="HEAD", tenant="acme", id="j1")]


def test_index_forgets_what_lost_its_keys(database: Database) -> None:
    put(database, row(due="D", due_at=5))
    assert database.index("due", "D", limit=10).items == [row(due="D", due_at=5)]
    put(database, row())
    assert database.index("due", "D", limit=10).items == []


def test_index_ends_at_the_limit_in_time(database: Database) -> None:
    put(database, *(row(pk=f"J{at}", due="D", due_at=at) for at in (30, 9, 100, 20)))
    assert [item["due_at"] for item in database.index("due", "D", limit=10, upto=30).items] == [9, 20, 30]
    assert [item["due_at"] for item in database.index("due", "D", limit=2).items] == [9, 20]


@pytest.mark.parametrize("newest_first", [False, True])
def test_index_pages_through_everything_once(database: Database, newest_first: bool) -> None:
    names = [f"j{number}" for number in range(7)]
    put(database, *(row(pk=name, tenant="acme", id=name) for name in names))
    seen, cursor = [], None
    for _ in range(5):
        page = database.index("tenant", "acme", limit=3, newest_first=newest_first, cursor=cursor)
        assert len(page.items) <= 3
        seen += [item["id"] for item in page.items]
        cursor = page.cursor
        if cursor is None:
            break
    assert seen == (names[::-1] if newest_first else names)
    assert cursor is None


def test_index_goes_on_after_a_job_that_was_deleted(database: Database) -> None:
    put(database, row(pk="j1", tenant="acme", id="j1"), row(pk="j3", tenant="acme", id="j3"))
    gone = row(pk="j2", tenant="acme", id="j2")
    assert [i["id"] for i in database.index("tenant", "acme", limit=5, newest_first=True, cursor=gone).items] == ["j1"]


def test_tables_are_those_of_the_template() -> None:
    tables = of_type("AWS::DynamoDB::Table").values()
    assert [table["KeySchema"] for table in tables] == [SCHEMA] * len(TABLES)
    (indexed,) = [table for table in tables if "GlobalSecondaryIndexes" in table]
    kinds = {each["AttributeName"]: each["AttributeType"] for each in indexed["AttributeDefinitions"]}
    found = {}
    for each in indexed["GlobalSecondaryIndexes"]:
        assert each["Projection"] == {"ProjectionType": "KEYS_ONLY"}
        found[each["IndexName"]] = tuple(
            (key["AttributeName"], kinds[key["AttributeName"]]) for key in each["KeySchema"]
        )
    assert found == INDEXES
