"""Whatever stands in a body of Anthropic's clients: it is a job, or it is refused."""

from typing import Any

import pytest
from broker.batches.asking.request import parse_batch
from broker.doors.message_batches import batch_of
from broker.doors.messages import counted_job_of, job_of
from broker.doors.reading import renamed
from broker.errors import InvalidRequest
from broker.jobs.request import parse_request

from tests.unit.mutations import bent, paths

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
TEXT = {"type": "text", "text": "A heron.", "cache_control": {"type": "ephemeral", "ttl": "5m"}}
DOCUMENTS = [
    {"type": "document", "title": "T", "context": "C", "source": {"type": "text", "data": "d"}},
    {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="}},
    {"type": "document", "source": {"type": "content", "content": [TEXT]}},
]
PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
BODY: dict[str, Any] = {
    "model": "small",
    "max_tokens": 9,
    "system": [TEXT],
    "messages": [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": [TEXT, {"type": "tool_use", "id": "t", "name": "look", "input": {"a": 1}}]},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t", "content": [TEXT, PICTURE], "is_error": True},
                *(PICTURE, *DOCUMENTS),
            ],
        },
    ],
    "tools": [{"name": "look", "input_schema": SCHEMA, "description": "Looks."}],
    "tool_choice": {"type": "tool", "name": "look", "disable_parallel_tool_use": True},
    "stop_sequences": ["a"],
    "temperature": 0.5,
    "metadata": {"user_id": "u"},
    "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
    "thinking": {"type": "disabled"},
    "inference_geo": "eu",
    "stream": True,
}


def _deep(depth: int) -> Any:
    value: Any = {}
    for _ in range(depth):
        value = {"a": value}
    return value


ODD: list[Any] = [
    *(None, True, 0, -1, 1e308, float("nan"), 10**30, "", " ", "x" * 5000, "\x00", "\ud800"),
    *([], {}, [[]], [{}], {"type": []}, {"type": "text"}, ["a", 7], _deep(60), _deep(980)),
]


def test_the_body_is_a_job_as_it_stands() -> None:
    parse_request(job_of(BODY).job)


@pytest.mark.parametrize("path", [*paths(BODY)], ids=lambda path: ".".join(map(str, path)) or "body")
def test_whatever_stands_there_is_a_job_or_is_refused(path: tuple[Any, ...]) -> None:
    for junk in ODD:
        body = bent(BODY, path, junk)
        for mapping in (job_of, counted_job_of):
            try:
                asked = mapping(body)
            except InvalidRequest as error:
                assert error.message
                continue
            try:
                parse_request(asked.job)
            except InvalidRequest as error:
                assert renamed(error, asked.places).message
        try:
            parse_batch(batch_of({"requests": [{"custom_id": "a", "params": body}]}))
        except InvalidRequest as error:
            assert error.message


def test_what_is_no_list_of_requests_is_no_batch() -> None:
    for junk in ODD:
        row = {"custom_id": junk, "params": {}}
        for given in (junk, {"requests": junk}, {"requests": [junk]}, {"requests": [row]}):
            with pytest.raises(InvalidRequest):
                parse_batch(batch_of(given))
