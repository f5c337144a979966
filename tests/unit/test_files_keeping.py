"""Keeping files: what was put is found by its own tenant alone, counts exactly, and ends."""

import hashlib
import threading
from collections.abc import Callable
from typing import Any

import pytest
from broker.errors import BrokerError, InvalidRequest, NotFound
from broker.files.record import AWAITED_MS, LATE_MS

from tests.fakes.database import Crash
from tests.unit.files_case import HOUR, MONTH_S, NOW, Shelf


def refused(call: Callable[..., Any], *arguments: Any, **options: Any) -> BrokerError:
    with pytest.raises(BrokerError) as failure:
        call(*arguments, **options)
    return failure.value


def test_a_file_is_opened_as_it_was_kept() -> None:
    shelf = Shelf()
    kept = shelf.keep(b'{"n": 1}\n', filename="Zeilen ü.jsonl")
    opened = shelf.files().open("acme", kept.id, NOW)
    assert opened == kept
    assert (opened.filename, opened.purpose, opened.bytes, opened.status) == ("Zeilen ü.jsonl", "batch", 9, "processed")
    assert shelf.bucket.objects[opened.key] == b'{"n": 1}\n'
    assert opened.key == f"files/acme/{kept.id}"
    assert opened.etag == shelf.bucket.look(opened.key).etag  # type: ignore[union-attr]


@pytest.mark.parametrize("file_id", ["file-0", "", "file-\n", "é" * 10, "x" * 5000, "../other"])
def test_what_is_no_file_is_not_found_by_the_field_that_named_it(file_id: str) -> None:
    error = refused(Shelf().files().open, "acme", file_id, NOW, "input_file_id")
    assert (error.status, error.code, error.param) == (404, "no_such_file", "input_file_id")


def test_another_tenants_file_is_as_unknown_as_none() -> None:
    shelf = Shelf()
    kept = shelf.keep()
    files = shelf.files()
    for call in (files.open, files.find, files.delete):
        theirs = refused(call, "other", kept.id, NOW)
        none = refused(call, "other", "file-0", NOW)
        assert (theirs.message, theirs.code, theirs.status) == (none.message, none.code, none.status)
    assert files.list("other", NOW, limit=10, oldest_first=False, purpose=None) == ([], False)
    assert shelf.bucket.objects and files.open("acme", kept.id, NOW) == kept


def test_ids_tell_nothing_and_never_repeat() -> None:
    shelf = Shelf()
    ids = [shelf.keep().id for _ in range(50)]
    assert len({each[-18:] for each in ids}) == 50, "made in the same millisecond, they share no chance"


def test_files_are_listed_by_age_and_in_pages() -> None:
    shelf = Shelf()
    kept = [shelf.keep(now=NOW + n, purpose="batch" if n % 2 else "user_data").id for n in range(9)]
    shelf.keep(tenant="other")
    files = shelf.files()

    def pages(limit: int, purpose: str | None, oldest_first: bool) -> list[str]:
        found: list[str] = []
        after = None
        for _ in range(20):
            page, more = files.list(
                "acme", NOW + 99, limit=limit, after=after, oldest_first=oldest_first, purpose=purpose
            )
            found += [each.id for each in page]
            assert len(page) <= limit
            if not more:
                return found
            after = page[-1].id
        raise AssertionError("the pages do not end")

    for limit in (1, 2, 4, 9, 50):
        assert pages(limit, None, True) == kept
        assert pages(limit, None, False) == kept[::-1]
        assert pages(limit, "batch", True) == kept[1::2]
        assert pages(limit, "user_data", False) == kept[::2][::-1]


def test_a_list_goes_on_behind_a_file_that_was_deleted() -> None:
    shelf = Shelf()
    kept = [shelf.keep(now=NOW + n).id for n in range(4)]
    shelf.files().delete("acme", kept[1], NOW + 9)
    page, more = shelf.files().list("acme", NOW + 9, limit=1, after=kept[1], oldest_first=True, purpose=None)
    assert ([each.id for each in page], more) == ([kept[2]], True)


def test_a_deleted_file_gives_back_what_it_took() -> None:
    shelf = Shelf()
    kept, other = shelf.keep(b"x" * 100), shelf.keep(b"y" * 10)
    assert shelf.total() == (2, 110)
    shelf.files().delete("acme", kept.id, NOW)
    assert shelf.total() == (1, 10)
    assert list(shelf.bucket.objects) == [other.key]
    assert refused(shelf.files().delete, "acme", kept.id, NOW).status == 404
    assert shelf.total() == (1, 10), "a repeat gives nothing back"


