"""A server that plays the provider, each wire format in turn, and a call to it."""

from collections.abc import Iterator

import pytest
from broker.providers.wire.base import Call

from tests.fakes.aws import aws_environment
from tests.fakes.media import FakeMedia
from tests.unit.dialects.base import JPEG, MODEL, SECRET, Dialect
from tests.unit.dialects.table import DIALECTS
from tests.unit.provider_server import ProviderServer


@pytest.fixture(scope="module")
def server() -> Iterator[ProviderServer]:
    with ProviderServer() as running, aws_environment(SECRET, running.url):
        yield running


@pytest.fixture(scope="module", params=list(DIALECTS))
def dialect(request: pytest.FixtureRequest, server: ProviderServer) -> Dialect:
    return DIALECTS[request.param]()


@pytest.fixture
def call(server: ProviderServer, dialect: Dialect) -> Call:
    return Call(
        task="chat",
        model=MODEL,
        input={"text": "What is my diagnosis?"},
        parameters={},
        timeout=20,
        secret=SECRET,
        endpoint=dialect.endpoint(server.url),
        media=FakeMedia({"s3://inbox/acme/a": JPEG}),
    )
