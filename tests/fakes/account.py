"""An AWS account that answers by a table, through botocore's clients, which hold both sides against their models."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.validate import validate_parameters

Answer = Any
"""A reply, a `Refusal`, or a function of the question that gives either."""


@dataclass(frozen=True)
class Refusal:
    """A service's error."""

    code: str
    message: str = "Said the service."


@dataclass
class Account:
    """Stands for a session. Services of which nothing is in the table are those of `behind`.

    Operations are named with their service: `lambda:GetAccountSettings`. What is asked and not in the table is an
    error of the test.
    """

    behind: Any
    answers: dict[str, Answer]
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Operations and their parameters, in order."""
    regions: set[str] = field(default_factory=set)

    def client(self, service: str, region_name: str | None = None, config: Any = None) -> Any:
        """A client, as a session makes it."""
        if not any(each.startswith(f"{service}:") for each in self.answers):
            return self.behind.client(service, region_name=region_name)
        self.regions |= {region_name} if region_name else set()
        far_end = _far_end(service, region_name or "us-east-1")
        far_end.account = self
        return far_end.client

    def answer(self, name: str, asked: dict[str, Any]) -> Answer:
        """What is told, and a note that it was asked."""
        self.asked.append((name, asked))
        assert name in self.answers, f"{name} was asked"
        told = self.answers[name]
        return told(asked) if callable(told) else told


class _FarEnd:
    """Of a client, which takes long to make: it is the same for all accounts, the last of which answers."""

    account: Account

    def __init__(self, service: str, region: str) -> None:
        self.client = boto3.Session().client(
            service,  # type: ignore[call-overload]  # any service's name
            region_name=region,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        self._service = service
        self._asked: dict[str, Any] = {}
        self.client.meta.events.register_first("before-parameter-build.*.*", self._keep)
        self.client.meta.events.register_first("before-call.*.*", self._answer)

    def _keep(self, params: dict[str, Any], **_: Any) -> None:
        self._asked = dict(params)

    def _answer(self, model: Any, **_: Any) -> tuple[AWSResponse, dict[str, Any]]:
        told = self.account.answer(f"{self._service}:{model.name}", self._asked)
        if isinstance(told, Refusal):
            return _response(400), {"Error": {"Code": told.code, "Message": told.message}, "ResponseMetadata": {}}
        if model.output_shape:
            validate_parameters(told, model.output_shape)
        return _response(200), told | {"ResponseMetadata": {"HTTPStatusCode": 200}}


@cache
def _far_end(service: str, region: str) -> _FarEnd:
    return _FarEnd(service, region)


def _response(status: int) -> AWSResponse:
    return AWSResponse("https://aws.example", status, {}, _Nothing())


class _Nothing:
    def stream(self) -> Iterator[bytes]:
        yield b""


def by(**answers: Answer) -> Callable[[dict[str, Any]], Answer]:
    """An answer by the value of the one parameter that a question has, or of its name; all others get `rest`."""

    def choose(asked: dict[str, Any]) -> Answer:
        for value in asked.values():
            if isinstance(value, str) and value in answers:
                return answers[value]
        return answers["rest"]

    return choose