def test_the_bounds_are_exact_and_are_the_tenants_own() -> None:
    shelf = Shelf()
    shelf.bounded(max_files=2, max_file_bytes=100)
    shelf.keep(b"x" * 99)
    error = refused(shelf.keep, b"12")
    assert (error.status, error.code, error.param) == (400, "too_many_files", "file")
    assert "2 files of 100 bytes" in error.message
    last = shelf.keep(b"1")
    assert refused(shelf.keep, b"").code == "too_many_files", "two files are the most"
    assert shelf.total() == (2, 100)
    assert len(shelf.bucket.objects) == 2, "what was refused is not stored"
    shelf.keep(b"12", tenant="other")
    shelf.files().delete("acme", last.id, NOW)
    shelf.keep(b"2")


def test_those_who_come_at_once_fill_the_bound_and_not_more() -> None:
    shelf = Shelf()
    shelf.bounded(max_files=7)
    outcomes: list[bool] = []

    def keep() -> None:
        try:
            shelf.keep()
            outcomes.append(True)
        except InvalidRequest:
            outcomes.append(False)

    threads = [threading.Thread(target=keep) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count(True) == 7
    assert shelf.total()[0] == 7 == len(shelf.bucket.objects)


def test_a_file_ends_at_its_time_and_gives_back() -> None:
    shelf = Shelf()
    kept = shelf.keep(b"x" * 10, until=NOW // 1000 + 3600)
    later = shelf.keep(b"y" * 5, until=NOW // 1000 + 7200)
    shelf.clean(NOW + HOUR - 1)
    assert shelf.files().open("acme", kept.id, NOW + HOUR - 1) == kept
    assert refused(shelf.files().open, "acme", kept.id, NOW + HOUR).status == 404, "not given out from its end on"
    assert [
        each.id for each in shelf.files().list("acme", NOW + HOUR, limit=9, oldest_first=True, purpose=None)[0]
    ] == [later.id]
    shelf.clean(NOW + HOUR)
    assert (shelf.total(), list(shelf.bucket.objects)) == ((1, 5), [later.key])
    shelf.clean(NOW + HOUR)
    assert shelf.total() == (1, 5), "it gave back once"


def test_awaited_bytes_count_and_are_given_up_after_an_hour() -> None:
    shelf = Shelf()
    awaited = shelf.files().expect(shelf.new(b"x" * 50), NOW)
    assert shelf.total() == (1, 50)
    error = refused(shelf.files().open, "acme", awaited.id, NOW, "file_id")
    assert (error.code, error.param) == ("file_not_uploaded", "file_id")
    shelf.clean(NOW + AWAITED_MS)
    assert shelf.total() == (1, 50), "what came at the last moment is not deleted under its record"
    assert refused(shelf.files().find, "acme", awaited.id, NOW + AWAITED_MS).status == 404
    shelf.clean(NOW + AWAITED_MS + LATE_MS)
    assert shelf.total() == (0, 0)


def test_bytes_that_came_are_taken_when_somebody_asks() -> None:
    shelf = Shelf()
    awaited = shelf.files().expect(shelf.new(b"x" * 50), NOW)
    shelf.bucket.put(awaited.key, b"x" * 50)
    opened = shelf.files().open("acme", awaited.id, NOW + HOUR // 2)
    assert (opened.status, opened.bytes) == ("processed", 50)
    shelf.clean(NOW + 2 * HOUR)
    assert shelf.files().open("acme", awaited.id, NOW + 2 * HOUR) == opened, "the hour was for bytes that did not come"
    shelf.clean(NOW + MONTH_S * 1000)
    assert (shelf.total(), shelf.bucket.objects) == ((0, 0), {})


@pytest.mark.parametrize(("told", "sent"), [(b"12345", b"123456"), (b"12345", b"1234"), (b"12345", b"12354")])
def test_other_bytes_than_those_that_were_told_are_no_file(told: bytes, sent: bytes) -> None:
    shelf = Shelf()
    awaited = shelf.files().expect(shelf.new(told, sha256=hashlib.sha256(told).hexdigest()), NOW)
    shelf.bucket.put(awaited.key, sent)
    assert refused(shelf.files().open, "acme", awaited.id, NOW).code == "file_differs"
    shelf.files().delete("acme", awaited.id, NOW)
    assert (shelf.total(), shelf.bucket.objects) == ((0, 0), {})


def test_what_comes_after_its_file_was_deleted_goes_too() -> None:
    shelf = Shelf()
    awaited = shelf.files().expect(shelf.new(b"x"), NOW)
    shelf.files().delete("acme", awaited.id, NOW)
    shelf.bucket.put(awaited.key, b"x")  # the link that was given out still works
    assert refused(shelf.files().open, "acme", awaited.id, NOW).status == 404
    shelf.clean(NOW + AWAITED_MS + LATE_MS)
    assert shelf.bucket.objects == {}


def test_what_is_put_once_more_after_its_file_was_deleted_goes_too() -> None:
    shelf = Shelf()
    awaited = shelf.files().expect(shelf.new(b"x"), NOW)
    shelf.bucket.put(awaited.key, b"x")
    shelf.files().open("acme", awaited.id, NOW)
    shelf.files().delete("acme", awaited.id, NOW)
    shelf.bucket.put(awaited.key, b"x")  # nothing lies there, so the link works once more
    shelf.clean(NOW + AWAITED_MS + LATE_MS)
    assert (shelf.total(), shelf.bucket.objects) == ((0, 0), {})


def test_whatever_stops_a_file_midway_nothing_stays_for_good() -> None:
    for writes in range(6):
        shelf = Shelf()
        shelf.world.database.crash_in = writes
        try:
            shelf.keep(b"x" * 9)
            deleted = False
        except Crash:
            deleted = True
        shelf.world.database.crash_in = None
        assert deleted == (writes < 4)
        if not deleted:
            break
        shelf.clean(NOW + AWAITED_MS + LATE_MS)
        assert (shelf.total(), shelf.bucket.objects) == ((0, 0), {})


def test_whatever_stops_a_deletion_its_bytes_go_and_count_once() -> None:
    for writes in (0, 1):
        shelf = Shelf()
        kept = shelf.keep(b"x" * 9)
        shelf.world.database.crash_in = writes
        with pytest.raises(Crash):
            shelf.files().delete("acme", kept.id, NOW)
        shelf.world.database.crash_in = None
        if writes == 0:
            assert shelf.files().open("acme", kept.id, NOW) == kept
            shelf.files().delete("acme", kept.id, NOW)
        shelf.clean(NOW)
        assert (shelf.total(), shelf.bucket.objects) == ((0, 0), {})


def test_two_who_delete_at_once_give_back_once() -> None:
    shelf = Shelf()
    kept, _ = shelf.keep(b"x" * 9), shelf.keep(b"y")
    shelf.world.database.meanwhile = [lambda: shelf.files().delete("acme", kept.id, NOW)]
    assert refused(shelf.files().delete, "acme", kept.id, NOW).status == 404
    assert shelf.total() == (1, 1)


def test_output_becomes_a_file_once_and_beyond_every_bound() -> None:
    shelf = Shelf()
    shelf.bounded(max_files=0)
    until = NOW // 1000 + MONTH_S
    place = shelf.files().place("acme", "batch_1/output", NOW, until)
    assert refused(shelf.files().create, place, "out.jsonl", "batch_output", NOW).status == 404, "nothing lies there"
    shelf.bucket.put(place.key, b"one\ntwo\n")
    made = shelf.files().create(place, "out.jsonl", "batch_output", NOW + 5)
    assert (made.bytes, made.purpose, made.status, made.bucket) == (8, "batch_output", "processed", shelf.bucket.name)
    again = shelf.files().place("acme", "batch_1/output", NOW, until)
    assert again == place and shelf.files().create(again, "out.jsonl", "batch_output", NOW + HOUR) == made
    assert shelf.total() == (1, 8)
    assert shelf.files().place("other", "batch_1/output", NOW, until).file_id != place.file_id
    assert shelf.files().open("acme", made.id, NOW) == made
    shelf.clean(until * 1000)
    assert (shelf.total(), shelf.bucket.objects) == ((0, 0), {})


def test_a_place_that_becomes_no_file_is_cleared() -> None:
    shelf = Shelf()
    place = shelf.files().place("acme", "batch_1/output", NOW, NOW // 1000 + 60)
    shelf.bucket.put(place.key, b"half")
    shelf.clean(NOW + HOUR)
    assert shelf.bucket.objects == {}


def test_a_file_that_was_deleted_while_its_bytes_came_is_gone() -> None:
    shelf = Shelf()
    files = shelf.files()
    awaited = files.expect(shelf.new(b"x"), NOW)
    shelf.bucket.put(awaited.key, b"x")
    shelf.world.database.meanwhile = [lambda: shelf.files().delete("acme", awaited.id, NOW)]
    with pytest.raises(NotFound):
        files.open("acme", awaited.id, NOW)
    assert (shelf.total(), shelf.bucket.objects) == ((0, 0), {})
