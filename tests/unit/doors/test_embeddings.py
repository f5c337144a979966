"""Bodies of embeddings as jobs, and numbers in the forms that are asked for."""

import base64
import struct
from typing import Any

import pytest
from broker.doors.embeddings import job_of, list_of
from broker.errors import InvalidRequest
from broker.jobs.request import parse_request

from tests.unit.doors.test_chat_completions import VIEW

ASKED = {"model": "vectors", "input": ["a", "b"]}


@pytest.mark.parametrize(
    "more", [{}, {"encoding_format": "float"}, {"encoding_format": "base64"}, {"dimensions": None}]
)
def test_a_body_is_a_job(more: dict[str, Any]) -> None:
    asked = job_of(ASKED | more)
    assert asked.job == {"task": "embed", "model": "vectors", "input": {"text": ["a", "b"]}}
    parse_request(asked.job)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"input": [1, 2]}, "input"),
        ({"input": [[1, 2]]}, "input"),
        ({"encoding_format": "int8"}, "encoding_format"),
        ({"dimensions": 256}, "dimensions"),
        ({"parallel_tool_calls": False}, "parallel_tool_calls"),
        ({"colour": "blue"}, "colour"),
        ({"model": None}, "model"),
    ],
)
def test_what_has_no_place_in_a_job_is_refused_by_its_name(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as failure:
        job_of(ASKED | wrong)
    assert failure.value.param == field


def test_numbers_come_in_both_forms() -> None:
    rows = [[0.5, -1.25], [3.0, 0.0]]
    plain, packed = (list_of(VIEW, rows, form)["data"] for form in ("float", "base64"))
    assert [each["embedding"] for each in plain] == rows
    assert [list(struct.unpack("<2f", base64.b64decode(each["embedding"]))) for each in packed] == rows
    assert [each["index"] for each in packed] == [0, 1]
