"""A door in memory over HTTP, and OpenAI's package as two tenants use it; a module may have a door of its own."""

from collections.abc import Iterator

import openai
import pytest

from tests.unit.doors.batch_case import Broker
from tests.unit.doors.case import Server, a_door
from tests.unit.rest_door import Door


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def door() -> Door:
    return a_door()


@pytest.fixture
def server(door: Door) -> Iterator[Server]:
    with Server(door) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server.url, api_key="ib_acme") as made:
        yield made


@pytest.fixture
def stranger(client: openai.OpenAI) -> openai.OpenAI:
    """Another tenant's client."""
    return client.with_options(api_key="ib_rich")
