"""What batches give, as files: small ones in the reply itself, for clients that follow no link."""

import json

import pytest
from broker.rest.files import MOST_AT_ONCE

from tests.fakes.file_bucket import results_of
from tests.unit.rest_door import Door

LINE = (json.dumps({"custom_id": "a", "error": None, "said": "Grüße \x7f \u2028"}, ensure_ascii=False) + "\n").encode()
CONTENT = "/files/{id}/content"


def made(data: bytes = LINE) -> tuple[Door, str]:
    door = Door()
    return door, results_of(door.world.database, door.bucket, data)


def test_results_come_at_once_as_they_are() -> None:
    door, file_id = made()
    reply = door("GET", CONTENT, job_id=file_id)
    told = reply.proxy("req-1")
    assert (told["statusCode"], told["body"].encode()) == (200, LINE)
    assert told["headers"]["content-type"] == "application/jsonl"
    assert told["headers"]["content-disposition"] == "attachment", "a browser shows nothing that a model wrote"
    assert "location" not in told["headers"]


@pytest.mark.parametrize(("more", "status"), [(0, 200), (1, 307)])
def test_what_is_too_large_for_a_reply_is_at_a_link(more: int, status: int) -> None:
    door, file_id = made(b'"' * (MOST_AT_ONCE + more))
    reply = door("GET", CONTENT, job_id=file_id)
    assert reply.status == status
    assert len(json.dumps(reply.proxy("req-1"))) < 6_000_000, "Lambda gives no more back"


def test_another_tenant_is_told_of_no_file() -> None:
    door, file_id = made()
    assert door.fails("GET", CONTENT, job_id=file_id, tenant="other").code == "no_such_file"


def test_what_was_deleted_comes_no_more() -> None:
    door, file_id = made()
    door("DELETE", "/files/{id}", job_id=file_id)
    assert door.fails("GET", CONTENT, job_id=file_id).code == "no_such_file"
