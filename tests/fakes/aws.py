"""The far end of AWS clients: replies by a script, and both sides of each exchange held against botocore's models.

The clients are the broker's own (`aws.make_client`), down to the signed request and up from the reply's bytes.
"""

import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.validate import ParamValidator
from broker.providers.aws.client import make_client


@contextmanager
def aws_environment(key: str = "x", endpoint: str | None = None) -> Iterator[None]:
    """Where AWS clients find a key, a region and nothing of this machine's; with an `endpoint`, it stands for AWS."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"):
            patch.delenv(name, raising=False)
        patch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
        patch.setenv("AWS_SECRET_ACCESS_KEY", key)
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        if endpoint is not None:
            patch.setenv("AWS_ENDPOINT_URL", endpoint)
        yield


@dataclass(frozen=True)
class Reply:
    """One reply: JSON, or bytes as they are; or the fault that there is instead of one."""

    body: Any = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    fault: Exception | None = None
    valid: bool = True
    """False where the reply is not one that the service could give."""


class _Raw(io.BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


class Wire:
    """Answers by a script, in order, and keeps what was asked."""

    def __init__(self) -> None:
        self._clients: dict[tuple[str, str | None, float], Any] = {}
        self.script([])

    def script(self, replies: list[Reply]) -> None:
        """Begin anew."""
        self._replies = list(replies)
        self._current = Reply()
        self.asked: list[tuple[str, dict[str, Any]]] = []
        """Operations and parameters."""
        self.timeouts: list[float] = []
        """Of the clients that were wanted."""
        self.regions: list[str | None] = []

    @property
    def left(self) -> int:
        """Replies that nobody asked for."""
        return len(self._replies)

    def make(self, service: str, region: str | None, timeout: float) -> Any:
        """See `aws.make_client`."""
        self.timeouts.append(timeout)
        self.regions.append(region)
        wanted = (service, region, timeout)
        if wanted not in self._clients:
            client = make_client(*wanted)
            client.meta.events.register_first("provide-client-params.*.*", self._keep)
            client.meta.events.register("before-send.*.*", self._answer)
            client.meta.events.register("after-call.*.*", self._check)
            self._clients[wanted] = client
        return self._clients[wanted]

    def _keep(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        self.asked.append((model.name, params))
        assert_fits(params, model.input_shape)

    def _answer(self, request: Any, **_: Any) -> AWSResponse:
        assert self._replies, "nothing is asked twice"
        self._current = self._replies.pop(0)
        if self._current.fault:
            raise self._current.fault
        body = self._current.body
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"x-amzn-requestid": "req-1", **self._current.headers}
        return AWSResponse(request.url, self._current.status, headers, _Raw(content))

    def _check(self, http_response: Any, parsed: Any, model: Any, **_: Any) -> None:
        if http_response.status_code < 300 and self._current.valid:
            members = {name: _without_none(value) for name, value in parsed.items() if name != "ResponseMetadata"}
            assert members.keys() <= model.output_shape.members.keys()
            assert_fits(members, model.output_shape)
            if isinstance(self._current.body, dict) and "payload" not in model.output_shape.serialization:
                # The parser drops what it does not know.
                _assert_within(self._current.body, model.output_shape, model.output_shape.name)


def _without_none(value: Any) -> Any:
    """As services leave out what they have not; some write `null`."""
    if isinstance(value, dict):
        return {name: _without_none(each) for name, each in value.items() if each is not None}
    return [_without_none(each) for each in value] if isinstance(value, list) else value


def assert_fits(value: Any, shape: Any) -> None:
    """That a value is of a shape: what botocore checks, and the lengths, patterns and words that only services do."""
    report = ParamValidator().validate(value, shape)
    assert not report.has_errors(), report.generate_report()
    _assert_within(value, shape, shape.name)


def _assert_within(value: Any, shape: Any, where: str) -> None:
    if shape.type_name == "structure" and isinstance(value, dict):
        for name, each in value.items():
            assert name in shape.members, f"{where} has no {name}"
            _assert_within(each, shape.members[name], f"{where}.{name}")
    elif shape.type_name == "list":
        _assert_size(len(value), shape, where)
        for each in value:
            _assert_within(each, shape.member, f"{where}[]")
    elif shape.type_name == "map":
        for each in value.values():
            _assert_within(each, shape.value, f"{where}{{}}")
    elif isinstance(value, str) and shape.type_name != "timestamp":  # JSON has times as texts
        _assert_size(len(value), shape, where)
        assert value in (shape.enum or [value]), f"{where}: {value} is not among its words"
        pattern = str(shape.metadata.get("pattern", "")).replace(r"\p{ASCII}", "[\x00-\x7f]")
        if pattern and r"\p" not in pattern.lower():
            assert re.search(pattern.replace("\\z", "\\Z"), value), f"{where}: {value} is not {pattern}"
    elif isinstance(value, bytes):
        _assert_size(len(value), shape, where)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        _assert_size(value, shape, where)


def _assert_size(size: float, shape: Any, where: str) -> None:
    assert shape.metadata.get("min", size) <= size <= shape.metadata.get("max", size), f"{where} has a size of {size}"
