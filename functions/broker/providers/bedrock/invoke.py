"""Amazon Bedrock's InvokeModel: each family of models has its own JSON, in one exchange or in several.

Source: Amazon Bedrock API Reference, `InvokeModel`; User Guide, "Inference request parameters and response fields for
foundation models".
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from broker.errors import BadOutput, BrokerError, ModelGone, ModelTimedOut, Refused
from broker.providers.bedrock.service_errors import bad
from broker.providers.wire.base import Call
from broker.providers.wire.http_client import CHUNK, LARGEST_REPLY
from broker.providers.wire.structured import loads
from broker.providers.wire.values import field

Json = dict[str, Any]
Result = TypeVar("Result")
Kind = TypeVar("Kind")

UNTOUCHED = ("NONE", None)
"""What a reply says of a guardrail that let it pass, or of none."""


class Exchanger(Protocol):
    """One exchange with a client, its faults as errors of the tree; `timeout` in seconds."""

    def __call__(self, exchange: Callable[[Any], Result], timeout: float) -> Result:
        """The exchange's result."""
        ...


@dataclass(frozen=True, slots=True)
class InvokeReply:
    """What a model answered, and the reply's headers by lower-case name."""

    body: Json
    headers: Mapping[str, str]

    def input_tokens(self) -> int | None:
        """Tokens as the service counted them; not all models' replies tell."""
        for reported in (self.headers.get("x-amzn-bedrock-input-token-count"), self.body.get("inputTextTokenCount")):
            if str(reported).isdecimal():
                return int(str(reported))
        return None

    def facts(self) -> dict[str, str]:
        """The service's own id of the call."""
        found = str(self.headers.get("x-amzn-requestid", ""))
        return {"request_id": found[:128]} if found else {}


def guardrail(call: Call) -> dict[str, str]:
    """The guardrail that the operators registered with the model, in the words of both operations; empty for none.

    Raises:
        ModelGone: the registration names none; a call without it must not be made.
    """
    configured = call.options.get("guardrail")
    if configured is None:
        return {}
    if not isinstance(configured, Mapping) or not configured.get("id"):
        raise ModelGone("The model's guardrail has no id.", code="bad_guardrail", param="model")
    return {"guardrailIdentifier": str(configured["id"]), "guardrailVersion": str(configured.get("version", "DRAFT"))}


def family(call: Call, known: Mapping[str, Kind]) -> Kind:
    """What is known of the model's family: the first name that its id holds.

    Raises:
        ModelGone: nothing is.
    """
    model = str(call.options.get("family", call.model))
    for name, found in known.items():
        if name in model:
            return found
    raise ModelGone("The model's family is not known, or does not do this task.", code="unknown_family", param="model")


def exchanges(call: Call, ask: Exchanger, bodies: Iterable[Json]) -> Iterator[InvokeReply]:
    """Ask with one body after the other, all within the call's time.

    Raises:
        BrokerError: by `Provider`; what follows the first exchange may have been paid for.
        Refused: the guardrail stopped one.
    """
    waiting = list(bodies)
    until = time.monotonic() + call.timeout
    # Clients are kept by their timeout. Halves make few of them, and leave an exchange at least half of what is left.
    timeout = call.timeout if len(waiting) == 1 else call.timeout / 2
    for place, body in enumerate(waiting):
        left = until - time.monotonic() if place else call.timeout
        if left <= 0:
            raise ModelTimedOut("Bedrock did not answer in time.", code="timeout", maybe_paid=True)
        while timeout > left:
            timeout /= 2
        try:
            reply = _exchange(call, ask, body, timeout, until)
        except BrokerError as error:
            error.maybe_paid = error.maybe_paid or place > 0
            raise
        if reply.body.get("amazon-bedrock-guardrailAction") not in UNTOUCHED:
            raise Refused("The model's guardrail stopped the call.", code="guardrail_intervened", maybe_paid=True)
        yield reply


def _exchange(call: Call, ask: Exchanger, body: Json, timeout: float, until: float) -> InvokeReply:
    request = {
        "modelId": call.model,
        "contentType": "application/json",
        "accept": "application/json",
        "body": json.dumps(body).encode(),
        **guardrail(call),
    }

    def exchange(client: Any) -> tuple[bytes, Mapping[str, str]]:
        reply = client.invoke_model(**request)
        headers = field(reply, "ResponseMetadata", "HTTPHeaders")
        return _read(reply["body"], until), headers if isinstance(headers, dict) else {}

    content, headers = ask(exchange, timeout)
    try:
        found = loads(content)
    except ValueError:
        raise BadOutput("The model's reply is not JSON.", code="reply_not_json", maybe_paid=True) from None
    if not isinstance(found, dict):
        bad("The model's reply is no JSON object.")
    return InvokeReply(found, headers)


def _read(body: Any, until: float) -> bytes:
    parts: list[bytes] = []
    size = 0
    for part in body.iter_chunks(CHUNK):
        size += len(part)
        if size > LARGEST_REPLY:
            bad("The model's reply is too large.", code="reply_too_large")
        if time.monotonic() > until:
            raise ModelTimedOut("Bedrock did not answer in time.", code="timeout", maybe_paid=True)
        parts.append(part)
    return b"".join(parts)
