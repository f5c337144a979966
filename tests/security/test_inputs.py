"""What is sent to break something: values that look like templates, keys that look like paths, bodies without end."""

import json
from typing import Any

import pytest
from broker.errors import InvalidRequest
from broker.jobs.media_references import check_media
from broker.json_text import MAX_BODY_BYTES

from tests.unit.prompts_case import TRUSTED, filled
from tests.unit.rest_door import Door

TEMPLATES = [
    "{{7*7}}",
    "${7*7}",
    "<%= 7*7 %>",
    "#{7*7}",
    "{% for x in y %}",
    "{{secret}}",
    "{{#secret}}x{{/secret}}",
    "{{^secret}}x{{/secret}}",
    "{{{secret}}}",
    "{{> partial}}",
    "{{''.__class__.__mro__}}",
    "%(secret)s",
    "{secret}",
    "{0.__class__}",
    "\\g<0>",
    "$0",
    "{{/body}}",
    "}}{{secret}}{{",
]


@pytest.mark.parametrize("value", TEMPLATES)
def test_a_value_is_never_read_as_a_template(value: str) -> None:
    entry = {"user": "Say {{body}} of {{secret}}.", "variables": {"body": TRUSTED, "secret": TRUSTED}}
    (message,) = filled(entry, {"body": value, "secret": "S3CR3T"}).messages
    assert message["content"] == f"Say {value} of S3CR3T."


KEYS = [
    "acme/../globex/x.png",
    "acme/./x.png",
    "acme//x.png",
    "/acme/x.png",
    "acme/..",
    "acme/x\n.png",
    "acme/x\0.png",
    "acme/x\x7f.png",
    "acme/x\u0085.png",
    "acme/x?versionId=1",
    "acme/x#y",
    "globex/x.png",
    "acmeglobex/x.png",
    "ACME/x.png",
    "acme",
    "acme/" + "x" * 1020,
]


@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_below_ones_own_prefix_and_nothing_else(key: str) -> None:
    for place in ({"file": {"s3": f"s3://inbox/{key}"}}, {"messages": [_picture(f"s3://inbox/{key}")]}):
        with pytest.raises(InvalidRequest) as failure:
            check_media({"input": place}, "acme", "inbox")
        assert failure.value.code in ("invalid_key", "file_not_yours")
        assert "globex" not in failure.value.message


@pytest.mark.parametrize("bucket", ["payloads", "inbox.evil", "INBOX", "inbox:x", ""])
def test_no_other_bucket_is_read(bucket: str) -> None:
    with pytest.raises(InvalidRequest):
        check_media({"input": {"file": {"s3": f"s3://{bucket}/acme/x.png"}}}, "acme", "inbox")


def _picture(url: str) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}


BODIES = {
    "nothing": "",
    "deep": "[" * 100_000,
    "deep object": '{"input":' * 20_000,
    "too long": json.dumps({"input": "x" * MAX_BODY_BYTES}),
    "many fields": json.dumps({f"f{number}": 1 for number in range(50_000)}),
    "a long number": '{"input": "x", "deadline_seconds": ' + "9" * 100_000 + "}",
    "no number": '{"input": "x", "deadline_seconds": NaN}',
    "endless": '{"input": "x", "routing": {"max_cost_usd": 1e999}}',
    "half a character": '{"input": "\\ud800"}',
    "not text": "\udcff",
    "many messages": json.dumps({"input": {"messages": [{"role": "user", "content": "x"}] * 100_000}}),
}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("resource", ["/jobs", "/responses", "/chat/completions", "/messages", "/batches", "/mcp"])
def test_no_body_is_an_error_of_ours(resource: str, name: str) -> None:
    error = None
    try:
        reply = Door()("POST", resource, BODIES[name])
    except InvalidRequest as raised:
        error = raised
    if error is None:
        assert resource == "/mcp" or reply.status < 500, "an agent's error is a reply of its protocol"
    else:
        assert 400 <= error.status < 500
        assert len(error.message) < 1_000, "what was sent is not sent back"
