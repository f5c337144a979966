"""Amazon Bedrock: its chat models by `Converse`, its models of embeddings and pictures by `InvokeModel`.

`Call.endpoint` is a region; requests are signed as the function's own role. Options of a model: `guardrail`
(`{"id", "version"}`), which sees all that goes in and comes out, `family` where the model's id does not tell it (an
application inference profile), and what the module of its task says.
"""

from collections.abc import Callable
from functools import lru_cache, partial
from importlib import import_module
from typing import Any, TypeVar

from botocore import exceptions as broken

from broker.errors import Unavailable
from broker.providers.aws import client as aws
from broker.providers.bedrock.service_errors import bad, rejected
from broker.providers.wire.base import Answer, Call
from broker.providers.wire.language import LANGUAGE, Chat, perform

Result = TypeVar("Result")

TASKS = {
    "chat": "broker.providers.bedrock.converse",
    "embed": "broker.providers.bedrock.embed",
    "generate_image": "broker.providers.bedrock.images",
}
"""By the module that has a function of that name; loaded on first use."""


def make_client(region: str | None, timeout: float) -> Any:
    """Bedrock's run-time client; see `aws.make_client`."""
    return aws.make_client("bedrock-runtime", region, timeout)


class Bedrock:
    """Bedrock's models of all kinds."""

    tasks = frozenset({*TASKS, *LANGUAGE})

    def __init__(self, client: Callable[[str | None, float], Any] = make_client) -> None:
        """Keep the way to make clients; each is kept for its region and timeout, of which models have few."""
        self._client = lru_cache(maxsize=8)(client)

    def invoke(self, call: Call) -> Answer:
        """Make the call; see `Provider`."""

        def own(module: str, task: str) -> Chat:
            return lambda made: getattr(import_module(module), task)(made, partial(self._ask, made.endpoint))

        return perform(call, {task: own(module, task) for task, module in TASKS.items()})

    def _ask(self, region: str | None, exchange: Callable[[Any], Result], timeout: float) -> Result:
        """One exchange with a client of the region, its faults as errors of the tree; `timeout` in seconds."""
        try:
            client = self._client(region, timeout)
        except (broken.BotoCoreError, ValueError):
            raise Unavailable("Bedrock has no such region or endpoint.", code="bad_endpoint") from None
        try:
            return exchange(client)
        except broken.ClientError as error:
            raise rejected(error.response) from None
        except (broken.BotoCoreError, broken.HTTPClientError) as error:
            raise aws.lost("Bedrock", error) from None
        except aws.UNREADABLE:
            bad("Bedrock's reply is not in the form of the operation.")
