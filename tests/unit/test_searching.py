"""Which jobs of a list are wanted."""

import pytest
from broker.errors import InvalidRequest
from broker.jobs.head import Status
from broker.jobs.pages import page, page_of_all
from broker.jobs.searching import Wanted, wanted_of

from tests.fakes.world import BASE_URL, NOW, World, a_head


def job_id(at: int, number: int = 0) -> str:
    return f"job_{at:012x}{number:020x}"


@pytest.fixture
def world() -> World:
    made = World()
    for second in range(6):
        at = NOW + second * 1000
        head = made.put(
            a_head(
                id=job_id(at, second),
                created_at=at,
                status=Status.FAILED if second % 2 else Status.QUEUED,
                door="s3" if second < 3 else "rest",
                model="large" if second == 4 else None,
                asked="auto" if second else "small",
                prompt={"id": "sum", "version": 1, "label": None} if second == 2 else None,
            )
        )
        made.jobs.note(head, "ASKED", {"metadata": {"order": str(second), "a=b": "c=d"}})
    made.put(a_head(id=job_id(NOW + 2500), tenant="other", created_at=NOW + 2500))
    return made


def seconds(world: World, **query: str) -> list[int]:
    found = page(world.jobs, "acme", BASE_URL, limit=100, cursor=None, wanted=wanted_of(query))
    return [int(each["id"][4:16], 16) // 1000 - NOW // 1000 for each in found["data"]]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, [5, 4, 3, 2, 1, 0]),
        ({"status": "failed"}, [5, 3, 1]),
        ({"door": "s3"}, [2, 1, 0]),
        ({"model": "large"}, [4]),
        ({"model": "small"}, [0]),
        ({"prompt": "sum"}, [2]),
        ({"tag": "order=3"}, [3]),
        ({"tag": "order=7"}, []),
        ({"status": "failed", "door": "s3"}, [1]),
        ({"created_after": "2026-11-18T11:06:43Z"}, [5, 4, 3]),
        ({"created_before": "2026-11-18T11:06:42Z"}, [1, 0]),
        ({"created_after": "2026-11-18T12:06:41+01:00", "created_before": "2026-11-18T11:06:44Z"}, [3, 2, 1]),
    ],
)
def test_a_list_has_what_is_wanted_and_nothing_else(world: World, query: dict[str, str], found: list[int]) -> None:
    assert seconds(world, **query) == found


def test_a_list_ends_where_jobs_are_too_old(world: World) -> None:
    wanted = wanted_of({"created_after": "2026-11-18T11:06:44Z"})
    first = page(world.jobs, "acme", BASE_URL, limit=3, cursor=None, wanted=wanted)
    assert (len(first["data"]), first["next_cursor"]) == (2, None), "older ones would be read for nothing"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("status", "done"), ("door", "window"), ("tag", "order"), ("tag", "=17")),
        *(("created_after", "yesterday"), ("created_after", "2026-11-18T11:06:40"), ("created_before", "9" * 40)),
    ],
)
def test_what_is_no_filter_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        wanted_of({name: value})
    assert refused.value.param == name


def test_jobs_of_several_tenants_are_one_list_page_by_page(world: World) -> None:
    seen: list[tuple[str, str]] = []
    cursor = None
    for _ in range(5):
        found = page_of_all(world.jobs, ["acme", "other"], limit=2, cursor=cursor, wanted=Wanted())
        seen += [(each["tenant"], each["id"]) for each in found["data"]]
        cursor = found["next_cursor"]
        if cursor is None:
            break
    assert [each for each, _ in seen] == ["acme", "acme", "acme", "other", "acme", "acme", "acme"]
    ids = [each for _, each in seen]
    assert ids == sorted(ids, reverse=True)
    assert len({*ids}) == 7


def test_a_filter_looks_at_tags_of_none_but_what_fits_otherwise(world: World) -> None:
    asked: list[str] = []
    notes = world.jobs.notes
    world.jobs.notes = lambda job, prefix="": asked.append(job) or notes(job, prefix)  # type: ignore[method-assign,func-returns-value]
    page(world.jobs, "acme", BASE_URL, limit=100, cursor=None, wanted=wanted_of({"status": "failed", "tag": "order=3"}))
    assert len(asked) == 3
    asked.clear()
    page(world.jobs, "acme", BASE_URL, limit=100, cursor=None, wanted=Wanted())
    assert not asked, "a plain list would pay for a filter"
